"""The gateway's own loop: leases, ledger, probes, model lists, credentials."""

import logging
import time

import anyio

from hoosh import _environment
from hoosh._driver import steps, upstream
from hoosh._driver.aside import aside
from hoosh._driver.connections import Connections, Request
from hoosh._driver.hooks import Declined, HookFailed, Runner
from hoosh._driver.log import Log
from hoosh._driver.tasks import Bell, Tasks, now
from hoosh._native import Gateway, MemoryStore, Store

LOG = logging.getLogger("hoosh")
"""What hooks raise where no caller asked."""

NUMBER = 0
"""By which the loop is woken; exchanges have the numbers after it."""
LARGEST_FETCH = 8 << 20
"""Of an answer to the gateway's own question, bytes."""
READERS = 16
"""Credentials that are read at once, each in a thread; the next one waits."""
END_SECONDS = 2
"""How long the last rows have to be stored."""
END_LOOK_SECONDS = 0.002
"""How often the end is looked for meanwhile."""
COMPLAIN_SECONDS = 10
"""A store that goes on failing is told of so often."""


class Loop:
    """What the gateway does without being asked."""

    def __init__(
        self, gateway: Gateway, store: MemoryStore | Store, connections: Connections, hooks: Runner, log: Log
    ) -> None:
        self._gateway, self._store, self._connections, self._hooks = gateway, store, connections, hooks
        self._fetches: dict[int, anyio.CancelScope] = {}
        self._readers: anyio.CapacityLimiter | None = None
        self._log = log
        self._complaints = Complaints()
        self.bell = Bell()
        self.listed = anyio.Event()
        """Set when the providers that are asked for their models have said them, or had the core's time for it."""

    async def run(self, tasks: Tasks) -> None:
        """Take its steps, until the run is over."""
        while True:
            self._hear_store()
            match self._gateway.next(*now()):
                case (steps.LOOP_WAIT, until_us):
                    if not self._fetches:
                        self.listed.set()
                    await self.bell.wait(until_us)
                case (steps.STORE, id, op):
                    self._store.ask(id, op)
                case (steps.LOG, id, lines, file):
                    self._log.write(id, lines, file)
                case (steps.FETCH, id, request, hooked):
                    self._fetches[id] = anyio.CancelScope()
                    tasks.start_soon(self._fetch, id, Request(*request), hooked, self._fetches[id])
                case (steps.LOOP_READ, id, kind, words):
                    self._readers = self._readers or anyio.CapacityLimiter(READERS)
                    self._fetches[id] = anyio.CancelScope()
                    tasks.start_soon(self._read, id, kind, words, self._readers, self._fetches[id])
                case (steps.CANCEL, id):
                    if scope := self._fetches.pop(id, None):
                        scope.cancel()
                case (steps.LOOP_OVER,):
                    return

    async def end(self) -> None:
        """Store the last rows, give back what was leased and not used, and write the last lines of the log."""
        self._gateway.close()
        with anyio.move_on_after(END_SECONDS) as patience:
            while True:
                self._hear_store()
                match self._gateway.next(*now()):
                    case (steps.STORE, id, op):
                        self._store.ask(id, op)
                    case (steps.LOG, id, lines, file):
                        self._log.write(id, lines, file)
                    case (steps.LOOP_WAIT, _):
                        await anyio.sleep(END_LOOK_SECONDS)
                    case (steps.LOOP_OVER,):
                        if not self._gateway.log_waiting():
                            break
                        await anyio.sleep(END_LOOK_SECONDS)
        self._log.close()
        if patience.cancelled_caught and self._store.path is not None:
            words = "The store %s was not told of the end in time: what is leased and not used counts as lost."
            LOG.warning(words, self._store.path)

    def end_now(self) -> None:
        """The same without an event loop: it has ended, or the process does. What is in progress ends where it runs."""
        ends = not self._gateway.open_exchanges()
        if ends:
            self._gateway.close()
        until = time.monotonic() + END_SECONDS
        while time.monotonic() < until:
            self._hear_store()
            match self._gateway.next(*now()):
                case (steps.STORE, id, op):
                    self._store.ask(id, op)
                case (steps.LOG, id, lines, file):
                    self._log.write(id, lines, file)
                case (steps.LOOP_OVER,) if not self._gateway.log_waiting():
                    return
                case (steps.LOOP_OVER,):
                    time.sleep(END_LOOK_SECONDS)
                case (steps.LOOP_WAIT, _):
                    if not ends and not self._gateway.rows_waiting():
                        return
                    time.sleep(END_LOOK_SECONDS)

    def _hear_store(self) -> None:
        for number, outcome in self._store.take():
            self._complaints.hear(outcome.failure)
            self._gateway.stored(number, outcome, *now())

    async def _fetch(self, id: int, request: Request, hooked: str | None, scope: anyio.CancelScope) -> None:
        with scope:
            try:
                if hooked is not None:
                    _, request = await self._hooks.outgoing(hooked, "models", request)
                status, body = await upstream.fetch(self._connections, request, LARGEST_FETCH)
                self._gateway.fetched(id, status, body, None, *now())
            except Exception as error:
                if isinstance(error, HookFailed | Declined):
                    LOG.error("A hook failed", exc_info=error.__cause__)
                self._gateway.fetched(id, 0, b"", type(error).__name__, *now())
        self._fetches.pop(id, None)
        self.bell.ring()

    async def _read(
        self, id: int, kind: str, words: list[str], readers: anyio.CapacityLimiter, scope: anyio.CancelScope
    ) -> None:
        """Read a credential in a thread, which is left behind when its time is over, and the command with it killed."""
        from hoosh import _credential  # few gateways have one

        with scope, _credential.while_waiting():
            try:
                text = await aside(_environment.credential, kind, words, limiter=readers)
                self._gateway.read(id, text, None, *now())
            except OSError as error:
                self._gateway.read(id, "", str(error), *now())
            except Exception as error:
                # Its own words might quote what was read.
                self._gateway.read(id, "", f"it raised {type(error).__name__}", *now())
        self._fetches.pop(id, None)
        self.bell.ring()


class Complaints:
    """What an operator hears of a store that fails: its words at once, then now and then, and when it is over."""

    def __init__(self) -> None:
        self._fails, self._next_us = False, 0

    def hear(self, failure: str | None) -> None:
        """How an operation ended: why it was not done, or None."""
        if failure is None:
            if self._fails:
                LOG.warning("The store works again.")
            self._fails = False
            return
        self._fails = True
        if now()[0] >= self._next_us:
            self._next_us = now()[0] + COMPLAIN_SECONDS * 1_000_000
            LOG.error(
                "%s It is asked again; what is to be stored waits, and beyond a bound new requests get 503.", failure
            )
