"""What an engine is: an object with `chat`, `complete` or `embed`, and what else of these it has.

None of the methods must be `async`, and each may be. One that is not runs in a thread and may block.
"""

from collections.abc import AsyncIterable, Awaitable, Iterable, Sequence
from typing import Protocol

from hoosh.engines.delta import Delta
from hoosh.engines.model import Health, Model, Progress
from hoosh.engines.request import ChatRequest, CompletionRequest, EmbedRequest

Said = str | Delta
Answer = Iterable[Said] | AsyncIterable[Said]
"""What is said, in order; mostly a generator. A single `str` is a whole answer."""
Vectors = Iterable[Iterable[float]]
"""A vector for each input, in their order: lists, arrays of numpy, tensors with `tolist()`."""


class ChatEngine(Protocol):
    """Chats."""

    def chat(self, request: ChatRequest, /) -> Answer | Awaitable[Answer]:
        """Answer: yield text as it comes, and return when it is complete."""


class CompletionEngine(Protocol):
    """Continues a text."""

    def complete(self, request: CompletionRequest, /) -> Answer | Awaitable[Answer]:
        """Go on where `request.prompt` ends."""


class EmbedEngine(Protocol):
    """Gives vectors."""

    def embed(self, request: EmbedRequest, /) -> Vectors | Awaitable[Vectors]:
        """One vector for each of `request.inputs`, all of one length."""


Engine = ChatEngine | CompletionEngine | EmbedEngine
"""What can be registered. `concurrency = 1` as an attribute has it asked one at a time."""


class ListsModels(Protocol):
    """An engine that says what it serves. One that does not is asked for whatever model its provider is asked for."""

    def models(self) -> Sequence[Model] | Awaitable[Sequence[Model]]:
        """All models that may be asked for, loaded or not."""


class TellsHealth(Protocol):
    """An engine that knows how it is: asked after a failure, before the next request reaches it."""

    def health(self) -> Health | Awaitable[Health]:
        """Whether it can answer."""


class LoadsModels(Protocol):
    """An engine whose models come into memory, and go, one by one."""

    def load(self, model: str, progress: Progress, /) -> Awaitable[None] | None:
        """Bring `model` into memory; called before it is asked first. Returns when it is there."""

    def unload(self, model: str, /) -> Awaitable[None] | None:
        """Let its memory go."""


class Closes(Protocol):
    """An engine with something to end."""

    def close(self) -> Awaitable[None] | None:
        """The gateway is gone; called once."""
