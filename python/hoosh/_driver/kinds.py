"""What kinds of engines there are: objects of the protocol, and functions. Light, because every gateway loads it."""

import sys
from typing import TYPE_CHECKING, TypeGuard

from hoosh._driver.engine import EngineFunction
from hoosh._native import NativeEngine
from hoosh.errors import ConfigError

if TYPE_CHECKING:
    from hoosh._driver.plugged import Plugged
    from hoosh.engines.protocol import Engine

METHODS = {"chat": "chat", "completions": "complete", "embeddings": "embed"}
"""Which method of an engine object answers which endpoint."""


def is_object(engine: object) -> bool:
    """Whether it is an engine object; a function if not.

    Raises:
        ConfigError: it is neither.

    """
    if isinstance(engine, type):
        raise ConfigError(f"an engine is an instance: {engine.__name__}(...), not the class itself")
    if any(callable(getattr(engine, method, None)) for method in METHODS.values()):
        return True
    if callable(engine):
        return False
    words = "has a method `chat`, `complete` or `embed`, or is a coroutine function of one EngineCall"
    raise ConfigError(f"an engine {words}; {type(engine).__name__} is neither")


def concurrency(engine: object) -> int | None:
    """How many calls an engine says that it takes at once; None where it says nothing.

    Raises:
        ConfigError: it says nonsense.

    """
    given = getattr(engine, "concurrency", None)
    if given is None or (type(given) is int and given >= 1):
        return given
    raise ConfigError(f"`concurrency` of an engine is a number from 1 on, not {given!r}")


def check(engine: object) -> None:
    """It can be registered.

    Raises:
        ConfigError: it is no engine, or says nonsense.

    """
    if not isinstance(engine, NativeEngine) and is_object(engine):
        concurrency(engine)


def function(name: str, engine: "Engine | EngineFunction") -> EngineFunction:
    """What the driver calls for provider `name`; of an object a `plugged.Plugged`.

    Raises:
        ConfigError: see `check`.

    """
    if not is_object(engine):
        return engine  # type: ignore[return-value]  # what is no object is one that can be called
    from hoosh._driver.plugged import Plugged

    return Plugged(name, engine)  # type: ignore[arg-type]


def is_plugged(engine: EngineFunction) -> "TypeGuard[Plugged]":
    """Whether it was made of an engine object."""
    module = sys.modules.get("hoosh._driver.plugged")  # where nothing was, that is not loaded
    return module is not None and isinstance(engine, module.Plugged)
