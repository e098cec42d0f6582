"""What a driver needs of an event loop: its clocks, tasks, and two ways to wait."""

import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, cast

import anyio
import sniffio
import trio


def now() -> tuple[int, int]:
    """Both clocks, monotonic and wall, microseconds."""
    return time.monotonic_ns() // 1000, time.time_ns() // 1000


class Tasks(Protocol):
    """A task group, anyio's or trio's."""

    @property
    def cancel_scope(self) -> trio.CancelScope | anyio.CancelScope:
        """Its scope."""

    def start_soon(self, run: Callable[..., Awaitable[Any]], *arguments: Any) -> object:
        """Start a task."""


def task_group() -> AbstractAsyncContextManager[Tasks]:
    """anyio's, or where trio runs trio's own, which costs a quarter."""
    if sniffio.current_async_library() == "trio":
        return trio.open_nursery()
    return cast(AbstractAsyncContextManager[Tasks], anyio.create_task_group())


class Rings(Protocol):
    """Whoever can be woken."""

    def ring(self) -> None:
        """Have it look again."""


Bells = dict[int, Rings]
"""By the number of what they wake."""


class Bell:
    """A wake-up that may come early, late or twice."""

    def __init__(self) -> None:
        self._event = anyio.Event()
        self.under: Bells = {}
        """Those that are rung with it."""

    def ring(self) -> None:
        """Have the waiting loop look again."""
        self._event.set()
        for bell in self.under.values():
            bell.ring()

    async def wait(self, until_us: int | None) -> None:
        """Wait for a ring, or for a time of the monotonic clock."""
        if until_us is None:
            await self._event.wait()
        else:
            with anyio.move_on_after(max(0, until_us - now()[0]) / 1e6):
                await self._event.wait()
        self._event = anyio.Event()


class Credit:
    """Bytes that may still be handed over; whoever has none waits."""

    def __init__(self) -> None:
        self._bytes = 0
        self._more: anyio.Event | None = None
        self.told: Callable[[], None] | None = None
        """Called when there is more."""

    @property
    def left(self) -> int:
        """Bytes that there is credit for now."""
        return self._bytes

    def add(self, size: int) -> None:
        """Credits add up."""
        self._bytes += size
        if self._more is not None:
            self._more.set()
        if self.told is not None:
            self.told()

    def spend(self, size: int) -> None:
        """So many of those that were left were handed over."""
        self._bytes = max(0, self._bytes - size)

    async def take(self, wanted: int) -> int:
        """Wait for credit, and take as much of it as is wanted."""
        while self._bytes == 0:
            self._more = anyio.Event()
            await self._more.wait()
        taken = min(wanted, self._bytes)
        self._bytes -= taken
        return taken


class Pieces:
    """Pieces of a body on their way to whoever writes them; as many as the exchange lets be under way."""

    def __init__(self) -> None:
        self._pieces: deque[bytes | None] = deque()
        self._more: anyio.Event | None = None

    def put(self, piece: bytes | None) -> None:
        """Add one; None is the end."""
        self._pieces.append(piece)
        if self._more is not None:
            self._more.set()

    async def take(self) -> bytes | None:
        """Wait for the next."""
        while not self._pieces:
            self._more = anyio.Event()
            await self._more.wait()
        return self._pieces.popleft()
