"""`hoosh serve`: the native edge, or an embedded hypercorn, with signals, reloads and a drain that ends."""

import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import trio

from hoosh import _early, announce, store
from hoosh._driver.engines import declared
from hoosh._environment import load
from hoosh._native import Config, Edge
from hoosh.asgi import Asgi
from hoosh.edge import HOLDER, Front, guarded
from hoosh.errors import ConfigError

if TYPE_CHECKING:
    from hoosh.alone import Alone

LAST_WORDS_SECONDS = 3
"""How long callers may take to read that the time of their requests is up. One that reads nothing is cut off then: it must
not hold the exit open."""
QUIET_LOOKS = 10
"""So many looks in a row that find no request in progress are the end: one that just came has its answer by then."""


CLOSE_SECONDS = 1.0
"""How long callers with an answer may take to read the rest of it."""
LOOK_SECONDS = 0.02
"""How often the end is looked for meanwhile."""


def serve(
    config: Config,
    file: Path | None,
    bind: str | None = None,
    port: int | None = None,
    *,
    show_first: bool = False,
    front: Front | None = None,
    alone: "Alone | None" = None,
) -> int:
    """Serve until a signal says to stop, on `bind` and `port` if they are given, else where `config` says.

    `show_first`: ask one question and show the answer. `front`: the edge that listens already, of this `config`; without,
    hypercorn answers. `alone`: it answers already, and this has been done. Returns the exit code.

    Raises:
        ConfigError: it must not be served there, or cannot be, or its store is not to be had.

    """
    config = guarded(config.listening(bind, port))
    place = None if front is not None else store.place(config, HOLDER, needed=True)
    app = Asgi(config, place, front=front)
    if alone is not None:
        app.driver.engines.adopt(declared(config), alone.engines)
    served = Served(app, config, file, bind, port, lambda: load(file)[0], front, alone)
    return trio.run(_serve, served, show_first)


def serve_app(app: Asgi, config: Config, again: Callable[[], Config], *, edge: bool = True) -> int:
    """Serve an application of this program where `config` says; at SIGHUP the configuration is what `again` gives.

    Raises:
        ConfigError: it must not be served there, or cannot be.

    """
    guarded(config)
    front = app.behind_edge(config) if edge else None
    return trio.run(_serve, Served(app, config, "built in this program", None, None, again, front, None), False)


class Served(NamedTuple):
    """What is served, where it came from, and who answers."""

    app: Asgi
    config: Config
    file: Path | str | None
    bind: str | None
    port: int | None
    again: Callable[[], Config]
    front: Front | None
    alone: "Alone | None"


async def _serve(served: Served, show_first: bool) -> int:
    app, config, file, alone = served.app, served.config, served.file, served.alone
    stop, hurry = trio.Event(), trio.Event()
    answer = await _listener(served, stop, hurry)
    app.open()
    say = announce.Voice(app.driver.gateway, app.driver.log)
    with say.hearing():
        async with trio.open_nursery() as nursery:
            reloads = Reloads(partial(_reload, served, say))
            before = alone.signals.take if alone is not None else list
            nursery.start_soon(_signals, app, say, reloads, stop, hurry, nursery, before)
            address = await nursery.start(answer)
            if alone is None:
                announce.listening(say, config, file, address, app.driver.engines, app.driver.store.path)
            if alone is None or not alone.announced:
                nursery.start_soon(_found, say, app, config, file, address + app.prefix)
            nursery.start_soon(reloads.run)
            if show_first:
                from hoosh.first import first_answer

                nursery.start_soon(first_answer, say, app.driver, config, address, stop)
            await stop.wait()
            # Whoever answers sees to it that whatever began ends in its time.
            quiet = 0
            while quiet < QUIET_LOOKS:
                await trio.sleep(LOOK_SECONDS)
                quiet = 0 if app.driver.gateway.open_exchanges() else quiet + 1
            if served.front is not None:
                with trio.move_on_after(CLOSE_SECONDS):
                    await _no_connections(served.front.edge)
            nursery.cancel_scope.cancel()
    return 0


async def _found(say: announce.Say, app: Asgi, config: Config, file: Path | str | None, address: str) -> None:
    with trio.move_on_after(announce.LIST_SECONDS):
        await app.driver.listed()
    announce.found(say, app.driver.gateway, config, file, address)


async def _listener(served: Served, stop: trio.Event, hurry: trio.Event) -> Callable[..., Awaitable[None]]:
    """What answers: the edge, or hypercorn, whose sockets are opened here."""
    if served.front is not None:
        return partial(answer, served.app, served.front.edge, stop, hurry, accepts=served.alone is None)
    from hoosh import embedded

    listeners = await embedded.open_listeners(served.config.bind, served.config.port)
    return partial(embedded.listen, served.app, listeners, stop, hurry)


async def answer(
    app: Asgi,
    edge: Edge,
    stop: trio.Event,
    hurry: trio.Event,
    *,
    accepts: bool = True,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Have the edge answer until `stop`, where it does not yet (`accepts`); starts with the address that it listens on.

    Then requests in progress have `drain_secs`, or until `hurry`; callers who still wait are told, and after
    `LAST_WORDS_SECONDS` cut off.
    """
    async with app.running():
        if accepts:
            edge.accept()
        host, port = edge.address
        task_status.started(f"http://{f'[{host}]' if ':' in host else host}:{port}")
        await stop.wait()
        edge.close()
        with trio.move_on_after(app.driver.gateway.way_down()[1]):
            await hurry.wait()
        app.driver.stop()
        await trio.sleep(LAST_WORDS_SECONDS)
        edge.cut()
        await trio.sleep_forever()


async def _no_connections(edge: Edge) -> None:
    while edge.connections:  # noqa: ASYNC110 - its threads know no event of this loop's
        await trio.sleep(LOOK_SECONDS)


async def _go_down(app: Asgi, stop: trio.Event, hurry: trio.Event) -> None:
    """Deny readiness, let load balancers see it, then take nothing new."""
    app.driver.gateway.settle()
    with trio.move_on_after(app.driver.gateway.way_down()[0]):
        await hurry.wait()
    app.driver.gateway.drain()
    stop.set()


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
    before: Callable[[], list[int]],
) -> None:
    """Act on signals; `before` gives those that were noted before they are heard here."""
    going = 0

    def act(number: int) -> None:
        nonlocal going
        if number == _early.HANGUP:
            reloads.ask()
            return
        reloads.give_up()
        going += 1
        if going == 1:
            say("Stopping: requests in progress may end. Signal again to stop at once.")
            nursery.start_soon(_go_down, app, stop, hurry)
        elif going == 2:
            hurry.set()
        else:
            nursery.cancel_scope.cancel()

    numbers = [number for number in (signal.SIGTERM, signal.SIGINT, _early.HANGUP) if number is not None]
    with trio.open_signal_receiver(*numbers) as signals:
        for number in before():
            act(number)
        if _early.reload_asked():
            reloads.ask()
        async for number in signals:
            act(number)


async def _reload(served: Served, say: announce.Say) -> None:
    """Take the configuration as it is now; the sockets stay as they were opened, and the keys must be fit for them."""
    from hoosh import _credential

    driver, started = served.app.driver, served.config
    try:
        with _credential.while_waiting():
            # A command may take its time, and a signal to end does not wait for it.
            new = await trio.to_thread.run_sync(served.again, abandon_on_cancel=True)
        new_here = guarded(new.listening(started.bind, started.port)).mounting(started)
        engines = await trio.to_thread.run_sync(driver.engines_of, new_here, abandon_on_cancel=True)
        driver.reload(new_here, engines)
    except ConfigError as error:
        say(f"Kept the configuration, because the new one is wrong: {error}", "error")
        return
    say("Reloaded the configuration.")
    if new.mounts != started.mounts:
        say("  What is mounted changes with the next start.")
    then = new.listening(served.bind, served.port)
    if (then.bind, then.port) != (started.bind, started.port):
        say(f"  It listens on {then.bind} port {then.port} from the next start, and until then where it did.")
