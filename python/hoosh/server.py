"""`hoosh serve`: the ASGI application under an embedded hypercorn on trio, with signals and a drain that ends."""

import signal
import sys
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config as HypercornConfig
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState

from hoosh import _early, announce, store
from hoosh._environment import load
from hoosh._native import Config
from hoosh.asgi import Asgi, Receive, Send
from hoosh.errors import ConfigError
from hoosh.wire import MAX_HEAD, GuardedStream

Listeners = list[trio.SocketListener]

LAST_WORDS_SECONDS = 3
"""How long callers may take to read that the time of their requests is up. One that reads nothing is cut off then: it must
not hold the exit open."""
QUIET_LOOKS = 10
"""So many looks in a row that find no request in progress are the end: one that just came has its answer by then."""
KEEP_ALIVE_SECONDS = 75
"""How long an idle connection is kept: longer than the pools of callers and proxies keep theirs (5 to 60 s), so that none
is closed under a request."""


def serve(
    config: Config, file: Path | None, bind: str | None = None, port: int | None = None, *, show_first: bool = False
) -> int:
    """Serve until a signal says to stop, on `bind` and `port` if they are given, else where `config` says.

    `show_first`: ask one question and show the answer. Returns the exit code.

    Raises:
        ConfigError: it must not be served there, or cannot be, or its store is not to be had.

    """
    config = guarded(config.listening(bind, port))
    return trio.run(
        partial(
            _serve,
            Asgi(config, store.place(config, "hoosh serve", needed=True)),
            config,
            file,
            bind,
            port,
            show_first,
            lambda: load(file)[0],
        )
    )


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
    stop, hurry = trio.Event(), trio.Event()
    listeners = await open_listeners(config.bind, config.port)
    app.driver.open()
    say = announce.Voice(app.driver)
    with say.hearing():
        async with trio.open_nursery() as nursery:
            reloads = Reloads(partial(_reload, app, say, config, again, bind, port))
            nursery.start_soon(_signals, app, say, reloads, stop, hurry, nursery)
            address = await nursery.start(partial(listen, app, listeners, stop, hurry=hurry))
            announce.listening(say, config, file, address, app.driver.engines, app.driver.store.path)
            nursery.start_soon(announce.found, say, app.driver, config, file, address + app.prefix)
            nursery.start_soon(reloads.run)
            if show_first:
                from hoosh.first import first_answer

                nursery.start_soon(first_answer, say, app.driver, config, address, stop)
            await stop.wait()
            # `listen` sees to it that whatever began ends in its time.
            quiet = 0
            while quiet < QUIET_LOOKS:
                await trio.sleep(0.02)
                quiet = 0 if app.driver.gateway.open_exchanges() else quiet + 1
            nursery.cancel_scope.cancel()
    return 0


async def _go_down(app: Asgi, stop: trio.Event, hurry: trio.Event) -> None:
    """Deny readiness, let load balancers see it, then take nothing new."""
    app.driver.gateway.settle()
    with trio.move_on_after(app.driver.gateway.way_down()[0]):
        await hurry.wait()
    app.driver.gateway.drain()
    stop.set()


async def _give_time(app: Asgi, hurry: trio.Event, serving: trio.CancelScope) -> None:
    """Let requests in progress end; then have them told that there is no more time, and cut off who does not listen."""
    with trio.move_on_after(app.driver.gateway.way_down()[1]):
        await hurry.wait()
    app.driver.stop()
    await trio.sleep(LAST_WORDS_SECONDS)
    serving.cancel()


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
            serving.start_soon(_give_time, app, trio.Event() if hurry is None else hurry, serving.cancel_scope)
        serving.cancel_scope.cancel()


async def _cut_at_the_end(wires: Iterable[GuardedStream]) -> None:
    """Cancelling does not end hypercorn's writes to callers that read nothing; closing their sockets does."""
    try:
        await trio.sleep_forever()
    finally:
        for wire in wires:
            wire.cut()


class Reloads:
    """The reloads, beside whoever hears the signals, one after another: what is asked for during one is done once after it."""

    def __init__(self, reload: Callable[[], Awaitable[None]]) -> None:
        self._reload, self._scope = reload, trio.CancelScope()
        self._asking, self._asked = trio.open_memory_channel[None](1)

    async def run(self) -> None:
        """Do what is asked for, until it is given up."""
        with self._scope:
            async for _ in self._asked:
                await self._reload()

    def ask(self) -> None:
        """Have the configuration read again."""
        with suppress(trio.WouldBlock):  # one that has not begun will read what is there by then
            self._asking.send_nowait(None)

    def give_up(self) -> None:
        """Abandon the one in progress, and do no other."""
        self._scope.cancel()


async def _signals(
    app: Asgi,
    say: announce.Say,
    reloads: Reloads,
    stop: trio.Event,
    hurry: trio.Event,
    nursery: trio.Nursery,
) -> None:
    going = 0
    numbers = [number for number in (signal.SIGTERM, signal.SIGINT, _early.HANGUP) if number is not None]
    with trio.open_signal_receiver(*numbers) as signals:
        if _early.reload_asked():
            reloads.ask()
        async for number in signals:
            if number == _early.HANGUP:
                reloads.ask()
                continue
            reloads.give_up()
            going += 1
            if going == 1:
                say("Stopping: requests in progress may end. Signal again to stop at once.")
                nursery.start_soon(_go_down, app, stop, hurry)
            elif going == 2:
                hurry.set()
            else:
                nursery.cancel_scope.cancel()


async def _reload(
    app: Asgi, say: announce.Say, started: Config, again: Callable[[], Config], bind: str | None, port: int | None
) -> None:
    """Take the configuration as it is now; the sockets stay as they were `started`, and the keys must be fit for them."""
    from hoosh import _credential

    try:
        with _credential.while_waiting():
            # A command may take its time, and a signal to end does not wait for it.
            new = await trio.to_thread.run_sync(again, abandon_on_cancel=True)
        new_here = guarded(new.listening(started.bind, started.port))
        engines = await trio.to_thread.run_sync(app.driver.engines_of, new_here, abandon_on_cancel=True)
        app.driver.reload(new_here, engines)
    except ConfigError as error:
        say(f"Kept the configuration, because the new one is wrong: {error}", "error")
        return
    say("Reloaded the configuration.")
    then = new.listening(bind, port)
    if (then.bind, then.port) != (started.bind, started.port):
        say(f"  It listens on {then.bind} port {then.port} from the next start, and until then where it did.")
