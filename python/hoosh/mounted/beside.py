"""Applications asked in this process, where hypercorn or a host's server has the public port."""

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio

from hoosh._driver.caller import Headers, Took
from hoosh._driver.doors import Doors
from hoosh._driver.tasks import task_group
from hoosh._native import WireRefusal
from hoosh.asgi import HttpCaller
from hoosh.mounted.mounts import Mounts
from hoosh.mounted.passage import Passage, scope_of
from hoosh.mounted.talk import SWITCHING, Message, Receive, Send, Talk

if TYPE_CHECKING:
    from hoosh._driver import Driver
    from hoosh.wire import GuardedStream


class Instead(HttpCaller):
    """The caller of an application as the exchange sees it that watches: what it says ends the application."""

    def __init__(self, receive: Receive, send: Send, wire: "GuardedStream | None") -> None:
        super().__init__(receive, send, wire)
        self.app_scope = anyio.CancelScope()
        self.app_over = anyio.Event()

    async def gone(self) -> None:
        """See `Caller`: whoever reads for the application tells the exchange."""
        await anyio.sleep_forever()

    async def reply(self, status: int, headers: Headers, body: bytes, took: Took) -> None:
        """See `Caller`."""
        self.app_scope.cancel()
        await self.app_over.wait()
        await super().reply(status, headers, body, took)

    def cut(self) -> None:
        """See `Caller`."""
        self.app_scope.cancel()
        super().cut()


class Watched:
    """What the exchange is told of an application's answer."""

    def __init__(self, doors: Doors, wire: "GuardedStream | None") -> None:
        self._doors, self._wire = doors, wire
        self.over = False
        """The exchange is over, and dropped."""

    def began(self, status: int) -> bool:
        """See `Watcher`."""
        may = not self.over and self._doors.exchange.mount_began(status)
        if may and self._wire is not None and status == SWITCHING:
            self._wire.switched()
        return may

    def ended(self) -> None:
        """See `Watcher`."""
        if self._wire is not None:
            self._wire.stayed()
        if not self.over:
            self._doors.exchange.mount_ended()
            self._doors.step()

    def failed(self) -> None:
        """See `Watcher`."""
        if not self.over:
            self._doors.exchange.mount_failed()
            self._doors.step()

    def left(self) -> None:
        """See `Watcher`."""
        if not self.over:
            self._doors.exchange.caller_gone()
            self._doors.step()

    def refused(self, refusal: WireRefusal) -> None:
        """The body of the request cannot be read on."""
        if not self.over:
            self._doors.exchange.refused(refusal)
            self._doors.step()


class Asked(NamedTuple):
    """A request that may pass, and the exchange that watches it."""

    mounts: Mounts
    driver: "Driver"
    doors: Doors
    number: int
    """By which the exchange is woken."""
    passage: Passage
    scope: MutableMapping[str, Any]


async def answer(asked: Asked, caller: Instead, receive: Receive, send: Send, wire: "GuardedStream | None") -> None:
    """Have an application answer over `send`, and `caller` be told what the exchange says instead, if it does."""
    mounts, driver, doors, number, passage, scope = asked
    app, shared = mounts.app(passage.mount)
    seen = scope_of(scope, passage, _root(mounts, scope), shared)
    watched = Watched(doors, wire)

    async def heard() -> Message:
        message: Message | WireRefusal = await (receive() if wire is None else wire.message(receive))
        if not isinstance(message, WireRefusal):
            return message
        watched.refused(message)
        while True:  # the exchange answers, and ends this
            await anyio.sleep_forever()

    async def given(message: Message) -> None:
        async with task_group() as tasks:
            if message["type"].startswith("http."):
                # As the exchange does where it writes itself. A server may shield its writes, which a closed socket ends.
                tasks.start_soon(cut_after, driver.gateway.caller_stall())
            await send(message)
            tasks.cancel_scope.cancel()

    async def cut_after(seconds: float) -> None:
        await anyio.sleep(seconds)
        watched.left()
        caller.cut()

    async def watch() -> None:
        try:
            await driver.go_on(doors, number, caller)
        finally:
            watched.over = True

    if wire is not None and any(name == b"expect" for name, _ in scope["headers"]):
        await wire.go_on()
    async with task_group() as tasks:
        tasks.start_soon(watch)
        try:
            with caller.app_scope:
                await Talk(passage, heard, given, watched).run(app, seen)
        finally:
            caller.app_over.set()


def _root(mounts: Mounts, scope: MutableMapping[str, Any]) -> str:
    root: str = scope.get("root_path", "").rstrip("/")
    return root if root.endswith(mounts.prefix) else root + mounts.prefix
