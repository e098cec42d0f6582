"""The applications that are mounted: loaded once, kept alive, and started again when they end."""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio

from hoosh._driver.tasks import task_group
from hoosh._native import Config, Edge, Gateway
from hoosh.engines.found import imported
from hoosh.errors import ConfigError
from hoosh.mounted.lifespan import App, LifespanFailedError, alive

LOG = logging.getLogger("hoosh")

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.25, 30.0
"""Between an end and the next start; each wait is twice the one before."""
STEADY_SECONDS = 60
"""After so long a run the first wait is short again."""
START_SECONDS = 5
"""How long a start of the gateway waits for theirs; then they are down until they are there."""


class Mounts:
    """The applications of one configuration, for one gateway."""

    def __init__(self, config: Config, gateway: Gateway, prefix: str) -> None:
        """Load them.

        Raises:
            ConfigError: one is not there, or no application.

        """
        self._gateway, self.prefix = gateway, prefix
        self._apps = {path: _loaded(path, target) for path, target, _ in config.mounts}
        self._states: dict[str, dict[str, Any]] = {}

    def app(self, mount: str) -> tuple[App, dict[str, Any]]:
        """The application below a path that has one, and what its lifespan shares with its requests."""
        return self._apps[mount], self._states.get(mount, {})

    @asynccontextmanager
    async def running(self, edge: Edge | None) -> AsyncIterator[None]:
        """Have them run while the context lasts, for `edge`, which must not have begun to answer, or in this process."""
        async with AsyncExitStack() as stack:
            serve: Callable[[Callable[[], None]], Awaitable[None]] = _in_this_process
            if edge is not None:
                from hoosh.mounted.behind import Behind

                serve = stack.enter_context(Behind(self, edge)).serve
            tasks = await stack.enter_async_context(task_group())
            tried = anyio.Event()
            tasks.start_soon(self._keep, serve, tried)
            with anyio.move_on_after(START_SECONDS):
                await tried.wait()
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()

    async def _keep(self, serve: Callable[[Callable[[], None]], Awaitable[None]], tried: anyio.Event) -> None:
        wait = FIRST_WAIT_SECONDS

        def up() -> None:
            self._gateway.set_mounts_run(True)
            tried.set()

        while True:
            begun = time.monotonic()
            try:
                await self._run(serve, up)
            except Exception as error:
                if time.monotonic() - begun > STEADY_SECONDS:
                    wait = FIRST_WAIT_SECONDS
                words = "The applications that are mounted are down, and start again in %.2g s"
                failed = _lifespan_failure(error)
                if failed is not None:
                    LOG.error(words + ": %s", wait, failed)
                else:
                    LOG.error(words, wait, exc_info=error)
            finally:
                self._gateway.set_mounts_run(False)
            tried.set()
            await anyio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT_SECONDS)

    async def _run(self, serve: Callable[[Callable[[], None]], Awaitable[None]], up: Callable[[], None]) -> None:
        """Until one of them ends, or whoever serves them."""
        async with AsyncExitStack() as stack:
            for path, app in self._apps.items():
                self._states[path] = await stack.enter_async_context(alive(path, app))
            await serve(up)
            raise RuntimeError("whoever serves them has ended")


async def _in_this_process(up: Callable[[], None]) -> None:
    up()
    await anyio.sleep_forever()


def _loaded(path: str, target: str) -> App:
    where = f"[[server.mounts]] `{path}`"
    app = imported(where, target)
    if not callable(app):
        raise ConfigError(f"{where}: `{target}` is {type(app).__name__!r}, and no ASGI application")
    return app  # type: ignore[no-any-return]


def _lifespan_failure(error: BaseException) -> LifespanFailedError | None:
    """That of an application that said itself why, where nothing else went wrong."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error if isinstance(error, LifespanFailedError) else None
