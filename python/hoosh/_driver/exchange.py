"""One exchange being driven."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from hoosh._driver import engine, hooked, steps, upstream
from hoosh._driver.attempt import Attempt
from hoosh._driver.caller import Caller, Kept
from hoosh._driver.connections import Request
from hoosh._driver.doors import Doors
from hoosh._driver.tasks import Bells, Credit, Tasks, now, task_group
from hoosh._driver.writer import WRITES, Writer
from hoosh._native import Job, WireRefusal

if TYPE_CHECKING:
    from hoosh._driver.driver import Driver

AT_ONCE = 1 << 20
"""Of the caller's body, bytes."""


async def drive(driver: "Driver", doors: Doors, caller: Caller, number: int, bells: Bells) -> None:
    """Take steps until the exchange is over and all is written, then drop it; `bells[number]` wakes it meanwhile."""
    try:
        async with task_group() as tasks:
            bells[number] = doors.bell
            try:
                await Run(driver, doors, caller, tasks).steps()
            finally:
                del bells[number]
                tasks.cancel_scope.cancel()
    finally:
        doors.drop()


class Run:
    """An exchange and the tasks that work for it.

    Each of them takes the steps that follow from what it told, without a switch to this one's task, which is there for
    the time and for wakes from elsewhere.
    """

    def __init__(self, driver: "Driver", doors: Doors, caller: Caller, tasks: Tasks) -> None:
        self._driver, self._doors, self._caller, self._tasks = driver, doors, caller, tasks
        self._attempts: dict[int, Attempt] = {}
        self._reading: Credit | None = None
        self._writer = Writer(doors, caller, tasks)
        self._watching = False
        self._watch_scope = anyio.CancelScope()
        self._watched: anyio.Event | None = None
        """Set when the watch that began before the body was wanted is over; what it took of that the caller kept."""
        self._over = False
        self._until_us: int | None = None
        """When this task looks again, if nothing wakes it before."""
        doors.step = self._step

    async def steps(self) -> None:
        """Take steps until the exchange is over and everything written."""
        while True:
            self._until_us = self._take()
            if self._over and not self._writer.busy:
                return
            await self._doors.bell.wait(self._until_us)

    def _step(self) -> None:
        """Take steps on behalf of another task, and wake this one if it would sleep for too long."""
        until_us = self._take()
        sooner = until_us is not None and (self._until_us is None or until_us < self._until_us)
        if sooner or self._over:
            self._doors.bell.ring()

    def _take(self) -> int | None:
        """Take the steps that are to be taken now; returns when to look again, if nothing happens before."""
        while True:
            step = self._doors.exchange.next(*now())
            if step[0] == steps.WAIT:
                self._watch()
                until_us: int | None = step[1]
                return until_us
            if step[0] == steps.DONE:
                self._over = True
                return None
            if step[0] in WRITES:
                self._writer.add(step)
            else:
                self._perform(step)

    def _perform(self, step: tuple[Any, ...]) -> None:
        match step:
            case (steps.READ_CALLER, credit):
                self._read_caller(credit)
            case (steps.SEND, u, request):
                self._begin(u, partial(upstream.ask, self._driver.connections, Request(*request)))
            case (steps.CALL, u, name, endpoint, body, standing, None):
                call = partial(engine.call, self._driver.engines, self._caller, name, endpoint, body, standing)
                self._begin(u, call)
            case (steps.SEND_BODY, u, data):
                if u in self._attempts:
                    self._attempts[u].body.put(data)
            case (steps.END_BODY, u):
                if u in self._attempts:
                    self._attempts[u].body.put(None)
            case (steps.CALL, u, name, endpoint, _, _, request):
                run = partial(hooked.call, self._driver.hooks, self._driver.connections, self._caller)
                self._begin(u, partial(run, name, endpoint, Request(*request)))
            case (steps.READ, u, credit):
                if u in self._attempts:
                    self._attempts[u].credit.add(credit)
            case (steps.ABORT, u):
                if attempt := self._attempts.pop(u, None):
                    attempt.scope.cancel()
            case (steps.WORK, job):
                self._tasks.start_soon(self._work, job)
            case (steps.CHILD, c, exchange):
                self._tasks.start_soon(self._child, c, Doors(exchange))
            case (steps.BREAK,):
                self._writer.cut()

    def _begin(self, u: int, answer: Callable[[Attempt], Awaitable[None]]) -> None:
        self._attempts[u] = Attempt(self._doors, u)
        self._tasks.start_soon(self._attempt, self._attempts[u], answer)

    async def _attempt(self, attempt: Attempt, answer: Callable[[Attempt], Awaitable[None]]) -> None:
        with attempt.scope:
            await answer(attempt)

    async def _work(self, job: Job) -> None:
        self._doors.exchange.worked(await anyio.to_thread.run_sync(job.run))
        self._doors.step()

    async def _child(self, c: int, doors: Doors) -> None:
        # A child shares its parent's waker, so that its bell is rung with the parent's.
        answer = Kept()
        await drive(self._driver, doors, answer, c, self._doors.bell.under)
        if answer.cause is not None:
            self._caller.raised(answer.cause)
        self._doors.exchange.child(c, answer.status, b"".join(answer.pieces))
        self._doors.step()

    def _read_caller(self, credit: int) -> None:
        if self._reading is None:
            self._reading = Credit()
            self._watching = True
            # Only one task may ask the server for what the caller sends.
            self._watch_scope.cancel()
            self._tasks.start_soon(self._read, self._reading)
        self._reading.add(credit)

    async def _read(self, credit: Credit) -> None:
        """Hand the caller's body over as it is asked for, then watch for the caller's leaving."""
        if self._watched is not None:
            await self._watched.wait()
        ended = False
        while not ended:
            size = await credit.take(AT_ONCE)
            part = await self._caller.read(size)
            if part is None:
                self._doors.exchange.caller_gone()
                self._doors.step()
                return
            if isinstance(part, WireRefusal):
                self._doors.exchange.refused(part)
                self._doors.step()
                break
            data, ended = part
            if data:
                self._doors.exchange.body(data)
            if ended:
                self._doors.exchange.body_end()
            elif len(data) < size:
                credit.add(size - len(data))
            self._doors.step()
        await self._await_gone()

    def _watch(self) -> None:
        if not self._watching:
            self._watching = True
            self._watched = anyio.Event()
            self._tasks.start_soon(self._watch_on, self._watched)

    async def _watch_on(self, watched: anyio.Event) -> None:
        try:
            with self._watch_scope:
                await self._await_gone()
        finally:
            watched.set()

    async def _await_gone(self) -> None:
        await self._caller.gone()
        self._doors.exchange.caller_gone()
        self._doors.step()
