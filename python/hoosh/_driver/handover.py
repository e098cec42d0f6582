"""From a thread to the event loop: what a blocking generator yields, no further ahead than its caller reads."""

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import anyio
import sniffio
import trio

from hoosh.engines.request import Cancelled

AHEAD_BYTES = 16 << 10
"""How far a generator goes on for a caller that takes nothing; the core's own engines do so too."""
AHEAD_ITEMS = 64
"""The same of words as short as they may be."""

Soon = Callable[[Callable[[], Any]], Any]
"""Has the thread of an event loop do something."""


def soon() -> Soon:
    """That of the loop that runs here."""
    if sniffio.current_async_library() == "trio":
        return trio.lowlevel.current_trio_token().run_sync_soon
    import asyncio

    return asyncio.get_running_loop().call_soon_threadsafe


class Signal:
    """Set once, in any thread; waited for on the event loop that made it."""

    def __init__(self) -> None:
        self._soon, self._event = soon(), anyio.Event()

    def set(self) -> None:
        """Wake who waits."""
        with contextlib.suppress(RuntimeError):  # the loop may be over by now
            self._soon(self._event.set)

    async def wait(self) -> None:
        """Until it is set."""
        await self._event.wait()


class End(Exception):
    """The generator has no more. Or it is none: its argument is what the event loop has to ask in its place."""


class Handover:
    """Between one generator in a thread and one task."""

    def __init__(self, cancelled: Cancelled) -> None:
        self._cancelled = cancelled
        self._change = threading.Condition()
        self._items: deque[tuple[int, object]] = deque()
        self._bytes = 0
        self._end: BaseException | None = None
        self._wanted: Signal | None = None

    @property
    def cancelled(self) -> bool:
        """Whether nobody wants more."""
        return self._cancelled.is_set()

    # --- the thread's side

    def put(self, item: object, size: int) -> bool:
        """Hand over an item of `size` bytes; waits while the task is behind. False: nobody wants it any more."""
        with self._change:
            self._change.wait_for(lambda: self._cancelled.is_set() or self._has_room(size))
            if self._cancelled.is_set():
                return False
            self._items.append((size, item))
            self._bytes += size
            self._tell()
            return True

    def end(self, error: BaseException) -> None:
        """Nothing more comes, `End` or for a reason."""
        with self._change:
            self._end = error
            self._tell()

    # --- the task's side

    async def take(self) -> object:
        """Wait for the next item.

        Raises:
            End: there is none.
            BaseException: what the generator raised.

        """
        while True:
            with self._change:
                if self._items:
                    size, item = self._items.popleft()
                    self._bytes -= size
                    self._change.notify_all()
                    return item
                if self._end is not None:
                    raise self._end
                self._wanted = wanted = Signal()
            await wanted.wait()

    def cancel(self) -> None:
        """Have the thread stop at its next yield."""
        self._cancelled.set()
        with self._change:
            self._items.clear()
            self._change.notify_all()

    def _has_room(self, size: int) -> bool:
        # One item always goes, whatever its size.
        return not self._items or (self._bytes + size <= AHEAD_BYTES and len(self._items) < AHEAD_ITEMS)

    def _tell(self) -> None:
        if self._wanted is not None:
            self._wanted.set()
            self._wanted = None
