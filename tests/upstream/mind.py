"""What a request asks and what is said to it, whatever dialect it came in. Pure: the same words in each dialect.

A dialect reads its request into `Asked`; `say` decides; the dialect writes `Said` as its provider would. So a test can
compare what reached five upstreams, and what five kinds of callers got, without a word of any dialect.
"""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from .schema import fit
from .words import words

Json = dict[str, Any]
CACHED = 2
"""Tokens of each prompt that are said to come from a cache."""


@dataclass(frozen=True)
class Image:
    """A picture, a document or a sound, as its bytes."""

    media_type: str
    data: bytes


@dataclass(frozen=True)
class Call:
    """A call of a tool. Ollama has no `id`."""

    id: str | None
    name: str
    arguments: Json


@dataclass(frozen=True)
class Result:
    """What a tool gave back. Which call it answers is said by `id`, by `name`, or both."""

    id: str | None
    name: str | None
    text: str
    failed: bool = False
    images: tuple[Image, ...] = ()


@dataclass(frozen=True)
class Thought:
    """What was thought before an answer, and what proves whose it was."""

    text: str
    signature: str | None = None


@dataclass
class Turn:
    """What one side said: `user` or `assistant`. Results of tools are part of a user's turn."""

    role: str
    text: str = ""
    images: list[Image] = field(default_factory=list)
    thoughts: list[Thought] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)


@dataclass(frozen=True)
class Tool:
    """A function that may be called."""

    name: str
    description: str | None
    parameters: Json


@dataclass
class Asked:
    """A request without its dialect."""

    model: str
    turns: list[Turn]
    system: list[str] = field(default_factory=list)
    tools: list[Tool] = field(default_factory=list)
    choice: str = "auto"
    """`auto`, `none`, `any`, or a tool's name."""
    parallel: bool = True
    schema: Json | None = None
    """The answer's."""
    any_json: bool = False
    """The answer is JSON, of whatever schema."""
    thinks: bool = False
    shows: bool = False
    """Its thoughts are to be seen."""
    stop: list[str] = field(default_factory=list)
    cap: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    user: str | None = None
    stream: bool = False

    def add(self, role: str) -> Turn:
        """The turn that is under way if it is of `role`, else a new one: two messages of one side are one turn."""
        if not self.turns or self.turns[-1].role != role:
            self.turns.append(Turn(role))
        return self.turns[-1]


@dataclass(frozen=True)
class Usage:
    """Tokens; `cached` is part of `prompt`, `thinking` part of `completion`."""

    prompt: int
    cached: int
    completion: int
    thinking: int


@dataclass(frozen=True)
class Said:
    """An answer without its dialect."""

    thought: Thought | None
    text: str
    calls: list[Call]
    reason: str
    """`stop`, `sequence`, `length` or `tools`."""
    sequence: str | None
    usage: Usage


def arguments(text: str) -> Json:
    """Arguments of a call as OpenAI's dialects write them; what is no JSON is kept, as OpenAI takes it."""
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError):
        return {"malformed": text}


def sign(text: str) -> str:
    """What proves that `text` was thought here: standard base64, with the letters that URL-safe base64 has others for."""
    return base64.b64encode(b"\xfb\xff" + hashlib.sha256(text.encode()).digest()).decode()


def say(asked: Asked) -> Said:
    """The answer. Each tool is called once; after results, or without tools, something is said."""
    wish = _wish(asked)
    thought = None
    if asked.thinks:
        thinking = f"They want me to answer: {wish}"
        thought = Thought(thinking, sign(thinking))
    calls = _calls(asked, wish)
    text, reason, sequence = ("", "tools", None) if calls else _bounded(_speech(asked, wish), asked)
    thinks = len(words(thought.text)) if thought else 0
    spoken = len(words(text)) + sum(5 + len(words(json.dumps(call.arguments))) for call in calls)
    return Said(thought, text, calls, reason, sequence, Usage(count(asked), CACHED, thinks + spoken, thinks))


def count(asked: Asked) -> int:
    """Tokens of a prompt, never fewer than those that are said to be cached."""
    texts = [
        *asked.system,
        *(turn.text for turn in asked.turns),
        *(r.text for turn in asked.turns for r in turn.results),
    ]
    return 3 + sum(4 + len(words(text)) for text in texts)


def _wish(asked: Asked) -> str:
    return next((turn.text for turn in reversed(asked.turns) if turn.role == "user" and turn.text), "")


def _speech(asked: Asked, wish: str) -> str:
    if asked.schema is not None:
        return json.dumps(fit(asked.schema, wish, asked.schema), ensure_ascii=False)
    if asked.any_json:
        return json.dumps({"answer": wish}, ensure_ascii=False)
    results = asked.turns[-1].results if asked.turns else []
    return f"The tool said: {results[-1].text}" if results else f"You said: {wish}"


def _calls(asked: Asked, wish: str) -> list[Call]:
    if asked.choice == "none" or (asked.turns and asked.turns[-1].results):
        return []
    tools = [tool for tool in asked.tools if asked.choice in ("auto", "any", tool.name)]
    calls = [
        # An id that tells a turn's calls from an earlier turn's.
        Call(f"{len(asked.turns)}_{place}_{tool.name}", tool.name, fit(tool.parameters, wish, tool.parameters))
        for place, tool in enumerate(tools)
    ]
    return calls if asked.parallel else calls[:1]


def _bounded(text: str, asked: Asked) -> tuple[str, str, str | None]:
    reason, sequence = "stop", None
    for stop in asked.stop:
        if stop in text:
            text, reason, sequence = text.split(stop, 1)[0], "sequence", stop
    pieces = words(text)
    if asked.cap and len(pieces) > asked.cap:
        return "".join(pieces[: asked.cap]), "length", None
    return text, reason, sequence
