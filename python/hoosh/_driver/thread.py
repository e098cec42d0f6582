"""A thread with an event loop of its own, for callers that have none."""

import contextlib
import threading
from concurrent.futures import Future

import trio
from anyio.from_thread import BlockingPortal

from hoosh._driver.driver import Driver

EXIT_SECONDS = 5
"""How long the interpreter's exit waits for it: the last rows have 2 of them."""


class LoopThread:
    """Runs a driver on trio, from its making until `stop`. A daemon: it never holds up the interpreter's exit by itself."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._started: Future[BlockingPortal] = Future()
        self._thread = threading.Thread(target=self._run, name="hoosh", daemon=True)
        self._thread.start()
        self.portal = self._started.result()

    def stop(self) -> None:
        """Have it end; what is in progress is cancelled. Does not wait, so that a destructor in any thread may call it."""
        with contextlib.suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self._stop.set)

    def join(self) -> None:
        """Wait until it has ended, for `EXIT_SECONDS` at most."""
        if threading.current_thread() is not self._thread:
            self._thread.join(EXIT_SECONDS)

    def _run(self) -> None:
        try:
            trio.run(self._main)
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _main(self) -> None:
        self._stop = trio.Event()
        self._token = trio.lowlevel.current_trio_token()
        async with self._driver.running(), BlockingPortal() as portal:
            self._started.set_result(portal)
            await self._stop.wait()
            await portal.stop(cancel_remaining=True)
