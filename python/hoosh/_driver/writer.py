"""Writes to the caller, apart from the steps: a caller that takes nothing must not keep the exchange from its time."""

from typing import Any

import anyio

from hoosh._driver.caller import Caller
from hoosh._driver.doors import Doors
from hoosh._driver.steps import CONTINUE, EMIT, FINISH, REPLY, START
from hoosh._driver.tasks import Tasks

WRITES = (REPLY, EMIT, START, FINISH, CONTINUE)
"""The steps that are its own."""


class Writer:
    """What is to be written to one caller, in order."""

    def __init__(self, doors: Doors, caller: Caller, tasks: Tasks) -> None:
        self._doors, self._caller, self._tasks = doors, caller, tasks
        self._waiting: list[tuple[Any, ...]] = []
        self._scope = anyio.CancelScope()
        self._left = 0
        """Bytes of what is being written that the transport has not taken."""
        self.busy = False
        """Whether something is not written yet."""

    def add(self, step: tuple[Any, ...]) -> None:
        """Write what `step` says when all before it is written."""
        self._waiting.append(step)
        if not self.busy:
            self.busy = True
            self._scope = anyio.CancelScope()
            self._tasks.start_soon(self._write, self._scope)

    def cut(self) -> None:
        """Write nothing more and cut the connection."""
        self._waiting.clear()
        self._scope.cancel()
        self._caller.cut()

    async def _write(self, scope: anyio.CancelScope) -> None:
        with scope:
            try:
                while self._waiting:
                    await self._step(*self._waiting.pop(0))
                    if self._waiting:
                        self._doors.step()
            except OSError:  # how ASGI says that the caller left
                self._waiting.clear()
                self._doors.exchange.caller_gone()
        self.busy = False
        self._doors.step()

    async def _step(self, kind: int, *given: Any) -> None:
        caller = self._caller
        if kind == EMIT:
            data = self._joined(*given)
            self._left = len(data)
            await caller.emit(data, self._took)
        elif kind == REPLY:
            status, headers, body = given
            self._left = len(body)
            await caller.reply(status, headers, body, self._took)
        elif kind == START:
            await caller.start(*given)
        elif kind == FINISH:
            await caller.finish()
        else:
            await caller.go_on()

    def _took(self, size: int) -> None:
        self._doors.exchange.written(size)
        self._left -= size
        if self._left > 0:
            self._doors.step()

    def _joined(self, data: bytes) -> bytes:
        """Neighbouring events leave in one write."""
        while self._caller.joins and self._waiting and self._waiting[0][0] == EMIT:
            data += self._waiting.pop(0)[1]
        return data
