"""What an application and its server say to each other, for one request."""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

import anyio

from hoosh._driver.tasks import task_group
from hoosh.mounted.lifespan import App
from hoosh.mounted.passage import Passage, answered

LOG = logging.getLogger("hoosh")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

FAILED = b"Internal Server Error\n"
SWITCHING = 101
NORMAL, INTERNAL_ERROR = 1000, 1011
"""RFC 6455 section 7.4.1."""


class Watcher(Protocol):
    """Whoever is told how far an answer is."""

    def began(self, status: int) -> bool:
        """It is about to begin; False: it must not."""

    def ended(self) -> None:
        """It is complete."""

    def failed(self) -> None:
        """It broke off."""

    def left(self) -> None:
        """The caller is gone, and it is not complete."""


class Talk:
    """One request of an application, over HTTP or a websocket.

    All that the server has to say is taken as it comes, one message ahead of the application: a server that cannot get rid of
    what a caller sends neither ends an answer nor sees the caller leave.
    """

    def __init__(self, passage: Passage, receive: Receive, send: Send, watcher: Watcher | None = None) -> None:
        self._passage, self._take, self._give, self._watcher = passage, receive, send, watcher
        self._change = anyio.Condition()
        self._kept: Message | None = None
        self._over: Message | None = None
        """What the application hears when there is nothing else to be heard."""
        self._started = self._accepted = self._complete = self._gone = False

    async def run(self, app: App, scope: MutableMapping[str, Any]) -> None:
        """Have `app` answer. What it raises is logged, and the caller told as far as that can be."""
        has_failed = False
        async with task_group() as tasks:
            tasks.start_soon(self._hear, scope["type"])
            try:
                await app(scope, self._receive, self._send)
            except Exception as error:
                has_failed = True
                LOG.error("The application at %s failed", self._passage.mount, exc_info=error)
            await self._end(scope["type"], has_failed=has_failed)
            tasks.cancel_scope.cancel()

    async def _hear(self, kind: str) -> None:
        while True:
            message = await self._take()
            if message["type"] == f"{kind}.disconnect":
                self._gone = True
                if not self._complete and self._watcher is not None:
                    # Of a websocket this is its usual end.
                    self._watcher.ended() if self._accepted else self._watcher.left()
                await self._say_over(message)
                return
            async with self._change:
                while self._kept is not None and self._over is None:
                    await self._change.wait()
                if self._over is None:
                    self._kept = message
                    self._change.notify_all()

    async def _say_over(self, message: Message) -> None:
        async with self._change:
            self._over = self._over or message
            self._change.notify_all()

    async def _receive(self) -> Message:
        async with self._change:
            while self._kept is None and self._over is None:
                await self._change.wait()
            message, self._kept = self._kept, None
            self._change.notify_all()
        if message is not None:
            return message
        assert self._over is not None
        return dict(self._over)

    async def _send(self, message: Message) -> None:
        if self._gone or self._complete:
            return
        match message["type"]:
            case "http.response.start" | "websocket.http.response.start":
                headers = answered(message.get("headers", ()), self._passage.request_id)
                await self._begin(int(message["status"]), {**message, "headers": headers})
            case "http.response.body" | "websocket.http.response.body" if not message.get("more_body", False):
                await self._finish(message, "http.disconnect")
            case "websocket.accept":
                await self._begin(SWITCHING, message)
                self._accepted = True
            case "websocket.close":
                if not self._accepted:
                    await self._allowed(403)
                await self._finish(message, "websocket.disconnect")
            case _:
                await self._give(message)

    async def _begin(self, status: int, message: Message) -> None:
        await self._allowed(status)
        await self._give(message)
        self._started = True

    async def _allowed(self, status: int) -> None:
        if self._watcher is not None and not self._watcher.began(status):
            await anyio.sleep_forever()  # the gateway answers instead, and ends this

    async def _finish(self, message: Message, over: str) -> None:
        is_whole = self._started or message["type"] == "websocket.close"
        # Before the server has it, which may wait for the rest of the request to be taken.
        await self._say_over({"type": over, "code": NORMAL} if over.startswith("websocket") else {"type": over})
        self._complete = is_whole  # and the server may say that the caller is gone once it has it
        await self._give(message)
        if self._watcher is not None:
            self._watcher.ended()

    async def _end(self, kind: str, *, has_failed: bool) -> None:
        """The application is done: say for it what it did not."""
        if self._gone or self._complete:
            return
        if self._accepted:
            await self._send({"type": "websocket.close", "code": INTERNAL_ERROR if has_failed else NORMAL})
        elif self._started:
            await self._say_over({"type": "http.disconnect"})
            if self._watcher is not None:
                self._watcher.failed()
        else:
            before = "websocket." if kind == "websocket" else ""
            headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(FAILED))]
            await self._send({"type": f"{before}http.response.start", "status": 500, "headers": headers})
            await self._send({"type": f"{before}http.response.body", "body": FAILED})
