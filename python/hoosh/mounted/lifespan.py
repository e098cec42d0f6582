"""An application's lifespan, as ASGI says: what it does before its first request and after its last."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import anyio

from hoosh._driver.tasks import task_group

LOG = logging.getLogger("hoosh")

Message = MutableMapping[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]

SHUTDOWN_SECONDS = 5
"""How long an application has for its shutdown."""


class LifespanFailedError(Exception):
    """An application says that it cannot start."""


@asynccontextmanager
async def alive(name: str, app: App) -> AsyncIterator[dict[str, Any]]:
    """Have `app` start, and end when the context does; gives the state that it shares with its requests.

    Raises:
        LifespanFailedError: it says that it cannot start.
        Exception: what it raises between its start and its end.

    """
    span = Lifespan(name, app)
    async with task_group() as tasks:
        tasks.start_soon(span.run)
        try:
            await span.start()
            yield span.state
        finally:
            with anyio.CancelScope(shield=True):
                await span.end()


class Lifespan:
    """One run of an application."""

    def __init__(self, name: str, app: App) -> None:
        self._name, self._app = name, app
        self.state: dict[str, Any] = {}
        self._told, self._asked = anyio.Event(), anyio.Event()
        self._began = False
        self._refusal: str | None = None
        self._over = anyio.Event()
        self._scope = anyio.CancelScope(shield=True)

    async def run(self) -> None:
        """Run the application's own task until it ends; what it raises once it has started is raised here."""
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            with self._scope:
                await self._app(scope, self._receive, self._send)
        except Exception as error:
            if self._asked.is_set():
                LOG.error("The application %s did not end in order", self._name, exc_info=error)
                return
            if self._began:
                raise
            # Whoever does not know this kind of scope raises, and is served all the same.
            LOG.info("The application %s has no lifespan: %r", self._name, error)
        finally:
            self._told.set()
            self._over.set()

    async def start(self) -> None:
        """Return when the application can be asked."""
        await self._told.wait()
        if self._refusal is not None:
            raise LifespanFailedError(f"{self._name} cannot start: {self._refusal or 'it does not say why'}")

    async def end(self) -> None:
        """Have it shut down, in its time."""
        self._asked.set()
        if self._began:
            with anyio.move_on_after(SHUTDOWN_SECONDS):
                await self._over.wait()
        self._scope.cancel()

    async def _receive(self) -> Message:
        if not self._told.is_set():
            return {"type": "lifespan.startup"}
        await self._asked.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        match message["type"]:
            case "lifespan.startup.complete":
                self._began = True
                self._told.set()
            case "lifespan.startup.failed":
                self._refusal = str(message.get("message", ""))
                self._told.set()
            case "lifespan.shutdown.failed":
                LOG.error("The application %s did not end in order: %s", self._name, message.get("message", ""))
