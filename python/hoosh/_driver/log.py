"""The log: lines written by a thread of their own, because a pipe that nobody reads holds up whoever writes to it."""

import os
import queue
import select
import sys
import threading
from collections.abc import Callable

Done = Callable[[int, str | None], None]
"""Told of each batch: its number, and why it was not written."""


class Log:
    """Writes one batch after the other. It may stand still for ever; then it ends with the process."""

    def __init__(self, done: Done) -> None:
        self._done = done
        self._batches: queue.SimpleQueue[tuple[int, bytes, str | None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def write(self, id: int, lines: bytes, file: str | None) -> None:
        """Have `lines` added to `file`, or to the standard error."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="hoosh-log", daemon=True)
            self._thread.start()
        self._batches.put((id, lines, file))

    def close(self) -> None:
        """End the thread, once it has written."""
        self._batches.put(None)

    def _run(self) -> None:
        while batch := self._batches.get():
            number, lines, file = batch
            try:
                _add(lines, file)
                self._done(number, None)
            except Exception as error:  # whatever stands in for the standard error may raise anything
                self._done(number, f"{getattr(error, 'strerror', None) or type(error).__name__} ({file or 'stderr'})")


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
