"""Engines: models that answer in this process, written in Python. docs/engines.md is the manual.

An engine is an object with `chat`, `complete` or `embed` (`protocol`). It is asked a `request`, says `delta`s, says of itself
what its `model`s are, and says no by `Refused`. Nothing here needs an event loop, and none of it is loaded before it is
used: a gateway without engines of Python starts as soon as ever.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hoosh.engines.delta import Delta, Finish, Logprob, Reason, Reasoning, Text, ToolCall, Usage
    from hoosh.engines.host.hosted import Hosted
    from hoosh.engines.model import Health, Model, Progress
    from hoosh.engines.protocol import (
        Answer,
        ChatEngine,
        Closes,
        CompletionEngine,
        EmbedEngine,
        Engine,
        ListsModels,
        LoadsModels,
        Said,
        TellsHealth,
        Vectors,
    )
    from hoosh.engines.refused import Refused
    from hoosh.engines.request import Cancelled, ChatRequest, CompletionRequest, EmbedRequest

_NAMES = {
    "delta": ("Delta", "Finish", "Logprob", "Reason", "Reasoning", "Text", "ToolCall", "Usage"),
    "host.hosted": ("Hosted",),
    "model": ("Health", "Model", "Progress"),
    "protocol": (
        "Answer",
        "ChatEngine",
        "Closes",
        "CompletionEngine",
        "EmbedEngine",
        "Engine",
        "ListsModels",
        "LoadsModels",
        "Said",
        "TellsHealth",
        "Vectors",
    ),
    "refused": ("Refused",),
    "request": ("Cancelled", "ChatRequest", "CompletionRequest", "EmbedRequest"),
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names}

__all__ = [
    "Answer",
    "Cancelled",
    "ChatEngine",
    "ChatRequest",
    "Closes",
    "CompletionEngine",
    "CompletionRequest",
    "Delta",
    "EmbedEngine",
    "EmbedRequest",
    "Engine",
    "Finish",
    "Health",
    "Hosted",
    "ListsModels",
    "LoadsModels",
    "Logprob",
    "Model",
    "Progress",
    "Reason",
    "Reasoning",
    "Refused",
    "Said",
    "TellsHealth",
    "Text",
    "ToolCall",
    "Usage",
    "Vectors",
]


def __getattr__(name: str) -> Any:
    """Load a name's module when it is first wanted."""
    if home := _HOMES.get(name):
        return getattr(import_module(f"hoosh.engines.{home}"), name)
    raise AttributeError(f"module 'hoosh.engines' has no attribute {name!r}")
