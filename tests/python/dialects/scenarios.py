"""What is asked of each pair, and how it is judged. Each gives a word for the matrix, and fails where a gap is silent.

The words: `native`, where what was asked for arrived as it was; else what the loss report says became of it; `-` where a
caller's dialect cannot ask for it, or an upstream's has nothing of it to give.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.upstream.mind import Asked, Image, Said, Tool, Turn, say

from .reply import Reply
from .world import SPOKEN, UPSTREAMS, Exchange, World, name

NOTHING = "-"
WORDS = "Say hello"
CAP = 8_000
"""More than the budget of thoughts, so that no cap is moved."""


def ask(upstream: str, **more: Any) -> Asked:
    """A plain request; `more` of it."""
    model = f"{name(upstream)}/{UPSTREAMS[upstream][1]}"
    return Asked(**{"model": model, "turns": [Turn("user", WORDS)], "cap": CAP, **more})


def tool(name: str) -> Tool:
    properties = {"city": {"type": "string", "description": "Where."}, "days": {"type": "integer"}}
    schema = {"type": "object", "properties": properties, "required": ["city", "days"], "additionalProperties": False}
    return Tool(name, "How it is there.", schema)


TOOLS = [tool("weather"), tool("clock")]
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "ages": {"type": "array", "items": {"type": "integer"}}},
    "required": ["name", "ages"],
    "additionalProperties": False,
}
PNG = Image("image/png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
PDF = Image("application/pdf", b"%PDF-1.4\n" + bytes(range(256)))
WAV = Image("audio/wav", b"RIFF" + bytes(range(256)))
"""With bytes whose base64 has the letters that URL-safe base64 writes otherwise."""


BINDING = "message.thoughts"
"""What of an answer a caller's dialect has no place for, if only of words: what binds thoughts to who had them."""


# --- judging -------------------------------------------------------------------------------------------------------


def verdict(exchange: Exchange, kept: bool, rows: str) -> str:
    """The word for what `rows` (a pattern of the loss report's fields) is about."""
    named = {field: change for field, change in exchange.lost.items() if re.search(rows, field)}
    others = {field: change for field, change in exchange.lost.items() if field not in named and change != "renamed"}
    others.pop(BINDING, None)
    assert not others, f"the loss report names what was not lost: {others}"
    worst = max(named.values(), key=ORDER.index, default=None)
    if kept:
        assert worst != "dropped", f"it is told as dropped, and arrived: {named}"
        return "native" if worst in (None, "renamed") else worst
    assert worst not in (None, "renamed"), "it did not arrive, and the loss report does not say so"
    return worst


ORDER = ["renamed", "emulated", "clamped", "approximated", "dropped"]


def said_of(exchange: Exchange) -> Said:
    """What the upstream said."""
    return say(exchange.asked)


def understood(reply: Reply, said: Said) -> None:
    """The caller got what the upstream said: its words, its calls, and why it ended."""
    assert reply.text == said.text
    assert [(call.name, call.arguments) for call in reply.calls] == [(c.name, c.arguments) for c in said.calls]
    assert reply.reason == {"sequence": "stop"}.get(said.reason, said.reason)


def heard(exchange: Exchange) -> None:
    """The upstream was asked what the caller asked: the words, at least."""
    assert exchange.asked.turns[-1].text == WORDS
    understood(exchange.answer, said_of(exchange))


# --- one feature of a request ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Feature:
    """Something that a request says, and whether the upstream was told so."""

    row: str
    given: dict[str, Any]
    kept: Callable[[Asked], bool]
    """Judged by what the upstream was asked."""
    lost: str
    """The loss report's fields that speak of it."""
    needs: str | None = None
    """What a caller's dialect must be able to say."""
    beside: str | None = None
    """A member that some callers say with it, and whose loss is not its own."""

    def run(self, world: World, caller: str, upstream: str) -> str:
        asked = ask(upstream, **self.given)
        exchange = world.ask(caller, asked)
        heard(exchange)
        form = getattr(SPOKEN[caller], "FORM", None)
        told = exchange.lost.pop(form, None) if form else None
        if told and self.row.startswith("words"):
            return told
        if self.beside and self.beside in json.dumps(SPOKEN[caller].write(asked)):
            exchange.lost = {row: change for row, change in exchange.lost.items() if self.beside not in row}
        return verdict(exchange, self.kept(exchange.asked), self.lost)


def same_tools(asked: Asked) -> bool:
    return asked.tools == TOOLS


def refused(world: World, caller: str, upstream: str) -> str:
    """What a caller is told of a form that the upstream has nothing like."""
    exchange = world.ask(caller, ask(upstream))
    assert exchange.status == SPOKEN[caller].REFUSED_BY[upstream]
    assert exchange.error
    assert exchange.upstream is None
    return "refused"


def run(scenario: Any, world: World, caller: str, upstream: str) -> str:
    """The word for a feature or a course of one pair."""
    if scenario.needs in SPOKEN[caller].CANNOT:
        return NOTHING
    if upstream in getattr(SPOKEN[caller], "REFUSED_BY", ()):
        return refused(world, caller, upstream)
    return scenario.run(world, caller, upstream)


NEVER = r"(?!)"
"""No row may be about it: it must arrive."""
FEATURES = [
    Feature("words", {}, lambda asked: asked.cap == CAP, NEVER),
    Feature("words, streamed", {"stream": True}, lambda asked: asked.stream, NEVER),
    Feature("system prompt", {"system": ["Be brief.", "Be kind."]}, lambda asked: "\n".join(asked.system).split("\n") == ["Be brief.", "Be kind."], NEVER, "system"),
    Feature(
        "earlier turns",
        {"turns": [Turn("user", "First"), Turn("assistant", "Yes"), Turn("user", WORDS)]},
        lambda asked: [(turn.role, turn.text) for turn in asked.turns] == [("user", "First"), ("assistant", "Yes"), ("user", WORDS)],
        NEVER,
        "turns",
    ),
    Feature("picture", {"turns": [Turn("user", WORDS, [PNG])]}, lambda asked: asked.turns[-1].images == [PNG], "image|source|Data", "images"),
    Feature("document", {"turns": [Turn("user", WORDS, [PDF])]}, lambda asked: asked.turns[-1].images == [PDF], "document|file|content|Data|source", "document", "filename"),
    Feature("sound", {"turns": [Turn("user", WORDS, [WAV])]}, lambda asked: asked.turns[-1].images == [WAV], "audio|content|Data", "audio"),
    Feature("output cap", {"cap": 16}, lambda asked: asked.cap == 16, NEVER),
    Feature("stop sequence", {"stop": ["hel"]}, lambda asked: asked.stop == ["hel"], "stop", "stop"),
    Feature("temperature", {"temperature": 0.5}, lambda asked: asked.temperature == 0.5, "temperature"),
    Feature("`top_p`", {"top_p": 0.5}, lambda asked: asked.top_p == 0.5, "top_?p|topP"),
    Feature("`top_k`", {"top_k": 5}, lambda asked: asked.top_k == 5, "top_?k|topK", "top_k"),
    Feature("seed", {"seed": 5}, lambda asked: asked.seed == 5, "seed", "seed"),
    Feature("user", {"user": "u-1"}, lambda asked: asked.user == "u-1", "user", "user"),
    Feature("tools", {"tools": TOOLS[:1]}, lambda asked: asked.tools == TOOLS[:1], NEVER, "tools"),
    Feature("tools in parallel", {"tools": TOOLS}, same_tools, NEVER, "tools"),
    Feature("tools, streamed", {"tools": TOOLS, "stream": True}, same_tools, NEVER, "tools"),
    Feature("one tool at a time", {"tools": TOOLS, "parallel": False}, lambda asked: not asked.parallel, "parallel", "parallel"),
    Feature("tool choice: any", {"tools": TOOLS, "choice": "any"}, lambda asked: asked.choice == "any", "tool_?[cC]", "choice"),
    Feature("tool choice: one", {"tools": TOOLS, "choice": "clock"}, lambda asked: asked.choice == "clock", "tool_?[cC]", "choice"),
    Feature("tool choice: none", {"tools": TOOLS, "choice": "none"}, lambda asked: asked.choice == "none" or not asked.tools, "tool_?[cC]", "choice"),
    Feature("structured output", {"schema": SCHEMA}, lambda asked: asked.schema == SCHEMA, "format|schema|Schema|MimeType", "schema"),
    Feature("structured output, streamed", {"schema": SCHEMA, "stream": True}, lambda asked: asked.schema == SCHEMA, "format|schema|Schema|MimeType", "schema"),
    Feature("any JSON", {"any_json": True}, lambda asked: asked.any_json, "format|response", "any_json"),
]  # fmt: skip


# --- more than one exchange ------------------------------------------------------------------------------------------


Run = Callable[[World, str, str], str]
"""For a caller and an upstream."""


@dataclass(frozen=True)
class Course:
    """Several exchanges, or one with a fault."""

    row: str
    run: Run
    needs: str | None = None


def course(row: str, among: list[Course], needs: str | None = None) -> Callable[[Run], Run]:
    """Adds a function to a table."""

    def add(run: Run) -> Run:
        among.append(Course(row, run, needs))
        return run

    return add
