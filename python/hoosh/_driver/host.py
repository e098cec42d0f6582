"""The engine host: answers for the native edge what no engine of Rust does, in this event loop.

The edge's threads put what is asked into one queue, and nobody there waits for this one. A call is an `Attempt` like one of an
exchange that is driven here, but its doors lead back to the edge.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, cast

from hoosh._driver import engine, hooked
from hoosh._driver.attempt import Attempt
from hoosh._driver.caller import Caller, Kept
from hoosh._driver.connections import Connections, Request
from hoosh._driver.doors import Doors
from hoosh._driver.engines import Engines
from hoosh._driver.errands import Errands
from hoosh._driver.hooks import Runner
from hoosh._driver.tasks import Bell, Tasks
from hoosh._driver.woken import Woken
from hoosh._native import Edge, Exchange, Gateway, HostedCall

LOG = logging.getLogger("hoosh")
"""What engines and hooks of this process raise, which no caller sees."""


class Operator(Kept):
    """Whoever hears what engines and hooks raise, where their callers are the edge's."""

    def raised(self, error: Exception) -> None:
        """See `Caller`."""
        LOG.error("An engine or a hook failed", exc_info=error)


class HostedDoors(Doors):
    """The doors of a call. The edge takes the steps that follow, in its own thread, as soon as a door is used."""

    def __init__(self, call: HostedCall) -> None:
        super().__init__(cast(Exchange, call))
        self.step = lambda: None


class Host:
    """The calls that are in progress."""

    def __init__(
        self,
        edge: Edge,
        gateway: Gateway,
        engines: Engines,
        hooks: Runner,
        connections: Connections,
        woken: Woken,
        callers: Mapping[int, Caller],
    ) -> None:
        """From here on the edge may ask. `callers`: those of this process, by number, who hear what is raised for them."""
        self._edge, self._engines, self._hooks, self._connections = edge, engines, hooks, connections
        self._callers, self._operator = callers, Operator()
        self._attempts: dict[int, Attempt] = {}
        # The loop is the edge's, and woken by what the gateway is told.
        self._errands = Errands(gateway, connections, hooks, edge.ring)
        self._bell = Bell()
        number = woken.number()
        woken.bells[number] = self._bell
        edge.open_host(woken.queue, number)

    async def run(self, tasks: Tasks) -> None:
        """Do what the edge asks, for ever."""
        while True:
            for ask in self._edge.take():
                self._do(tasks, ask)
            await self._bell.wait(None)

    def _do(self, tasks: Tasks, ask: tuple[Any, ...]) -> None:
        match ask:
            case ("call", number, asker, call, name, endpoint, body, standing, None):
                caller = self._callers.get(asker, self._operator)
                run = partial(engine.call, self._engines, caller, name, endpoint, body, standing)
                self._begin(tasks, number, call, run)
            case ("call", number, asker, call, name, endpoint, _, _, request):
                made, caller = Request(*request), self._callers.get(asker, self._operator)
                run = partial(hooked.call, self._hooks, self._connections, caller, name, endpoint, made)
                self._begin(tasks, number, call, run)
            case ("credit", number, credit):
                if number in self._attempts:
                    self._attempts[number].credit.add(credit)
            case ("abort", number):
                if attempt := self._attempts.pop(number, None):
                    attempt.scope.cancel()
            case ("fetch", id, request, name):
                self._errands.fetch(tasks, id, Request(*request), name)
            case ("read", id, kind, words):
                self._errands.read(tasks, id, kind, words)
            case ("cancel", id):
                self._errands.cancel(id)

    def _begin(self, tasks: Tasks, number: int, call: HostedCall, run: Callable[[Attempt], Awaitable[None]]) -> None:
        attempt = self._attempts[number] = Attempt(HostedDoors(call), number)
        tasks.start_soon(self._run, attempt, run)

    async def _run(self, attempt: Attempt, run: Callable[[Attempt], Awaitable[None]]) -> None:
        try:
            with attempt.scope:
                await run(attempt)
        finally:
            self._attempts.pop(attempt.u, None)
