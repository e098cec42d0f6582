"""The gateway's own loop: leases, ledger, probes, model lists, credentials."""

import logging
import time

import anyio

from hoosh._driver import steps
from hoosh._driver.connections import Connections, Request
from hoosh._driver.errands import Errands
from hoosh._driver.hooks import Runner
from hoosh._driver.log import Log
from hoosh._driver.tasks import Bell, Tasks, now
from hoosh._native import Gateway, MemoryStore, Store

LOG = logging.getLogger("hoosh")
"""What an operator is told of a store that fails."""

NUMBER = 0
"""By which the loop is woken; exchanges have the numbers after it."""
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
        self._gateway, self._store = gateway, store
        self._log = log
        self._complaints = Complaints()
        self.bell = Bell()
        self._errands = Errands(gateway, connections, hooks, self.bell.ring)
        self.listed = anyio.Event()
        """Set when the providers that are asked for their models have said them, or had the core's time for it."""

    async def run(self, tasks: Tasks) -> None:
        """Take its steps, until the run is over."""
        while True:
            self._hear_store()
            match self._gateway.next(*now()):
                case (steps.LOOP_WAIT, until_us):
                    if not self._errands.any:
                        self.listed.set()
                    await self.bell.wait(until_us)
                case (steps.STORE, id, op):
                    self._store.ask(id, op)
                case (steps.LOG, id, lines, file):
                    self._log.write(id, lines, file)
                case (steps.FETCH, id, request, hooked):
                    self._errands.fetch(tasks, id, Request(*request), hooked)
                case (steps.LOOP_READ, id, kind, words):
                    self._errands.read(tasks, id, kind, words)
                case (steps.CANCEL, id):
                    self._errands.cancel(id)
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
        if patience.cancelled_caught:
            told_late(self._store)

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


def told_late(store: MemoryStore | Store) -> None:
    """A run ended before its store knew."""
    if store.path is not None:
        words = "The store %s was not told of the end in time: what is leased and not used counts as lost."
        LOG.warning(words, store.path)


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
