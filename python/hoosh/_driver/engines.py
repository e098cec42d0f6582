"""The engines of one gateway: those that its program registered, and those that its configuration has made."""

from collections import UserDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

import anyio

from hoosh._driver import own
from hoosh._driver.engine import Engine, EngineFunction
from hoosh._driver.kinds import function, is_plugged
from hoosh._driver.native import Native
from hoosh._native import Config, Edge, NativeEngine
from hoosh.errors import ConfigError

if TYPE_CHECKING:
    from hoosh._driver.plugged import Plugged
    from hoosh.engines.model import Model, Progress

Declared = dict[str, tuple[str, str, str]]
"""By the provider's name: kind, target, options."""


ENTRY = "entry:"
"""Before the name of an entry point, in the core's words for what makes an engine."""
END_SECONDS = 10
"""How long the end of a gateway waits for its engines, and for calls that are still in progress then."""


class Loader(Protocol):
    """What has models to load, whatever it is written in."""

    async def load(self, model: str, progress: "Progress | None" = None) -> None:
        """Have `model` in memory."""

    async def unload(self, model: str) -> None:
        """Let its memory go."""


class Made(NamedTuple):
    """Engines of a configuration, made and not in use yet."""

    declared: Declared
    engines: dict[str, EngineFunction]


def declared(config: Config) -> Declared:
    """The engines that a configuration has made: all but those that somebody must register."""
    found: Declared = {}
    for name, kind, target, options in config.engines():
        if kind == "python":
            found[name] = (kind, target, options)
        elif target.startswith(ENTRY):
            found[name] = ("entry", target.removeprefix(ENTRY), options)
        elif target.startswith(own.NATIVE):
            found[name] = (own.NATIVE, target.removeprefix(own.NATIVE), options)
    return found


class Engines(UserDict[str, EngineFunction]):
    """By the provider's name. What is set may be an engine object or a function; what is there can be called."""

    def __init__(
        self,
        report: Callable[[str, list[dict[str, Any]]], None],
        native: Callable[[str, NativeEngine], Native],
        edge: Edge | None = None,
    ) -> None:
        """`report` is told what the engine of a provider lists: a dict for each model. `native` makes one of Rust callable.

        Those of Rust answer in `edge` without this process's event loop, where there is one.
        """
        super().__init__()
        self._report, self._native, self._edge = report, native, edge
        self._made: Made = Made({}, {})
        self._leaving: list[Plugged] = []

    def __setitem__(self, name: str, engine: Engine) -> None:
        """Have `engine` answer for provider `name`.

        Raises:
            ConfigError: it is none.

        """
        self._set(name, self._callable(name, engine))
        self._tell_edge()

    def _callable(self, name: str, engine: Engine) -> EngineFunction:
        return self._native(name, engine) if isinstance(engine, NativeEngine) else function(name, engine)

    def _set(self, name: str, engine: EngineFunction) -> None:
        self.data[name] = engine
        if isinstance(engine, Native):
            engine.report()
        if name in (objects := self._objects()):
            report = self._report  # not `self`: a driver that is dropped goes at once
            objects[name].report_to(lambda models: report(name, [_card(model) for model in models]))

    def _tell_edge(self) -> None:
        if self._edge is not None:
            natives = {name: engine.engine for name, engine in self.data.items() if isinstance(engine, Native)}
            self._edge.engines(natives)

    def _objects(self) -> dict[str, "Plugged"]:
        return {name: engine for name, engine in self.data.items() if is_plugged(engine)}

    async def list_models(self) -> None:
        """Have every engine say what it serves."""
        async with anyio.create_task_group() as tasks:
            for engine in self._objects().values():
                tasks.start_soon(engine.list_models)

    def loader(self, name: str) -> "Loader":
        """What loads the models of provider `name`.

        Raises:
            ConfigError: there is nothing.

        """
        loaders = {known: engine for known, engine in self.data.items() if callable(getattr(engine, "load", None))}
        if name in loaders:
            return cast("Loader", loaders[name])
        words = f"there are: {', '.join(loaders) or 'none'}"
        raise ConfigError(f"no engine with models to load is called `{name}`; {words}")

    def plugged(self, name: str) -> "Plugged":
        """The engine object of provider `name`, which has one."""
        return self._objects()[name]

    def make(self, wanted: Declared) -> Made:
        """Make what is wanted and not there yet. May take long, and be called in any thread.

        Raises:
            ConfigError: see `found.made`.

        """
        engines: dict[str, EngineFunction] = {}
        for name, one in wanted.items():
            kept = self._made.engines.get(name) if self._made.declared.get(name) == one else None
            engines[name] = kept or self._callable(name, _made(name, *one))
        return Made(wanted, engines)

    def adopt(self, declared: Declared, engines: Mapping[str, NativeEngine]) -> None:
        """Use what was made of a configuration before this was here; the next `make` finds it made."""
        self.take(Made(declared, {name: self._callable(name, engine) for name, engine in engines.items()}))

    def take(self, made: Made) -> None:
        """Use what was made. What a program registered goes before, and what was made before and is not any more ends."""
        for name, before in self._made.engines.items():
            if made.engines.get(name) is not before:
                if self.data.get(name) is before:
                    del self.data[name]
                if is_plugged(before):
                    self._leaving.append(before)
        for name, engine in made.engines.items():
            if name not in self.data:
                self._set(name, engine)
        self._tell_edge()
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


def _made(name: str, kind: str, target: str, options: str) -> Engine:
    if kind == own.NATIVE:
        return own.made(name, target, options)
    # What a gateway without such engines need not load: it starts the sooner.
    from hoosh.engines import found

    made: Engine = found.made(name, kind, target, options)
    return made


def _card(model: "Model") -> dict[str, Any]:
    """A model as the core reads it."""
    from dataclasses import asdict

    told = asdict(model)
    return {"model": told.pop("name"), **told}
