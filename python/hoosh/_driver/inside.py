"""Calls of this program that an edge drives in its threads: `transport="native"`.

Python hands over a request whole, and takes what there is of the answer: no exchange, upstream or timer is minded here. On an
event loop a call waits for its bell, in a thread without one for its thread's `Waiter`; then nothing here ever suspends, and
`finished` runs the same coroutines to their end.
"""

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, get_args

import anyio.lowlevel
import sniffio
import trio

from hoosh._driver.caller import Kept
from hoosh._native import InsideCall, Waiter
from hoosh.errors import ConfigError, HooshError, InvalidRequest, from_code

if TYPE_CHECKING:
    from hoosh._driver.driver import Driver

Transport = Literal["python", "native"]
"""Who drives the exchanges of this process: its event loop, or threads of the extension."""
THREADS = 1
"""Of an edge that listens nowhere. One drives more than a Python program asks."""

T = TypeVar("T")


def checked(transport: str) -> Transport:
    """A transport that there is.

    Raises:
        ConfigError: there is none of that name.

    """
    for known in get_args(Transport):
        if transport == known:
            return transport  # type: ignore[return-value]  # it is one of them
    known = ", ".join(repr(name) for name in get_args(Transport))
    raise ConfigError(f"no transport is called {transport!r}; there are {known}")


class Event(Protocol):
    """trio's or asyncio's, which costs a fraction of anyio's."""

    def set(self) -> None:
        """Have whoever waits go on."""

    async def wait(self) -> object:
        """Until it is set."""


class Turn:
    """The bell of a call on an event loop: rung when there is something to take, perhaps for nothing."""

    def __init__(self) -> None:
        self._make: Callable[[], Event] = trio.Event if sniffio.current_async_library() == "trio" else asyncio.Event
        self._event: Event = self._make()

    def ring(self) -> None:
        """See `Rings`."""
        self._event.set()

    async def wait(self) -> None:
        """Until it is rung."""
        await self._event.wait()
        self._event = self._make()


class Asked(Kept):
    """A call in progress, and what was taken of its answer."""

    def __init__(self, call: InsideCall, wait: Turn | Waiter) -> None:
        super().__init__()
        self.arrived: deque[bytes] = deque()
        """Pieces of the answer that nobody has looked at."""
        self.end: str | None = None
        """How it ended: see `InsideCall.take`."""
        self._call, self._wait = call, wait

    def take(self) -> bool:
        """Take what there is; whether that was anything."""
        head, pieces, end = self._call.take()
        if head is not None:
            self.status, self.headers = head
        self.arrived.extend(pieces)
        self.end = end
        return bool(head or pieces or end)

    async def more(self) -> None:
        """Wait for more, if there is nothing, and take it."""
        while not self.take():
            if isinstance(self._wait, Waiter):
                self._wait.wait()
            else:
                await self._wait.wait()
        if isinstance(self._wait, Turn):
            # What is there at once must not keep others from their turn.
            await anyio.lowlevel.checkpoint()

    async def whole(self) -> None:
        """Take all of it."""
        while self.end is None:
            await self.more()
        self.pieces = list(self.arrived)

    def failure(self) -> HooshError | None:
        """Why it is no answer, where no exchange says so."""
        if self.end == "cut":
            return cut_off()
        if self.end == "gone":
            return from_code("draining", 503, "The gateway ended before it had answered.")
        return None


def cut_off() -> HooshError:
    """Why a stream ends whose chunks nobody takes."""
    words = "The stream was cut off, because nobody took its chunks for [deadlines] caller_stall_secs."
    return from_code("request_timeout", 408, words)


@contextmanager
def asked(driver: "Driver", method: str, target: str, body: bytes, *, blocks: bool) -> Iterator[Asked]:
    """Ask; whoever leaves wants nothing more of it. `blocks`: without an event loop.

    Raises:
        ForkError: see `process`.
        InvalidRequest: from another event loop than the gateway's, or the gateway has just ended.

    """
    driver.check()
    number = driver.woken.number()
    wait = _waiter() if blocks else Turn()
    if isinstance(wait, Turn):
        _check_thread(driver)
        driver.woken.bells[number] = wait
    told = driver.woken.queue if isinstance(wait, Turn) else wait
    try:
        try:
            call = InsideCall(driver.inside, told, number, method, target, [], body, True)
        except ValueError as error:
            raise InvalidRequest("The gateway has ended.", code="invalid_value", status=400) from error
        caller = driver.callers[number] = Asked(call, wait)
        try:
            yield caller
        finally:
            call.cancel()
    finally:
        driver.callers.pop(number, None)
        driver.woken.bells.pop(number, None)


def _check_thread(driver: "Driver") -> None:
    if driver.thread != threading.get_ident():
        words = "A gateway is asked on the event loop that entered it. Enter another one here, or use SyncGateway."
        raise InvalidRequest(words, code="invalid_value", status=400)


def finished(work: Coroutine[Any, Any, T]) -> T:
    """Run what never suspends, because it blocks."""
    try:
        work.send(None)
    except StopIteration as over:
        value: T = over.value
        return value
    work.close()
    raise RuntimeError("a blocking call waited for an event loop")


_here = threading.local()


def _waiter() -> Waiter:
    """This thread's."""
    waiter: Waiter | None = getattr(_here, "waiter", None)
    if waiter is None:
        waiter = _here.waiter = Waiter()
    return waiter


def _forked() -> None:
    # Its socket is the parent's too.
    global _here
    _here = threading.local()


os.register_at_fork(after_in_child=_forked)
