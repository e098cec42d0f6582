"""`hoosh serve`: the ASGI application under an embedded hypercorn on trio, with signals and a drain that ends."""

import signal
import sys
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, cast

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config as HypercornConfig
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState

from hoosh import announce
from hoosh._environment import load
from hoosh._native import Config
from hoosh.asgi import Asgi, Receive, Send
from hoosh.errors import ConfigError
from hoosh.wire import MAX_HEAD, GuardedStream

Listeners = list[trio.SocketListener]

DRAIN_SECONDS = 30
"""How long requests in progress may take after SIGTERM; a caller that stopped reading must not hold the exit open."""
KEEP_ALIVE_SECONDS = 75
"""How long an idle connection is kept: longer than the pools of callers and proxies keep theirs (5 to 60 s), so that none
is closed under a request."""


def serve(
    config: Config, file: Path | None, bind: str | None = None, port: int | None = None, *, show_first: bool = False
) -> int:
    """Serve until a signal says to stop, on `bind` and `port` if they are given, else where `config` says.

    `show_first`: ask one question and show the answer. Returns the exit code.

    Raises:
        ConfigError: it must not be served there, or cannot be.

    """
    config = guarded(config.listening(bind, port))
    return trio.run(partial(_serve, Asgi(config), config, file, bind, port, show_first, lambda: load(file)[0]))


def serve_app(app: Asgi, config: Config, again: Callable[[], Config]) -> int:
    """Serve an application of this program where `config` says; at SIGHUP the configuration is what `again` gives.

    Raises:
        ConfigError: it must not be served there, or cannot be.

    """
    guarded(config)
    return trio.run(partial(_serve, app, config, "built in this program", None, None, False, again))


def guarded(config: Config) -> Config:
    """A configuration that may be served where it listens.

    Raises:
        ConfigError: others can reach the address, and there are no keys.

    """
    if reason := config.exposed():
        raise ConfigError(reason)
    return config


async def _serve(
    app: Asgi,
    config: Config,
    file: Path | str | None,
    bind: str | None,
    port: int | None,
    show_first: bool,
    again: Callable[[], Config],
) -> int:
    stop = trio.Event()
    listeners = await open_listeners(config.bind, config.port)
    async with trio.open_nursery() as nursery:
        reload = partial(_reload, app, config, again, bind, port)
        nursery.start_soon(_signals, app, reload, stop, nursery.cancel_scope)
        address = await nursery.start(listen, app, listeners, stop)
        announce.listening(config, file, address, app.driver.engines)
        nursery.start_soon(announce.found, app.driver, config, address + app.prefix)
        if show_first:
            from hoosh.first import first_answer

            nursery.start_soon(first_answer, address)
        await stop.wait()
        with trio.move_on_after(DRAIN_SECONDS + 5):
            while app.driver.gateway.open_exchanges():  # noqa: ASYNC110 - the count has no event, and this is the exit
                await trio.sleep(0.02)
        # Everything that began has ended or had its time; idle connections are being closed.
        await trio.sleep(0.2)
        nursery.cancel_scope.cancel()
    return 0


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
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `app` until `stop`, each connection behind the wire guard; starts with the address that it listens on.

    Connections are hypercorn's own `TCPServer`s: what `hypercorn.trio.serve` does, with another stream.
    """
    settings = HypercornConfig()
    settings.h11_max_incomplete_size = MAX_HEAD
    settings.keep_alive_timeout = KEEP_ALIVE_SECONDS
    settings.errorlog = None
    wires: dict[GuardedStream, WorkerContext] = {}

    async def connection(stream: trio.SocketStream) -> None:
        # hypercorn waits for the next request also of a peer that has closed. Its own word for "no more requests" ends
        # that: a context of its own has each connection told so by itself.
        context = WorkerContext(None)
        wire = GuardedStream(stream, context.terminated.set)

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
            serving.cancel_scope.deadline = trio.current_time() + DRAIN_SECONDS
        serving.cancel_scope.cancel()


async def _cut_at_the_end(wires: Iterable[GuardedStream]) -> None:
    """Cancelling does not end hypercorn's writes to callers that read nothing; closing their sockets does."""
    try:
        await trio.sleep_forever()
    finally:
        for wire in wires:
            wire.cut()


async def _signals(app: Asgi, reload: Callable[[], Awaitable[None]], stop: trio.Event, scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async for number in signals:
            if number == signal.SIGHUP:
                await reload()
            elif stop.is_set():
                scope.cancel()
            else:
                _say("Stopping: requests in progress may end. Signal again to stop at once.")
                app.driver.gateway.drain()
                stop.set()


async def _reload(app: Asgi, started: Config, again: Callable[[], Config], bind: str | None, port: int | None) -> None:
    """Take the configuration as it is now; the sockets stay as they were `started`, and the keys must be fit for them."""
    try:
        new = await trio.to_thread.run_sync(again)  # a command may take its time
        app.driver.reload(guarded(new.listening(started.bind, started.port)))
    except ConfigError as error:
        _say(f"Kept the configuration, because the new one is wrong: {error}")
        return
    _say("Reloaded the configuration.")
    then = new.listening(bind, port)
    if (then.bind, then.port) != (started.bind, started.port):
        _say(f"  It listens on {then.bind} port {then.port} from the next start, and until then where it did.")


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
