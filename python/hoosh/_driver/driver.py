"""One gateway on one event loop."""

import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread

from hoosh._driver import inside, loop, process
from hoosh._driver.caller import Caller, Headers, Kept
from hoosh._driver.connections import Connections
from hoosh._driver.doors import Doors
from hoosh._driver.engine import Engine
from hoosh._driver.engines import Engines, Made, declared
from hoosh._driver.exchange import drive
from hoosh._driver.hooks import Hooks, Runner
from hoosh._driver.host import Host
from hoosh._driver.inside import Transport
from hoosh._driver.log import Log
from hoosh._driver.native import Native
from hoosh._driver.tasks import Tasks, now, task_group
from hoosh._driver.woken import Woken
from hoosh._native import Config, Edge, Gateway, MemoryStore, NativeEngine, Store, WireRefusal
from hoosh._stores import KEPT_ROWS, Place, opened
from hoosh.edge import Front
from hoosh.errors import InvalidRequest

LIST_SECONDS = 10
"""How long engines have to say what they serve, as providers over HTTP have."""
LIST_LOOK_SECONDS = 0.02
"""How often the edge is asked for that meanwhile."""


class Driver:
    """A gateway, its store, its engines and hooks, and its connections. It belongs to the process that made it."""

    def __init__(
        self,
        config: Config,
        place: Place | None = None,
        hooks: Mapping[str, Hooks] | None = None,
        front: Front | None = None,
        transport: Transport = "python",
    ) -> None:
        """With `place`, the store is the file there, opened while the gateway runs; else it is in memory.

        With `front` there are a gateway and a store already, and the edge runs the gateway's loop. With the `transport`
        `native` an edge does that too, one that listens nowhere if none was given, and drives the calls of this process.
        """
        self._birth = process.Birth()
        self._hooked = [name for name, given in (hooks or {}).items() if given]
        self.hooks = Runner(hooks or {})
        self.gateway = front.gateway if front else Gateway(config.hooked(self._hooked), secrets.randbits(64))
        self._front, self.transport = front, transport
        self.edge = front.edge if front is not None else self._nowhere()
        self.store: MemoryStore | Store = front.store if front is not None else MemoryStore(KEPT_ROWS)
        self._config, self._place = config, place
        self._is_open = False
        self.connections = Connections()
        gateway = self.gateway  # not `self`: a driver that is dropped goes at once
        self.log: Log | Edge = self.edge or Log(lambda number, error: gateway.logged(number, error, *now()))
        self.woken = Woken(loop.NUMBER)
        self.callers: dict[int, Kept] = {}
        """Of this process, whose calls the edge drives, by number."""
        self.thread = 0
        """That of the event loop on which it runs."""
        self.engines = Engines(_reporter(self.gateway), _wrapper(self.gateway, self.woken), self.edge)
        """By the provider's name; those of the configuration are made when it is opened."""
        self._loop: loop.Loop | None = None
        self._tasks: Tasks | None = None
        """Work for as long as it runs."""
        self.runs = False
        """Whether the gateway's own loop runs."""
        self.closed = False
        process.close_at_exit(self)

    def register(self, name: str, engine: "Engine") -> None:
        """Have provider `name` answered by `engine`.

        Raises:
            ConfigError: it is none.

        """
        self.engines[name] = engine

    def open(self) -> None:
        """Make the engines of the configuration, and open the store, if it is a file. `running` does, unless it was done.

        Raises:
            ConfigError: why it cannot be.

        """
        if not self._is_open:
            made = self.engines.make(declared(self._config))
            if self._place is not None and self._front is None:
                self.store = opened(self._place, self._config, self.edge or self.woken.queue)
            self.engines.take(made)
        self._is_open = True

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Driver"]:
        """Run the gateway's own loop while the context lasts.

        Raises:
            InvalidRequest: it runs already, or is closed.
            ForkError: see `process`.
            ConfigError: the store is not to be had.

        """
        self._birth.check()
        if self.runs or self.closed:
            words = "is closed" if self.closed else "runs already: one object is one gateway, entered once at a time"
            raise InvalidRequest(f"This gateway {words}.", code="invalid_value", status=400)
        self.open()
        self.runs, self.thread = True, threading.get_ident()
        try:
            async with task_group() as tasks:
                tasks.start_soon(self.woken.hear)
                tasks.start_soon(self.connections.expire)
                if self.edge is None:
                    self._start_loop(tasks)
                else:
                    self._start_host(self.edge, tasks)
                self._engines_listed = anyio.Event()
                tasks.start_soon(self._list_engines, self._engines_listed)
                self._tasks = tasks
                try:
                    yield self
                finally:
                    with anyio.CancelScope(shield=True):
                        await self._end_loop()
                        await self.connections.aclose()
                        await self.engines.end()
                    tasks.cancel_scope.cancel()
        finally:
            self.runs, self._tasks = False, None
            self._let_go()

    def _nowhere(self) -> Edge | None:
        """An edge that listens nowhere, and has no thread before it runs, if the transport wants one."""
        if self.transport == "python":
            return None
        return Edge(self.gateway, None, 0, "", inside.THREADS, now()[0])

    @property
    def inside(self) -> Edge:
        """What drives the calls of this process, where the transport is `native`."""
        assert self.edge is not None
        return self.edge

    def _start_host(self, edge: Edge, tasks: Tasks) -> None:
        host = Host(edge, self.gateway, self.engines, self.hooks, self.connections, self.woken, self.callers)
        tasks.start_soon(host.run, tasks)
        if self._front is None:
            edge.start_loop(self.store)
            edge.accept()

    def _start_loop(self, tasks: Tasks) -> None:
        own = self._loop = self._own_loop()
        self.woken.bells[loop.NUMBER] = own.bell
        self.gateway.set_store_lasts(self.store.path is not None)
        self.gateway.set_waker(self.woken.queue)
        tasks.start_soon(own.run, tasks)

    def _own_loop(self) -> loop.Loop:
        assert isinstance(self.log, Log)  # the edge has its own loop, and its own log
        return loop.Loop(self.gateway, self.store, self.connections, self.hooks, self.log)

    async def _end_loop(self) -> None:
        if self._front is not None:
            # Its threads are awaited, which may hold up nobody else by now.
            self._end_edge(self._front.edge)
        elif self.edge is not None:
            # Here others may go on.
            await anyio.to_thread.run_sync(self._end_edge, self.edge)
        elif self._loop is not None:
            await self._loop.end()

    def _end_edge(self, edge: Edge) -> None:
        if not edge.end(loop.END_SECONDS):
            loop.told_late(self.store)

    @property
    def elsewhere(self) -> bool:
        """Whether this process is a fork of the one that it belongs to."""
        return self._birth.elsewhere

    def check(self) -> None:
        """It may be used here.

        Raises:
            ForkError: it belongs to the parent of this process.

        """
        self._birth.check()

    def close(self) -> None:
        """Admit no request any more, and store what is not stored; those in progress end where they run.

        May be called again, from any thread. In a child of a fork it does nothing: all of this is the parent's.
        """
        if self.closed or self._birth.elsewhere:
            return
        self.closed = True
        self.gateway.drain()
        if self.edge is not None:
            if not self.runs:
                self._end_edge(self.edge)
                self._let_go()
            elif self._front is None:
                self._store_rest(self.edge)
            return
        if self._loop is not None and not self.runs:
            return  # its run was ended in order, and the store let go of
        own = self._loop or self._own_loop()
        own.end_now()
        if not self.runs:
            self._let_go()

    def _store_rest(self, edge: Edge) -> None:
        """Have what is not stored yet stored, while its threads go on."""
        if not self.gateway.open_exchanges():
            self.gateway.close()
        edge.ring()
        until = time.monotonic() + loop.END_SECONDS
        while time.monotonic() < until and (self.gateway.rows_waiting() or self.gateway.log_waiting()):
            time.sleep(loop.END_LOOK_SECONDS)

    def _let_go(self) -> None:
        """Of the store's file, once nobody writes to it any more."""
        self.store.close()
        self._is_open = False

    async def listed(self) -> None:
        """Return when the first lists of models are there, or had their time."""
        if self._loop is None and self.edge is None:
            return
        with anyio.move_on_after(LIST_SECONDS):
            await self._engines_listed.wait()
        if self._loop is not None:
            await self._loop.listed.wait()
        # Told by another thread, which knows no event of this loop's.
        while self.edge is not None and not self.edge.is_listed:  # noqa: ASYNC110
            await anyio.sleep(LIST_LOOK_SECONDS)

    async def _list_engines(self, done: anyio.Event) -> None:
        await self.engines.list_models()
        done.set()

    def engines_of(self, config: Config) -> Made:
        """What `reload` needs, made before: it may take long, and be called in any thread.

        Raises:
            ConfigError: an engine cannot be made.

        """
        return self.engines.make(declared(config))

    def reload(self, config: Config, engines: Made | None = None) -> None:
        """Use `config` for what begins from now on, with its `engines`, which are made here if they are not given."""
        self._birth.check()
        made = self.engines_of(config) if engines is None else engines
        self._config = config
        self.gateway.reload(config.hooked(self._hooked), *now())
        self.engines.take(made)
        if self._tasks is not None:
            self._tasks.start_soon(self._settle_engines)
        if self._is_open:
            self.store.note_keys(config)

    async def _settle_engines(self) -> None:
        """Have those that a reload brought say what they serve, and those that it took away end."""
        await self.engines.list_models()
        await self.engines.end_leaving()

    def stop(self) -> None:
        """End what is in progress: each caller is told that the gateway goes down."""
        self.gateway.stop()
        if self.edge is not None:
            self.edge.look()
        for bell in self.woken.bells.values():
            bell.ring()

    async def drive(self, caller: Caller, method: str, target: str, headers: Headers, *, neutral: bool) -> None:
        """Answer one request."""
        doors, number = self.begin(method, target, headers, neutral=neutral)
        await self.go_on(doors, number, caller)

    def begin(self, method: str, target: str, headers: Headers, *, neutral: bool) -> tuple[Doors, int]:
        """A request's exchange, which `go_on` has answer, and the number by which it is woken."""
        doors, number = self._exchange()
        doors.exchange.begin(method, target, headers, neutral)
        return doors, number

    async def go_on(self, doors: Doors, number: int, caller: Caller) -> None:
        """Answer the request behind `doors`, and drop its exchange."""
        await drive(self, doors, caller, number, self.woken.bells)

    async def refuse(self, caller: Caller, refusal: WireRefusal) -> None:
        """Answer a request whose head could not be read."""
        doors, number = self._exchange()
        doors.exchange.refused(refusal)
        await drive(self, doors, caller, number, self.woken.bells)

    def _exchange(self) -> tuple[Doors, int]:
        """A new one, and the number by which it is woken."""
        self._birth.check()
        number = self.woken.number()
        return Doors(self.gateway.exchange(self.woken.queue, number)), number


def _reporter(gateway: Gateway) -> Callable[[str, list[dict[str, Any]]], None]:
    """Tells the core what an engine lists. Holds no driver: one that is dropped goes at once."""

    def report(provider: str, cards: list[dict[str, Any]]) -> None:
        gateway.report_cards(provider, cards, *now())

    return report


def _wrapper(gateway: Gateway, woken: Woken) -> Callable[[str, NativeEngine], Native]:
    """Makes an engine of Rust callable. Holds no driver either."""

    def native(provider: str, engine: NativeEngine) -> Native:
        return Native(woken, engine, lambda: gateway.report_engine(provider, engine, *now()))

    return native
