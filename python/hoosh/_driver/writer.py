"""Writes to the caller, apart from the steps: a caller that takes nothing must not keep the exchange from its time."""

from typing import Any

import anyio

from hoosh._driver.caller import Caller
from hoosh._driver.doors import Doors
from hoosh._driver.steps import CONTINUE, EMIT, FINISH, REPLY, START
from hoosh._driver.tasks import Bell, Tasks

WRITES = (REPLY, EMIT, START, FINISH, CONTINUE)
"""The steps that are its own."""


class Writer:
    """What is to be written to one caller, in order."""

    def __init__(self, doors: Doors, caller: Caller, tasks: Tasks) -> None:
        self._doors, self._caller, self._tasks = doors, caller, tasks
        self._waiting: list[tuple[Any, ...]] = []
        self._scope: anyio.CancelScope | None = None
        self._bell = Bell()
        self.busy = False
        """Whether something is not written yet."""

    def add(self, step: tuple[Any, ...]) -> None:
        """Write what `step` says when all before it is written."""
        self._waiting.append(step)
        self.busy = True
        self._bell.ring()
        if self._scope is None:
            self._scope = anyio.CancelScope()
            self._tasks.start_soon(self._write, self._scope)

    def cut(self) -> None:
        """Write nothing more and cut the connection."""
        self._stop()
        self._caller.cut()

    def _stop(self) -> None:
        if self._scope is not None:
            self._scope.cancel()
        self._waiting.clear()
        self.busy = False

    async def _write(self, scope: anyio.CancelScope) -> None:
        with scope:
            try:
                while True:
                    while self._waiting:
                        await self._step(*self._waiting.pop(0))
                        self.busy = bool(self._waiting)
                        self._doors.step()
                    await self._bell.wait(None)
            except OSError:  # how ASGI says that the caller left
                self._stop()
                self._doors.exchange.caller_gone()
                self._doors.step()

    async def _step(self, kind: int, *given: Any) -> None:
        caller = self._caller
        if kind == EMIT:
            await caller.emit(self._joined(*given), self._took)
        elif kind == REPLY:
            status, headers, body = given
            await caller.reply(status, headers, body, self._took)
        elif kind == START:
            await caller.start(*given)
        elif kind == FINISH:
            await caller.finish()
        else:
            await caller.go_on()

    def _took(self, size: int) -> None:
        self._doors.exchange.written(size)
        self._doors.step()

    def _joined(self, data: bytes) -> bytes:
        """Neighbouring events leave in one write."""
        while self._caller.joins and self._waiting and self._waiting[0][0] == EMIT:
            data += self._waiting.pop(0)[1]
        return data
