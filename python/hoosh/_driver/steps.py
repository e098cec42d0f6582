"""The kinds of steps by number, as a step's tuple begins: the order of `_native.step_names()`, which a test compares."""

CONTINUE = 0
READ_CALLER = 1
SEND = 2
READ = 3
ABORT = 4
CALL = 5
WORK = 6
CHILD = 7
REPLY = 8
START = 9
EMIT = 10
FINISH = 11
BREAK = 12
WAIT = 13
DONE = 14
SEND_BODY = 15
END_BODY = 16

# Those of the gateway's own loop.
FETCH = 0
CANCEL = 1
STORE = 2
LOOP_WAIT = 3
LOG = 4
LOOP_OVER = 5
LOOP_READ = 6
