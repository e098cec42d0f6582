"""hypercorn on trio in this process, behind the wire guard: the portable server, which answers where the edge is off."""

import sys
from collections.abc import Iterable
from functools import partial
from typing import Any, cast

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config as HypercornConfig
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState

from hoosh.asgi import Asgi, Receive, Send
from hoosh.errors import ConfigError
from hoosh.server import LAST_WORDS_SECONDS
from hoosh.wire import MAX_HEAD, GuardedStream

Listeners = list[trio.SocketListener]

KEEP_ALIVE_SECONDS = 75
"""How long an idle connection is kept: longer than the pools of callers and proxies keep theirs (5 to 60 s), so that none
is closed under a request."""


async def open_listeners(bind: str, port: int) -> Listeners:
    """Open the sockets to listen on.

    Raises:
        ConfigError: the address is taken, not ours, or none.

    """
    try:
        return await trio.open_tcp_listeners(port, host=bind)
    except (OSError, UnicodeError) as error:  # a host name that cannot be one is a `UnicodeError`
        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"Cannot listen on {bind} port {port}: {why}. Choose with --bind and --port.") from error


async def listen(
    app: Asgi,
    listeners: Listeners,
    stop: trio.Event,
    hurry: trio.Event | None = None,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `app` until `stop`, each connection behind the wire guard; starts with the address that it listens on.

    Then requests in progress have `drain_secs`, or until `hurry`; callers who still wait are told, and after
    `LAST_WORDS_SECONDS` cut off.

    Connections are hypercorn's own `TCPServer`s: what `hypercorn.trio.serve` does, with another stream.
    """
    settings = HypercornConfig()
    settings.h11_max_incomplete_size = MAX_HEAD
    settings.keep_alive_timeout = KEEP_ALIVE_SECONDS
    # hypercorn closes after 1,000 requests without a word, under the next one if that is quick.
    settings.keep_alive_max_requests = sys.maxsize
    settings.errorlog = None
    wires: dict[GuardedStream, WorkerContext] = {}

    async def connection(stream: trio.SocketStream) -> None:
        # hypercorn waits for the next request also of a peer that has closed. Its own word for "no more requests" ends
        # that: a context of its own has each connection told so by itself.
        context = WorkerContext(None)
        wire = GuardedStream(stream, context.terminated.set, app.driver.gateway, app.prefix)

        async def behind(scope: Any, receive: Receive, send: Send) -> None:
            scope["extensions"]["hoosh.wire"] = wire
            await app(scope, receive, send)

        wires[wire] = context
        if stop.is_set():
            await context.terminated.set()
        try:
            # hypercorn asks for an SSL stream, and for a socket stream finds out by itself.
            await TCPServer(ASGIWrapper(cast(Any, behind)), settings, context, ConnectionState({}), cast(Any, wire))
        finally:
            del wires[wire]

    address = listeners[0].socket.getsockname()
    async with app.running(), trio.open_nursery() as serving:
        serving.start_soon(_cut_at_the_end, wires)
        async with trio.open_nursery() as connections:
            async with trio.open_nursery() as accepting:
                accepting.start_soon(partial(trio.serve_listeners, connection, listeners, handler_nursery=connections))
                task_status.started(f"http://{f'[{address[0]}]' if ':' in address[0] else address[0]}:{address[1]}")
                await stop.wait()
                accepting.cancel_scope.cancel()
            for context in wires.values():
                await context.terminated.set()
            serving.start_soon(_give_time, app, trio.Event() if hurry is None else hurry, serving.cancel_scope)
        serving.cancel_scope.cancel()


async def _give_time(app: Asgi, hurry: trio.Event, serving: trio.CancelScope) -> None:
    """Let requests in progress end; then have them told that there is no more time, and cut off who does not listen."""
    with trio.move_on_after(app.driver.gateway.way_down()[1]):
        await hurry.wait()
    app.driver.stop()
    await trio.sleep(LAST_WORDS_SECONDS)
    serving.cancel()


async def _cut_at_the_end(wires: Iterable[GuardedStream]) -> None:
    """Cancelling does not end hypercorn's writes to callers that read nothing; closing their sockets does."""
    try:
        await trio.sleep_forever()
    finally:
        for wire in wires:
            wire.cut()
