"""An answer without its dialect, as a caller reads it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.upstream.mind import Call, Turn


@dataclass
class Given(Turn):
    """An assistant's turn that goes back as it came."""

    raw: Any = None


@dataclass
class Usage:
    """Tokens; None where the dialect has no word for it."""

    prompt: int | None = None
    cached: int | None = None
    completion: int | None = None
    thinking: int | None = None


@dataclass
class Reply:
    """What a caller understood."""

    text: str = ""
    thinking: str = ""
    calls: list[Call] = field(default_factory=list)
    reason: str | None = None
    """`stop`, `length` or `tools`; None where it never ended."""
    sequence: str | None = None
    usage: Usage = field(default_factory=Usage)
    raw: Any = None
    """The assistant's turn, as the dialect's callers send it back."""
    error: str | None = None
    """Of a stream that told that it failed."""

    def given(self) -> Given:
        """The turn to send back."""
        return Given("assistant", raw=self.raw)


def events(body: bytes) -> Iterator[Any]:
    """The JSON of each event of a stream. What is no event is an AssertionError."""
    for event in body.decode().replace("\r\n", "\n").split("\n\n"):
        data = [line.removeprefix("data:").strip() for line in event.split("\n") if line.startswith("data:")]
        if data and data != ["[DONE]"]:
            yield json.loads("\n".join(data))


def arguments(text: str) -> Any:
    """Arguments of a call; none are an empty object."""
    return json.loads(text) if text else {}
