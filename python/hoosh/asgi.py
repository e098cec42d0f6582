"""The gateway as an ASGI application: `hypercorn -k trio hoosh.asgi:app`, or mounted in a Starlette or FastAPI host.

`app` reads `$HOOSH_CONFIG`, else `hoosh.toml` in the working directory, else what is found, when its first request or
its lifespan begins. `Asgi(config)` takes a configuration of yours.

Without keys it answers only under this machine's names: `[server] allowed_hosts` adds those of the host.

A host mounts it below any prefix: `Starlette(routes=[Mount("/ai", app)])`, or `host.mount("/ai", app)` of FastAPI. Hosts
hand no lifespan on, so that the gateway's own loop starts with the first request and ends with the event loop; a host whose
lifespan holds `async with app.running()` has it start and end in order.
"""

import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import anyio
import sniffio

from hoosh import store
from hoosh._driver import Driver, Engine, Headers, Took
from hoosh._driver.hooks import Hooks
from hoosh._driver.tasks import now
from hoosh._environment import load
from hoosh._native import Config, WireRefusal

if TYPE_CHECKING:
    from hoosh._driver.inside import Transport
    from hoosh._stores import Place
    from hoosh.edge import Front
    from hoosh.mounted import Mounts
    from hoosh.wire import GuardedStream

LOG = logging.getLogger("hoosh")
"""What engines and hooks of this process raise, which no caller sees."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


PART_BYTES = 64 << 10
"""Of a body, written at once: how much a slow caller must take before it is known to take anything."""


class Asgi:
    """An ASGI 3 application. One object is one gateway; it serves one event loop.

    Args:
        config: the configuration; None for `$HOOSH_CONFIG`, else `hoosh.toml` here, else what is found.
        place: that of the store; None: `docs/store.md` says when there is one.
        hooks: callables of providers, by name.
        engines: engines of this process, by their provider's name.
        prefix: the path below which it answers where no host mounts it, such as `/ai`.
        front: the native edge in front of it, where that answers.
        transport: who drives the calls of this process, see `Gateway`.

    """

    def __init__(
        self,
        config: Config | None = None,
        place: "Place | None" = None,
        *,
        hooks: Mapping[str, Hooks] | None = None,
        engines: "Mapping[str, Engine] | None" = None,
        prefix: str = "",
        front: "Front | None" = None,
        transport: "Transport" = "python",
    ) -> None:
        self._config, self._place, self._front = config, place, front
        self._hooks, self._engines, self._transport = hooks, engines, transport
        self.prefix = prefix
        """Where its paths begin; empty, or such as `/ai`."""
        self._end_alone: Callable[[], object] | None = None
        self._driver: Driver | None = None
        self._mounts: Mounts | None = None
        self._runs = False

    def behind_edge(self, config: Config) -> "Front":
        """Have the native edge answer where `config` says, instead of a server that calls this application.

        Raises:
            ConfigError: the address or the store is not to be had.

        """
        from hoosh.edge import opened_front

        hooked = [name for name, given in (self._hooks or {}).items() if given]
        place = self._place or store.place(config, "hoosh.asgi", needed=self._config is None and bool(config.budgets))
        self._front = opened_front(config, place, hooked, self.prefix)
        return self._front

    @property
    def driver(self) -> Driver:
        """The driver; made from the configuration at the first use."""
        if self._driver is None:
            # Who hands a configuration over says in it whether a file is written; an operator with budgets wants one.
            given, self._config = self._config, self._config if self._config is not None else load()[0]
            config = self._config
            place = self._place or store.place(config, "hoosh.asgi", needed=given is None and bool(config.budgets))
            self._driver = Driver(config, place, self._hooks, self._front, self._transport)
            for name, engine in (self._engines or {}).items():
                self._driver.register(name, engine)
        return self._driver

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one connection event, as ASGI says."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            if not self._runs and not self.driver.closed:
                await self._start_alone()
            wire: GuardedStream | None = scope.get("extensions", {}).get("hoosh.wire")
            caller = HttpCaller(receive, send, wire)
            if wire is not None and wire.refusal is not None and wire.stood_in(scope["path"]):
                await self.driver.refuse(caller, wire.refusal)
            else:
                headers = list(scope["headers"]) if wire is None else wire.headers(scope["headers"])
                caller = await self._answer({**scope, "headers": headers}, caller, receive, send, wire)
            if caller.was_cut and wire is None:
                raise ConnectionAbortedError("the caller took nothing for too long")
        elif scope["type"] == "websocket":
            if not self._runs and not self.driver.closed:
                await self._start_alone()
            wire = scope.get("extensions", {}).get("hoosh.wire")
            caller = HttpCaller(*as_http(scope, receive, send), wire)
            caller = await self._answer(scope, caller, receive, send, wire)
            if wire is not None:
                wire.stayed()
        else:
            raise ValueError(f"hoosh does not serve {scope['type']}")

    async def _answer(
        self,
        scope: MutableMapping[str, Any],
        caller: "HttpCaller",
        receive: Receive,
        send: Send,
        wire: "GuardedStream | None",
    ) -> "HttpCaller":
        """Answer a request, or have an application that is mounted do that; gives who was the caller then."""
        target = target_of(scope, self.prefix)
        doors, number = self.driver.begin(scope.get("method", "GET"), target, scope["headers"], neutral=False)
        given = doors.exchange.passage(*now()) if self._mounts is not None else None
        if given is None or self._mounts is None:
            await self.driver.go_on(doors, number, caller)
            return caller
        from hoosh.mounted import beside
        from hoosh.mounted.passage import Passage

        asked = beside.Asked(self._mounts, self.driver, doors, number, Passage(*given), scope)
        instead = beside.Instead(*caller.doors, wire)
        await beside.answer(asked, instead, receive, send, wire)
        return instead

    def open(self) -> None:
        """Open the driver, and load the applications that are mounted. `running` does, unless it was done.

        Raises:
            ConfigError: why it cannot be.

        """
        self.driver.open()
        config = self._config
        if self._mounts is None and config is not None and config.mounts:
            from hoosh.mounted import Mounts

            self._mounts = Mounts(config, self.driver.gateway, self.prefix)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the gateway's own loop, which a lifespan does otherwise, and what is mounted."""
        self._runs = True
        try:
            async with self._all_running():
                yield
        finally:
            self._runs = self.driver.runs

    @asynccontextmanager
    async def _all_running(self) -> AsyncIterator[None]:
        self.open()
        async with self.driver.running():
            if self._mounts is None:
                yield
                return
            async with self._mounts.running(self._front.edge if self._front is not None else None):
                yield

    def close(self) -> None:
        """Admit no request any more, and have what is not stored yet stored. May be called again, and from any thread."""
        self.driver.close()
        if self._end_alone is not None and not self.driver.elsewhere:
            # Its event loop may have ended before.
            with contextlib.suppress(RuntimeError):
                self._end_alone()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            self.open()  # here, so that a wrong configuration or a store in use ends the start
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        async with self.running():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _start_alone(self) -> None:
        """A host without a lifespan (a mounted application has none): the loop runs beside it."""
        self._runs = True
        if sniffio.current_async_library() == "trio":
            import trio

            trio.lowlevel.spawn_system_task(self._run_alone, trio.lowlevel.current_trio_token().run_sync_soon)
        else:
            import asyncio

            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._run_alone(loop.call_soon_threadsafe))

    async def _run_alone(self, soon: Callable[[Callable[[], None]], object]) -> None:
        """Until the event loop ends, or `close` says so; `soon` has this loop's thread do something."""
        with anyio.CancelScope() as scope:
            self._end_alone = partial(soon, scope.cancel)
            try:
                async with self._all_running():
                    await anyio.sleep_forever()
            finally:
                self._runs = False


def target_of(scope: MutableMapping[str, Any], prefix: str = "") -> str:
    """Path and query below the place where the application is mounted, in the form of a request line.

    A server decodes `path`, and hosts differ in what they leave of a mount in `raw_path`, so it is encoded again; where the
    server is ours, `raw_path` is what the caller wrote. `prefix` is that place where no host says so.
    """
    is_ours = "hoosh.wire" in scope.get("extensions", {})
    path: str = scope["raw_path"].decode("latin-1") if is_ours else scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    if root and path.startswith(root + "/"):
        path = path[len(root) :]
    if prefix and not root.endswith(prefix):
        path = path[len(prefix) :] if path.startswith(prefix + "/") else "/"
    path = path if is_ours else quote(path)
    query: bytes = scope.get("query_string", b"")
    return f"{path}?{query.decode('latin-1')}" if query else path


def as_http(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> tuple[Receive, Send]:
    """The handshake of a websocket as a request without a body: for whom it is refused, as a request is answered."""
    has_answers = "websocket.http.response" in scope.get("extensions", {})

    async def received() -> Message:
        message = await receive()
        if message["type"] == "websocket.connect":
            return {"type": "http.request", "body": b"", "more_body": False}
        return {"type": "http.disconnect"} if message["type"] == "websocket.disconnect" else message

    async def answered(message: Message) -> None:
        if has_answers:
            await send({**message, "type": f"websocket.{message['type']}"})
        elif message["type"] == "http.response.start":
            await send({"type": "websocket.close"})

    return received, answered


class HttpCaller:
    """A caller over ASGI; `wire` is its connection, where the server is ours."""

    joins = True

    def __init__(self, receive: Receive, send: Send, wire: "GuardedStream | None" = None) -> None:
        self._receive, self._send, self._wire = receive, send, wire
        self.was_cut = False
        self._unread: Message | None = None
        """A piece of the body that came while its leaving was watched for."""
        self._complete = False
        """Whether the server has the last of the answer, or is being given it."""

    @property
    def doors(self) -> tuple[Receive, Send]:
        """What the server gave for it."""
        return self._receive, self._send

    async def read(self, credit: int) -> tuple[bytes, bool] | WireRefusal | None:
        """See `Caller`. A server hands over one message at a time, about 64 KiB."""
        message = await (self._next() if self._wire is None else self._wire.message(self._next))
        if isinstance(message, WireRefusal):
            return message
        if message["type"] == "http.disconnect":
            return None
        return message.get("body", b""), not message.get("more_body", False)

    async def gone(self) -> None:
        """See `Caller`. Once an answer is complete a server says that the caller is gone, whether it is or not."""
        while (message := await self._receive())["type"] != "http.disconnect":
            if message.get("body") or message.get("more_body"):
                # Its body is not wanted yet, and what comes behind it is not looked at before it is.
                self._unread = message
                await anyio.sleep_forever()
        if self._complete:
            await anyio.sleep_forever()

    async def _next(self) -> Message:
        unread, self._unread = self._unread, None
        return await self._receive() if unread is None else unread

    async def go_on(self) -> None:
        """See `Caller`: other servers send `100 Continue` when the body is first asked for, or before."""
        if self._wire is not None:
            await self._wire.go_on()

    async def reply(self, status: int, headers: Headers, body: bytes, took: Took) -> None:
        """See `Caller`."""
        framing = [(b"content-length", str(len(body)).encode())]
        if self._wire is not None and self._wire.body_refusal:
            framing.append((b"connection", b"close"))
        await self.start(status, [*headers, *framing])
        await self._body(body, took, last=True)

    async def start(self, status: int, headers: Headers) -> None:
        """See `Caller`."""
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def emit(self, data: bytes, took: Took) -> None:
        """See `Caller`."""
        await self._body(data, took, last=False)

    async def finish(self) -> None:
        """See `Caller`."""
        self._complete = True
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def raised(self, error: Exception) -> None:
        """See `Caller`."""
        LOG.error("An engine or a hook failed", exc_info=error)

    def cut(self) -> None:
        """See `Caller`: ASGI has no word for it but an application that fails, when what it waits for ends."""
        self.was_cut = True
        if self._wire is not None:
            self._wire.cut()

    async def _body(self, data: bytes, took: Took, *, last: bool) -> None:
        for at in range(0, max(len(data), 1), PART_BYTES):
            part = data[at : at + PART_BYTES]
            more = not last or at + PART_BYTES < len(data)
            self._complete = not more
            await self._send({"type": "http.response.body", "body": part, "more_body": more})
            took(len(part))


app = Asgi()
