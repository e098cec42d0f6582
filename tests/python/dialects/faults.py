"""What the gateway says of tokens, failures, callers that leave and upstreams that break off; and vectors."""

import json

from tests.upstream import Plan
from tests.upstream.mind import Usage

from .scenarios import NOTHING, Course, ask, course, said_of
from .world import EMBEDDING, SPOKEN, UPSTREAMS, Exchange, World, name

COURSES: list[Course] = []
BEGUN = {"anthropic": 5, "openai_responses": 6, "openai_chat": 3, "gemini": 2, "ollama": 2}
"""Events of a stream after which some words were said, and not all."""
SHOWS_CACHED = {"openai_chat", "openai_responses", "anthropic", "gemini"}
SHOWS_THINKING = {"openai_chat", "openai_responses", "anthropic", "gemini"}


@course("usage", COURSES)
def _usage(world: World, caller: str, upstream: str) -> str:
    return _counted(world, caller, upstream, stream=False)


@course("usage, streamed", COURSES)
def _usage_streamed(world: World, caller: str, upstream: str) -> str:
    return _counted(world, caller, upstream, stream=True)


def _counted(world: World, caller: str, upstream: str, *, stream: bool) -> str:
    """Tokens as the upstream counted them, in the answer and in the record."""
    exchange = world.ask(caller, ask(upstream, thinks=True, stream=stream))
    told: Usage = said_of(exchange).usage
    got = exchange.answer.usage
    assert (got.prompt, got.completion) == (told.prompt, told.completion)
    record = exchange.record
    assert (record["input_tokens"], record["output_tokens"]) == (told.prompt, told.completion)
    assert record["usage_source"] == "reported"
    if caller in SHOWS_CACHED and upstream in SHOWS_CACHED:
        assert got.cached == told.cached
    if caller in SHOWS_THINKING and upstream in SHOWS_THINKING:
        assert got.thinking == told.thinking
    return "native"


# --- failures ------------------------------------------------------------------------------------------------------


def failing(world: World, caller: str, upstream: str, fault: str, plan: Plan, **more: object) -> Exchange:
    """Asks the provider that is there to fail so."""
    asked = ask(upstream, **more)
    asked.model = f"{name(upstream, caller, fault)}/{UPSTREAMS[upstream][1]}"
    return world.ask(caller, asked, plan)


@course("error: 400", COURSES)
def _refused(world: World, caller: str, upstream: str) -> str:
    exchange = failing(world, caller, upstream, "400", Plan(status=400))
    assert exchange.status == 400
    assert "Bad Request (as planned)" in (exchange.error or ""), "the provider is quoted"
    return "native"


@course("error: 429 with retry-after", COURSES)
def _throttled(world: World, caller: str, upstream: str) -> str:
    exchange = failing(world, caller, upstream, "429", Plan(status=429, retry_after="70"))
    assert exchange.status == 429
    assert 60 <= int(exchange.headers["retry-after"]) <= 70
    assert exchange.error
    return "native"


@course("error: 500", COURSES)
def _broken(world: World, caller: str, upstream: str) -> str:
    exchange = failing(world, caller, upstream, "500", Plan(status=500))
    assert exchange.status in (500, 502)
    assert exchange.error
    return "native"


@course("error in a stream", COURSES)
def _broken_stream(world: World, caller: str, upstream: str) -> str:
    exchange = failing(world, caller, upstream, "error_event", Plan(error_event=BEGUN[upstream]), stream=True)
    return _ended(exchange)


@course("an answer that breaks off", COURSES)
def _truncated(world: World, caller: str, upstream: str) -> str:
    exchange = failing(world, caller, upstream, "truncated", Plan(truncate=40))
    assert exchange.status == 502
    assert exchange.error
    return "native"


@course("a stream that breaks off", COURSES)
def _truncated_stream(world: World, caller: str, upstream: str) -> str:
    world.ask(caller, ask(upstream, stream=True))
    sent = world.asked()[-1].sent
    exchange = failing(world, caller, upstream, "truncated_stream", Plan(truncate=sent * 6 // 10), stream=True)
    return _ended(exchange)


def _ended(exchange: Exchange) -> str:
    """Told by the dialect's event, or the connection is cut: never taken for an answer that ended."""
    if exchange.cut:
        assert exchange.reply is None
        return "cut"
    assert exchange.answer.error
    assert exchange.answer.reason is None
    return "native"


@course("the caller leaves", COURSES)
def _left(world: World, caller: str, upstream: str) -> str:
    spoken = SPOKEN[caller]
    asked = ask(upstream, stream=True)
    before = len(world.asked())
    world.upstream.plan(Plan(stall="body", stall_after=BEGUN[upstream]))
    with world.client.stream(
        "POST", world.url + spoken.path(asked), json=spoken.write(asked), headers=spoken.HEADERS
    ) as response:
        assert response.status_code == 200
        pieces = response.iter_raw()
        assert next(pieces)
        request = world.next_after(before)
        assert not request.cancelled
    world.wait(request)
    assert request.cancelled
    return "native"


# --- vectors -------------------------------------------------------------------------------------------------------


@course("embeddings", COURSES, "embeddings")
def _embeddings(world: World, caller: str, upstream: str) -> str:
    spoken = SPOKEN[caller]
    if not hasattr(spoken, "embed") or upstream not in EMBEDDING:
        return NOTHING
    path, body = spoken.embed(f"{name(upstream)}/{EMBEDDING[upstream]}", ["a b", "c"])
    exchange = world.post(caller, path, body, understand=False)
    assert exchange.status == 200, exchange.error
    vectors = spoken.vectors(json.loads(exchange.body))
    assert [len(vector) for vector in vectors] == [16, 16]
    assert vectors[0] != vectors[1]
    assert not exchange.lost
    return "native"
