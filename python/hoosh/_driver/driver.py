"""One gateway on one event loop."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from os import getpid

import anyio

from hoosh._driver import loop
from hoosh._driver.caller import Caller, Headers
from hoosh._driver.connections import Connections
from hoosh._driver.doors import Doors
from hoosh._driver.engine import Engine
from hoosh._driver.exchange import drive
from hoosh._driver.stores import Place, opened
from hoosh._driver.tasks import Bells, now, task_group
from hoosh._native import Config, Gateway, MemoryStore, Store, WakeQueue, WireRefusal

KEPT_ROWS = 100_000
"""Ledger rows that the memory store keeps."""


FORKED = (
    "This gateway was made before a fork, and what it may spend belongs to the process that made it. "
    "Make the gateway in the process that uses it."
)


class Driver:
    """A gateway, its store, its engines and its connections."""

    def __init__(self, config: Config, place: Place | None = None) -> None:
        """With `place`, the store is the file there, opened while the gateway runs; else it is in memory."""
        self.gateway = Gateway(config, secrets.randbits(64))
        self.store: MemoryStore | Store = MemoryStore(KEPT_ROWS)
        self._config, self._place, self._pid = config, place, getpid()
        self._is_open = False
        self.engines: dict[str, Engine] = {}
        self.connections = Connections()
        self._queue = WakeQueue()
        self._bells: Bells = {}
        self._last = loop.NUMBER
        self._loop: loop.Loop | None = None

    def open(self) -> None:
        """Open the store, if it is a file. `running` does, unless it is open already.

        Raises:
            ConfigError: why it cannot be.

        """
        if self._place is not None and not self._is_open:
            self.store = opened(self._place, self._config, self._queue)
        self._is_open = True

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Driver"]:
        """Run the gateway's own loop while the context lasts."""
        self.open()
        own = self._loop = loop.Loop(self.gateway, self.store, self.connections)
        self._bells[loop.NUMBER] = own.bell
        self.gateway.set_waker(self._queue)
        try:
            async with task_group() as tasks:
                tasks.start_soon(self._hear)
                tasks.start_soon(own.run, tasks)
                tasks.start_soon(self.connections.expire)
                try:
                    yield self
                finally:
                    with anyio.CancelScope(shield=True):
                        await own.end()
                        await self.connections.aclose()
                    tasks.cancel_scope.cancel()
        finally:
            self.store.close()
            self._is_open = False

    async def listed(self) -> None:
        """Return when the first lists of models are there, or had their time."""
        if self._loop is not None:
            await self._loop.listed.wait()

    def reload(self, config: Config) -> None:
        """Use `config` for what begins from now on."""
        self._config = config
        self.gateway.reload(config, *now())
        if self._is_open:
            self.store.note_keys(config)

    def stop(self) -> None:
        """End what is in progress: each caller is told that the gateway goes down."""
        self.gateway.stop()
        for bell in self._bells.values():
            bell.ring()

    async def drive(self, caller: Caller, method: str, target: str, headers: Headers, *, neutral: bool) -> None:
        """Answer one request."""
        doors, number = self._exchange()
        doors.exchange.begin(method, target, headers, neutral)
        await drive(self, doors, caller, number, self._bells)

    async def refuse(self, caller: Caller, refusal: WireRefusal) -> None:
        """Answer a request whose head could not be read."""
        doors, number = self._exchange()
        doors.exchange.refused(refusal)
        await drive(self, doors, caller, number, self._bells)

    def _exchange(self) -> tuple[Doors, int]:
        """A new one, and the number by which it is woken."""
        if getpid() != self._pid:
            raise RuntimeError(FORKED)
        self._last += 1
        return Doors(self.gateway.exchange(self._queue, self._last)), self._last

    async def _hear(self) -> None:
        """Ring for every exchange that another thread, or another exchange, woke."""
        while True:
            await anyio.wait_readable(self._queue.fileno())
            for number in self._queue.take():
                if bell := self._bells.get(number):
                    bell.ring()
