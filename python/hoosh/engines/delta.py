"""What an engine says, piece by piece. A plain `str` is a `Text`."""

from dataclasses import dataclass
from typing import Literal

Reason = Literal["stop", "length", "tool_calls", "content_filter"]
"""Why an answer ended: by itself or at a stop string, at its token limit, to have tools called, or because it was filtered."""


@dataclass(frozen=True, slots=True)
class Logprob:
    """How likely a token was.

    Attributes:
        token: its text.
        logprob: the natural logarithm of its probability.
        raw: its bytes, where they are not those of the text; a token may be a part of a character.
        top: the likeliest in its place, the likeliest first, without `top` of their own.

    """

    token: str
    logprob: float
    raw: bytes | None = None
    top: tuple["Logprob", ...] = ()


@dataclass(frozen=True, slots=True)
class Text:
    """More of the answer. An empty one says nothing but that the engine lives.

    Attributes:
        text: whole characters.
        logprobs: how likely its tokens were, if that was asked for (`logprobs` and `top_logprobs` of `request.raw`).

    """

    text: str
    logprobs: tuple[Logprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Reasoning:
    """More of what the model thinks before it answers."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool, or the next piece of its arguments.

    Attributes:
        index: which call of this answer, from 0.
        id: with the first piece; one is made where it is left out.
        name: with the first piece.
        arguments: JSON text; the pieces are joined.

    """

    index: int = 0
    id: str | None = None
    name: str | None = None
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Finish:
    """The answer is complete. Only `Usage` may follow. Without one, an engine that is done has said all: `stop`."""

    reason: Reason = "stop"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens used for this answer; the last one counts. Without one, hoosh counts."""

    input_tokens: int
    output_tokens: int


Delta = Text | Reasoning | ToolCall | Finish | Usage
