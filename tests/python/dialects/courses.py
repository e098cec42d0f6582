"""Conversations of several turns: results of tools, and thoughts that go back to who thought them."""

from tests.upstream import Plan
from tests.upstream.mind import Call, Result, Turn

from .scenarios import NOTHING, PNG, SCHEMA, TOOLS, WORDS, Course, ask, course, heard, said_of, understood, verdict
from .world import Exchange, World

SPLIT = "Grüße 😀\n\ndata: [DONE]\r\n\u2028end"
"""Letters of several bytes, ends of lines, and what looks like an event."""
SIGNED = "thought_signature"
"""Gemini 3 takes no call without one: a caller whose dialect cannot carry it has it made up for, and told so."""

COURSES: list[Course] = []


def results(calls: list[Call], text: str = "sunny", **more: object) -> Turn:
    """What the tools gave back."""
    return Turn("user", results=[Result(call.id, call.name, text, **more) for call in calls])  # type: ignore[arg-type]


def called(world: World, caller: str, upstream: str, **more: object) -> tuple[Exchange, list[Turn]]:
    """The first exchange of a conversation with tools, and its turns."""
    exchange = world.ask(caller, ask(upstream, tools=TOOLS, **more))
    heard(exchange)
    assert len(exchange.answer.calls) == 2
    return exchange, [Turn("user", WORDS), exchange.answer.given()]


def answered(exchange: Exchange) -> list[Result]:
    """The results that the upstream got: each answers a call of the turn before it, in order."""
    *_, assistant, user = exchange.asked.turns
    known = {call.id: call.name for call in assistant.calls}
    assert len(user.results) == len(known) == 2
    for result, call in zip(user.results, assistant.calls, strict=True):
        assert (result.id or call.id) == call.id
        assert (result.name or call.name) == call.name
    return user.results


@course("results of tools", COURSES, "tools")
def _results(world: World, caller: str, upstream: str) -> str:
    first, turns = called(world, caller, upstream)
    exchange = world.ask(caller, ask(upstream, tools=TOOLS, turns=[*turns, results(first.answer.calls)]))
    understood(exchange.answer, said_of(exchange))
    assert [call.arguments for call in exchange.asked.turns[1].calls] == [c.arguments for c in said_of(first).calls]
    return verdict(exchange, [result.text for result in answered(exchange)] == ["sunny"] * 2, SIGNED)


@course("a tool that failed", COURSES, "failed")
def _failed(world: World, caller: str, upstream: str) -> str:
    first, turns = called(world, caller, upstream)
    turns.append(results(first.answer.calls, "no such city", failed=True))
    exchange = world.ask(caller, ask(upstream, tools=TOOLS, turns=turns))
    understood(exchange.answer, said_of(exchange))
    told = answered(exchange)
    assert all("no such city" in result.text for result in told)
    rows = f"error|is_error|response|{SIGNED}"
    if all(result.failed for result in told):
        return verdict(exchange, True, rows)
    word = verdict(exchange, False, rows)
    assert all("error" in result.text.lower() for result in told), "that it failed is said in words"
    return word


@course("a picture in a result", COURSES, "result_images")
def _pictured(world: World, caller: str, upstream: str) -> str:
    first, turns = called(world, caller, upstream)
    turns.append(results(first.answer.calls, images=(PNG,)))
    exchange = world.ask(caller, ask(upstream, tools=TOOLS, turns=turns))
    assert [result.text for result in exchange.asked.turns[2].results] == ["sunny"] * 2
    kept = all(result.images == (PNG,) for result in answered_any(exchange))
    word = verdict(exchange, kept, f"image|content|output|parts|Response|{SIGNED}")
    if word != "dropped" and not kept:
        assert PNG in [image for turn in exchange.asked.turns for image in turn.images], "it came elsewhere"
    return word


def answered_any(exchange: Exchange) -> list[Result]:
    return exchange.asked.turns[2].results


@course("structured output, open schema", COURSES, "schema")
def _open(world: World, caller: str, upstream: str) -> str:
    """A schema that does not say `additionalProperties`, as pydantic and zod make them."""
    if caller == "anthropic":
        return NOTHING  # Anthropic refuses it
    schema = {name: value for name, value in SCHEMA.items() if name != "additionalProperties"}
    exchange = world.ask(caller, ask(upstream, schema=schema))
    heard(exchange)
    return verdict(exchange, exchange.asked.schema in (schema, SCHEMA), "format|schema|Schema|MimeType")


@course("structured output, optional member", COURSES, "schema")
def _optional(world: World, caller: str, upstream: str) -> str:
    """A member that may be left out: OpenAI takes no such schema as strict, the others do."""
    schema = {**SCHEMA, "required": ["name"]}
    exchange = world.ask(caller, ask(upstream, schema=schema))
    heard(exchange)
    return verdict(exchange, exchange.asked.schema in (schema, SCHEMA), "format|schema|Schema|MimeType|strict")


@course("structured output, bounds", COURSES, "schema")
def _bounds(world: World, caller: str, upstream: str) -> str:
    """Numbers within bounds: Anthropic takes no such schema, and its SDK puts them into descriptions."""
    if caller == "anthropic":
        return NOTHING
    bounded = {"type": "integer", "minimum": 7, "maximum": 9}
    schema = {**SCHEMA, "properties": {**SCHEMA["properties"], "name": bounded}}
    exchange = world.ask(caller, ask(upstream, schema=schema))
    heard(exchange)
    return verdict(exchange, exchange.asked.schema == schema, "format|schema|Schema|MimeType")


@course("words, thoughts and calls, a byte at a time", COURSES, "tools")
def _split(world: World, caller: str, upstream: str) -> str:
    """Wherever the upstream's bytes are cut, the caller reads the same."""
    asked = ask(upstream, tools=TOOLS, thinks=True, stream=True)
    asked.turns[0].text = SPLIT
    exchange = world.ask(caller, asked, Plan(split=1))
    assert exchange.asked.turns[0].text == SPLIT
    understood(exchange.answer, said_of(exchange))
    assert exchange.answer.thinking == thought(exchange)
    return "native"


# --- thoughts ------------------------------------------------------------------------------------------------------


def thought(exchange: Exchange) -> str:
    """What the upstream let be seen of its thoughts. OpenAI's chat shows none, and its Responses if they are asked to."""
    said = said_of(exchange)
    return said.thought.text if said.thought and exchange.asked.shows else ""


@course("thinking", COURSES, "thinks")
def _thinking(world: World, caller: str, upstream: str) -> str:
    return _thinks(world, caller, upstream, stream=False)


@course("thinking, streamed", COURSES, "thinks")
def _thinking_streamed(world: World, caller: str, upstream: str) -> str:
    return _thinks(world, caller, upstream, stream=True)


def _thinks(world: World, caller: str, upstream: str, *, stream: bool) -> str:
    exchange = world.ask(caller, ask(upstream, thinks=True, stream=stream))
    heard(exchange)
    assert exchange.answer.thinking == thought(exchange)
    return verdict(exchange, exchange.asked.thinks, "think|reason|effort")


@course("thoughts of three turns", COURSES, "tools")
def _thoughts(world: World, caller: str, upstream: str) -> str:
    return _three(world, caller, upstream, stream=False)


@course("thoughts of three turns, streamed", COURSES, "tools")
def _thoughts_streamed(world: World, caller: str, upstream: str) -> str:
    return _three(world, caller, upstream, stream=True)


def _three(world: World, caller: str, upstream: str, *, stream: bool) -> str:
    """A call, its result, and one more question: what was thought goes back each time, and is accepted."""
    first, turns = called(world, caller, upstream, thinks=True, stream=stream)
    turns.append(results(first.answer.calls))
    second = world.ask(caller, ask(upstream, thinks=True, stream=stream, tools=TOOLS, turns=turns))
    understood(second.answer, said_of(second))
    turns += [second.answer.given(), Turn("user", WORDS)]
    third = world.ask(caller, ask(upstream, thinks=True, stream=stream, tools=TOOLS, turns=turns))
    heard(third)
    # What an answer could not carry was told when it was given.
    third.lost = {**first.lost, **second.lost, **third.lost}
    if upstream == "openai_chat":
        return NOTHING
    assistants = [turn for turn in third.asked.turns if turn.role == "assistant"]
    rows = "think|thought|reason|effort|signature|Signature|encrypted"
    if upstream == "ollama":
        # It keeps no thoughts of its own apart from the words: nothing binds them.
        return verdict(third, third.asked.thinks, rows)
    return verdict(third, all(any(t.signature for t in turn.thoughts) for turn in assistants), rows)
