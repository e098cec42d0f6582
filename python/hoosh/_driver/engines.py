"""The engines of one gateway: those that its program registered, and those that its configuration has made."""

from collections import UserDict
from typing import TYPE_CHECKING, NamedTuple

import anyio

from hoosh._driver.engine import EngineFunction
from hoosh._native import Config
from hoosh.errors import ConfigError

if TYPE_CHECKING:
    from hoosh._driver.plugged import Plugged
    from hoosh.engines.protocol import Engine

Declared = dict[str, tuple[str, str, str]]
"""By the provider's name: kind, target, options."""


END_SECONDS = 10
"""How long the end of a gateway waits for its engines, and for calls that are still in progress then."""


class Made(NamedTuple):
    """Engines of a configuration, made and not in use yet."""

    declared: Declared
    engines: dict[str, EngineFunction]


def declared(config: Config) -> Declared:
    """The engines that a configuration has made: all but those that somebody must register."""
    # An extension of before that knows no other kind.
    told = config.engines() if hasattr(config, "engines") else []
    return {name: (kind, target, options) for name, kind, target, options in told if kind in ("python", "entry")}


class Engines(UserDict[str, EngineFunction]):
    """By the provider's name. What is set may be an engine object or a function; what is there can be called."""

    def __init__(self) -> None:
        super().__init__()
        self._made: Made = Made({}, {})
        self._leaving: list[Plugged] = []

    def __setitem__(self, name: str, engine: "Engine | EngineFunction") -> None:
        """Have `engine` answer for provider `name`.

        Raises:
            ConfigError: it is none.

        """
        from hoosh._driver.plugged import function

        self.data[name] = function(name, engine)

    def plugged(self, name: str) -> "Plugged":
        """The engine object of provider `name`.

        Raises:
            ConfigError: there is none.

        """
        from hoosh._driver.plugged import Plugged

        if isinstance(engine := self.data.get(name), Plugged):
            return engine
        known = [one for one, engine in self.data.items() if isinstance(engine, Plugged)]
        raise ConfigError(f"no engine with models to load is called `{name}`; there are: {', '.join(known) or 'none'}")

    def make(self, wanted: Declared) -> Made:
        """Make what is wanted and not there yet. May take long, and be called in any thread.

        Raises:
            ConfigError: see `found.made`.

        """
        if not wanted:
            return Made({}, {})
        # What a gateway without such engines need not load: it starts the sooner.
        from hoosh._driver.plugged import function
        from hoosh.engines import found

        engines: dict[str, EngineFunction] = {}
        for name, one in wanted.items():
            kept = self._made.engines.get(name) if self._made.declared.get(name) == one else None
            engines[name] = kept or function(name, found.made(name, *one))
        return Made(wanted, engines)

    def take(self, made: Made) -> None:
        """Use what was made. What a program registered goes before, and what was made before and is not any more ends."""
        for name, before in self._made.engines.items():
            if made.engines.get(name) is not before:
                if self.data.get(name) is before:
                    del self.data[name]
                if callable(getattr(before, "aclose", None)):
                    self._leaving.append(before)  # type: ignore[arg-type]  # functions have no such method
        for name, engine in made.engines.items():
            self.data.setdefault(name, engine)
        self._made = made

    async def end_leaving(self) -> None:
        """End what was taken away, once its calls are over."""
        async with anyio.create_task_group() as tasks:
            for engine in self._leaving:
                tasks.start_soon(self._end, engine)

    async def end(self) -> None:
        """End all that was made, in a bounded time; those that a program registered are its own to end."""
        self.take(Made({}, {}))
        with anyio.move_on_after(END_SECONDS):
            await self.end_leaving()

    async def _end(self, engine: "Plugged") -> None:
        await engine.aclose()
        if engine in self._leaving:
            self._leaving.remove(engine)
