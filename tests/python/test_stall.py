"""Callers that take nothing: cut off, so that neither their bytes stay nor the end of the process waits for them."""

import os
import re
import signal
import socket
import subprocess
import sys
from functools import partial

import pytest
import trio
from tests.python.conftest import provider
from tests.python.test_wire import HEAD

from hoosh.asgi import PART_BYTES, HttpCaller

LONG = b'{"model":"fake-chat","messages":[{"role":"user","content":"%b"}]}' % (b"x" * (12 << 20))
"""The fake upstream says it again: more than two sockets hold."""


async def ask(url, body):
    """A caller that sends its request and reads nothing."""
    sock = trio.socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await sock.connect(("127.0.0.1", int(url.rpartition(":")[2])))
    caller = trio.SocketStream(sock)
    await caller.send_all(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    return caller


async def test_a_caller_that_takes_nothing_is_cut_off(serving, upstream):
    async with serving("[deadlines]\ncaller_stall_secs = 1\n" + provider(upstream)) as (url, app):
        with trio.fail_after(20):
            async with await ask(url, LONG) as caller:
                while not app.driver.store.rows() or app.driver.gateway.open_exchanges():
                    await trio.sleep(0.01)
                with pytest.raises(trio.BrokenResourceError):
                    while await caller.receive_some():
                        pass


@pytest.mark.parametrize("signals", [1, 2])
async def test_the_process_ends_though_a_caller_takes_nothing(upstream, tmp_path, signals):
    drain = f"[server]\ndrain_secs = {1 if signals == 1 else 60}\n"
    (tmp_path / "hoosh.toml").write_text(drain + provider(upstream) + 'models = ["fake-chat"]\n')
    command = [sys.executable, "-m", "hoosh", "serve", "--config", str(tmp_path / "hoosh.toml"), "--port", "0"]
    environment = {name: value for name, value in os.environ.items() if name != "HOOSH_CONFIG"}
    async with trio.open_nursery() as nursery:
        run = partial(trio.run_process, command, env=environment, check=False)
        process = await nursery.start(partial(run, stdin=subprocess.PIPE, stderr=subprocess.PIPE))
        try:
            with trio.move_on_after(30) as waiting:
                said = b""
                while not (found := re.search(rb"listening on (http://[\d.:]+)", said)):
                    said += (more := await process.stderr.receive_some())
                    assert more, said
                async with await ask(found[1].decode(), LONG) as caller:
                    # The head was written, and so the body is being.
                    await caller.socket.recv(1, socket.MSG_PEEK)
                    process.send_signal(signal.SIGTERM)
                    while b"Stopping" not in said:
                        said += await process.stderr.receive_some()
                    if signals == 2:
                        process.send_signal(signal.SIGTERM)
                    await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
            nursery.cancel_scope.cancel()
    assert not waiting.cancelled_caught
    assert process.returncode == 0


async def test_what_a_slow_caller_takes_is_told_part_by_part():
    told = []

    async def send(message):
        told.append(len(message.get("body", b"")))

    caller = HttpCaller(trio.sleep_forever, send)
    body = bytes(2 * PART_BYTES + 1)
    await caller.reply(200, [], body, lambda size: told.append(-size))
    assert told == [0, PART_BYTES, -PART_BYTES, PART_BYTES, -PART_BYTES, 1, -1]
    told.clear()
    await caller.emit(body, lambda size: told.append(-size))
    assert sum(told) == 0
    assert len(told) == 6
