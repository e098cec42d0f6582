"""What is asked of a child, as the gateway sees it: filled by the thread that hears the child, emptied by a task."""

import threading
import time
from collections import deque
from typing import Any, Protocol

from hoosh._driver.handover import Signal
from hoosh.engines.host.child import AHEAD_BYTES
from hoosh.engines.host.frames import LARGEST, BadFrame, Message


class Ended(Exception):
    """Nothing more comes. Its argument is what was asked for, where that is one thing."""


class Failed(Exception):
    """The engine raised something in its process, whose words these are."""


class Died(Exception):
    """The process ended in the middle of the call."""


class Asked(Protocol):
    """Whoever hears the child."""

    def say(self, message: Message) -> None:
        """Tell it something."""


class Call:
    """One thing that is asked of a child."""

    def __init__(self, process: Asked, number: int) -> None:
        self._process, self.number = process, number
        self._lock = threading.Lock()
        self._items: deque[tuple[int, Any]] = deque()
        self._untold, self._ahead = 0, 0
        """Bytes that were taken and the child was not told of; bytes that it may think are still here."""
        self._end: Exception | None = None
        self._wanted: Signal | None = None
        self.left_at: float | None = None
        """Since when nobody wants it, of the monotonic clock."""

    # --- the thread's side

    def put(self, item: Any, size: int) -> None:
        """More came, in a message of `size` bytes.

        Raises:
            BadFrame: it is more than the child may send.

        """
        with self._lock:
            if self.left_at is not None:
                return
            self._ahead += size
            if self._ahead > AHEAD_BYTES + LARGEST:
                raise BadFrame("it says more than is taken")
            self._items.append((size, item))
            self._tell()

    def end(self, error: Exception) -> None:
        """Nothing more comes, `Ended` or for a reason."""
        with self._lock:
            self._end = self._end or error
            self._tell()

    # --- the task's side

    async def take(self) -> Any:
        """Wait for the next item.

        Raises:
            Ended: there is none.
            Exception: what ended it.

        """
        while True:
            with self._lock:
                if self._items:
                    size, item = self._items.popleft()
                    break
                if self._end is not None:
                    raise self._end
                self._wanted = wanted = Signal()
            await wanted.wait()
        self._took(size)
        return item

    def leave(self) -> None:
        """Nobody wants it any more."""
        with self._lock:
            if self._end is not None or self.left_at is not None:
                return
            self.left_at = time.monotonic()
            self._items.clear()
        self._process.say({"cancel": self.number})

    def _took(self, size: int) -> None:
        self._untold += size
        # Now and then, not for every word.
        if self._untold >= AHEAD_BYTES // 4:
            told, self._untold = self._untold, 0
            with self._lock:
                self._ahead -= told
            self._process.say({"took": told, "call": self.number})

    def _tell(self) -> None:
        if self._wanted is not None:
            self._wanted.set()
            self._wanted = None
