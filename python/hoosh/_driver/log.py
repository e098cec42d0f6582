"""The log: lines written by a thread of their own, because a pipe that nobody reads holds up whoever writes to it."""

import os
import queue
import select
import sys
import threading
import time
from collections.abc import Callable

Done = Callable[[int, str | None], None]
"""Told of each batch: its number, and why it was not written."""
WAITING_BYTES = 64 << 10
"""Of words that are said and not written yet; what is said beyond is left out: a standard error that nobody reads must not
cost memory without bound."""
LOOK_SECONDS = 0.002
"""How often `flush` looks."""

Batch = tuple[int | None, bytes, str | None]
"""Its number, if anybody is told of it; its lines; its file, if not the standard error."""
Batches = queue.SimpleQueue[Batch | None]


class Log:
    """Writes one batch after the other. It may stand still for ever; then it ends with the process."""

    def __init__(self, done: Done) -> None:
        self._done = done
        self._batches: Batches = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._waiting = 0

    def write(self, id: int, lines: bytes, file: str | None) -> None:
        """Have `lines` added to `file`, or to the standard error."""
        self._put((id, lines, file))

    def say(self, words: bytes) -> bool:
        """Have `words` written to the standard error, in their turn; whether there was room for them."""
        with self._lock:
            # Words of any length if nothing waits.
            if self._waiting and self._waiting + len(words) > WAITING_BYTES:
                return False
            self._waiting += len(words)
        self._put((None, words, None))
        return True

    @property
    def waiting(self) -> bool:
        """Whether something that was said is not written yet."""
        return self._waiting > 0

    def flush(self, seconds: float) -> None:
        """Wait until what was said is written, for `seconds` at most."""
        until = time.monotonic() + seconds
        while self.waiting and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)

    def close(self) -> None:
        """End the thread, once it has written. What comes later gets a new one."""
        self._batches.put(None)
        self._batches, self._thread = queue.SimpleQueue(), None

    def _put(self, batch: Batch) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, args=(self._batches,), name="hoosh-log", daemon=True)
            self._thread.start()
        self._batches.put(batch)

    def _run(self, batches: Batches) -> None:
        while batch := batches.get():
            number, lines, file = batch
            failure = None
            try:
                _add(lines, file)
            except Exception as error:  # whatever stands in for the standard error may raise anything
                failure = f"{getattr(error, 'strerror', None) or type(error).__name__} ({file or 'stderr'})"
            if number is not None:
                self._done(number, failure)
                continue
            with self._lock:
                self._waiting -= len(lines)


def _add(lines: bytes, file: str | None) -> None:
    if file is not None:
        with open(file, "ab", buffering=0) as out:
            _write(out.fileno(), lines)
        return
    try:
        place = sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        sys.stderr.write(lines.decode())
        return
    # Past the lock of `sys.stderr`: whoever else prints must not wait for what waits here.
    _write(place, lines)


def _write(place: int, lines: bytes) -> None:
    left = memoryview(lines)
    while left:
        try:
            left = left[os.write(place, left) :]
        except BlockingIOError:
            select.select([], [place], [])
