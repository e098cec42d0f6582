"""The places of one engine: how many calls it answers at once, and the threads that did not come back."""

import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio

from hoosh._driver.aside import aside
from hoosh.engines.refused import Refused

THREADS = 64
"""Calls of one engine that may block at once; the next one waits."""
MOST_LEFT = 8
"""Threads left behind, after which an engine is asked no more until one comes back."""
LEFT_SECONDS = 1.0
"""A thread that goes on for longer, though nobody wants its answer, is left behind. Until then it is on its way out."""


class Places:
    """How many calls an engine answers at once. A thread keeps its place until it has ended, wanted or not."""

    def __init__(self, concurrency: int | None) -> None:
        self._most = concurrency
        self._limiter: anyio.CapacityLimiter | None = None
        self._lock = threading.Lock()
        self._unwanted: dict[object, float] = {}
        """Threads whose answer nobody wants, and since when."""

    def check(self) -> None:
        """There is a thread to be had.

        Raises:
            Refused: too many were left behind.

        """
        late = time.monotonic() - LEFT_SECONDS
        with self._lock:
            left = sum(since <= late for since in self._unwanted.values())
        if left >= min(MOST_LEFT, self._most or MOST_LEFT):
            words = f"The engine does not come back from {left} earlier requests. Its operator must look at it."
            raise Refused(503, words, code="engine_stuck")

    @property
    def unwanted(self) -> int:
        """Threads that go on though nobody wants their answer."""
        with self._lock:
            return len(self._unwanted)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A place for what runs on the event loop: unless the engine says otherwise, there is room for all."""
        if self._most is None:
            yield
            return
        async with self._limit():
            yield

    async def thread(self, work: Callable[..., Any], *given: Any, wanted: bool = False) -> Any:
        """What `work` returns or raises, in a thread; when cancelled, that goes on, left behind unless its work is `wanted`."""
        me, begun, over = object(), False, False

        def run() -> tuple[Any]:
            nonlocal begun, over
            with self._lock:
                if over:
                    return (None,)
                begun = True
            try:
                return (work(*given),)  # in a tuple: what is awaitable may not leave trio's threads
            except Exception:
                raise
            except BaseException as error:  # `sys.exit()` there ends nothing here
                raise RuntimeError(f"it raised {error!r}") from error
            finally:
                with self._lock:
                    over = True
                    self._unwanted.pop(me, None)

        try:
            (made,) = await aside(run, limiter=self._limit())
            return made
        except BaseException:
            with self._lock:
                if not over:
                    over = not begun
                    if begun and not wanted:
                        self._unwanted[me] = time.monotonic()
            raise

    def _limit(self) -> anyio.CapacityLimiter:
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(min(THREADS, self._most or THREADS))
        return self._limiter
