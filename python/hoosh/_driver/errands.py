"""What the gateway asks on its own account, of a provider or of a file: done in this event loop, and told by number."""

import logging
from collections.abc import Callable

import anyio

from hoosh import _environment
from hoosh._driver import upstream
from hoosh._driver.aside import aside
from hoosh._driver.connections import Connections, Request
from hoosh._driver.hooks import Declined, HookFailed, Runner
from hoosh._driver.tasks import Tasks, now
from hoosh._native import Gateway

LOG = logging.getLogger("hoosh")
"""What hooks raise where no caller asked."""

LARGEST_FETCH = 8 << 20
"""Of an answer to the gateway's own question, bytes."""
READERS = 16
"""Credentials that are read at once, each in a thread; the next one waits."""


class Errands:
    """Those that are under way."""

    def __init__(self, gateway: Gateway, connections: Connections, hooks: Runner, done: Callable[[], None]) -> None:
        """`done` is called whenever one has ended."""
        self._gateway, self._connections, self._hooks, self._done = gateway, connections, hooks, done
        self._open: dict[int, anyio.CancelScope] = {}
        self._readers: anyio.CapacityLimiter | None = None

    @property
    def any(self) -> bool:
        """Whether one is under way."""
        return bool(self._open)

    def fetch(self, tasks: Tasks, id: int, request: Request, hooked: str | None) -> None:
        """Begin to ask a provider; `hooked`: with its callables in front."""
        self._open[id] = anyio.CancelScope()
        tasks.start_soon(self._fetch, id, request, hooked, self._open[id])

    def read(self, tasks: Tasks, id: int, kind: str, words: list[str]) -> None:
        """Begin to read a credential."""
        self._readers = self._readers or anyio.CapacityLimiter(READERS)
        self._open[id] = anyio.CancelScope()
        tasks.start_soon(self._read, id, kind, words, self._readers, self._open[id])

    def cancel(self, id: int) -> None:
        """It is not wanted any more."""
        if scope := self._open.pop(id, None):
            scope.cancel()

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
        self._open.pop(id, None)
        self._done()

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
        self._open.pop(id, None)
        self._done()
