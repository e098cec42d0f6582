"""The gateway's own loop: leases, ledger, probes, model lists."""

import logging
import time

import anyio

from hoosh._driver import steps, upstream
from hoosh._driver.connections import Connections, Request
from hoosh._driver.hooks import HookFailed, Runner
from hoosh._driver.tasks import Bell, Tasks, now
from hoosh._native import Gateway, MemoryStore, StoreOp

LOG = logging.getLogger("hoosh")
"""What hooks raise where no caller asked."""

NUMBER = 0
"""By which the loop is woken; exchanges have the numbers after it."""
LARGEST_FETCH = 8 << 20
"""Of an answer to the gateway's own question, bytes."""
FLUSH_SECONDS = 2
"""How long the last rows have to be stored."""


class Loop:
    """What the gateway does without being asked."""

    def __init__(self, gateway: Gateway, store: MemoryStore, connections: Connections, hooks: Runner) -> None:
        self._gateway, self._store, self._connections, self._hooks = gateway, store, connections, hooks
        self._fetches: dict[int, anyio.CancelScope] = {}
        self.bell = Bell()
        self.listed = anyio.Event()
        """Set when the providers that are asked for their models have said them, or had the core's time for it."""

    async def run(self, tasks: Tasks) -> None:
        """Take its steps, for ever."""
        while True:
            match self._gateway.next(*now()):
                case (steps.LOOP_WAIT, until_us):
                    if not self._fetches:
                        self.listed.set()
                    await self.bell.wait(until_us)
                case (steps.STORE, id, op):
                    self._perform(id, op)
                case (steps.FETCH, id, request, hooked):
                    self._fetches[id] = anyio.CancelScope()
                    tasks.start_soon(self._fetch, id, Request(*request), hooked, self._fetches[id])
                case (steps.CANCEL, id):
                    if scope := self._fetches.pop(id, None):
                        scope.cancel()

    async def flush(self) -> None:
        """Store the last rows."""
        with anyio.move_on_after(FLUSH_SECONDS):
            while self._gateway.rows_waiting():
                match self._gateway.next(*now()):
                    case (steps.STORE, id, op):
                        self._perform(id, op)
                    case (steps.LOOP_WAIT, _):
                        await anyio.sleep(0.005)

    def flush_now(self) -> None:
        """The same without an event loop: it has ended, or the process does."""
        until = time.monotonic() + FLUSH_SECONDS
        while self._gateway.rows_waiting() and time.monotonic() < until:
            match self._gateway.next(*now()):
                case (steps.STORE, id, op):
                    self._perform(id, op)
                case (steps.LOOP_WAIT, _):
                    time.sleep(0.005)

    def _perform(self, id: int, op: StoreOp) -> None:
        self._gateway.stored(id, self._store.perform(op), *now())

    async def _fetch(self, id: int, request: Request, hooked: str | None, scope: anyio.CancelScope) -> None:
        with scope:
            try:
                if hooked is not None:
                    _, request = await self._hooks.outgoing(hooked, "models", request)
                status, body = await upstream.fetch(self._connections, request, LARGEST_FETCH)
                self._gateway.fetched(id, status, body, None, *now())
            except Exception as error:
                if isinstance(error, HookFailed):
                    LOG.error("A hook failed", exc_info=error.__cause__)
                self._gateway.fetched(id, 0, b"", type(error).__name__, *now())
        self._fetches.pop(id, None)
        self.bell.ring()
