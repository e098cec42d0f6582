"""Engines written in Rust: their words go to the core without Python, which only says when."""

from collections.abc import Callable
from contextlib import closing

import anyio

from hoosh._driver.aside import aside
from hoosh._driver.engine import EngineCall, refuse
from hoosh._driver.woken import Woken
from hoosh._native import NativeEngine
from hoosh.engines.refused import Refused

LOADS = 4
"""Loads of one engine that are waited for at once."""
Progress = Callable[[int, int], object]


class EngineFailed(Exception):
    """An engine of Rust broke off, for the reason that it gives."""


class Native:
    """An engine of Rust as the driver calls it."""

    def __init__(self, woken: Woken, engine: NativeEngine, report: Callable[[], None]) -> None:
        """`report` is called when what the engine says of itself may have changed."""
        self._woken, self.engine, self.report = woken, engine, report
        self._loads: anyio.CapacityLimiter | None = None

    async def __call__(self, call: EngineCall) -> None:
        """Have its words handed on whenever it has some, as there is credit for them.

        Raises:
            EngineFailed: it broke off.

        """
        try:
            await self._answer(call)
        finally:
            # Its model may be in memory now.
            self.report()

    async def load(self, model: str, progress: Progress | None = None) -> None:
        """Have `model` in memory. A load that nobody waits for any more goes on.

        Raises:
            Refused: it cannot be.

        """
        if self._loads is None:
            self._loads = anyio.CapacityLimiter(LOADS)
        try:
            why = await aside(self.engine.load, model, progress, limiter=self._loads)
        finally:
            self.report()
        if why is not None:
            status, code, words, after = why
            raise Refused(status, words, code=code, retry_after=after)

    async def unload(self, model: str) -> None:
        """Let its memory go as soon as nobody is answered by it."""
        self.engine.unload(model)
        self.report()

    async def _answer(self, call: EngineCall) -> None:
        attempt = call.attempt
        with (
            self._woken.bell() as (number, bell),
            # Who leaves here wants nothing more of it.
            closing(self.engine.call(call.endpoint, call.body, call.standing, self._woken.queue, number)) as answer,
        ):
            attempt.credit.told = bell.ring
            while True:
                spent, said = attempt.doors.exchange.pump(attempt.u, answer, attempt.credit.left)
                attempt.credit.spend(spent)
                if spent:
                    attempt.doors.step()
                match said:
                    case ("end",):
                        return
                    case ("refused", status, headers, body):
                        await refuse(attempt, status, headers, body)
                        return
                    case ("failed", words):
                        raise EngineFailed(words)
                await bell.wait(None)
