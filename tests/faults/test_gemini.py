"""F30, what goes wrong with a Gemini upstream's stream, which has no end mark of its own: what callers of each dialect get."""

from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from tests.python.dialects.scenarios import ask, said_of, understood
from tests.python.dialects.world import CALLERS, SPOKEN, open_world
from tests.upstream import Plan

WORDS = "The server had an error while processing your request."
STREAMS = [*CALLERS, "gemini, array"]
"""Callers that stream."""
TRUNCATED = "upstream_truncated"
ERROR = "upstream_error"


@dataclass(frozen=True)
class Case:
    """What the upstream does, and what its callers are told."""

    plan: dict[str, Any]
    code: str | None = None
    """Of the record; None: the answer is whole."""
    words: str = ""
    """Words of the error that callers get."""
    begins: bool = True
    """Words of the answer come before it."""


CASES = {
    "it ends": Case({}),
    "it ends with its connection": Case({"framing": "close"}),
    "it ends, byte by byte": Case({"split": 1}),
    "it stops twice before it begins (Chevey339/kelivo#1003)": Case({"early_finish": True}),
    "it stops before it begins, and not at its end": Case({"early_finish": True, "truncate": 1_000}, TRUNCATED),
    "it does not finish": Case({"no_finish_reason": True}, TRUNCATED),
    "it does not finish, and ends with its connection": Case({"no_finish_reason": True, "framing": "close"}, TRUNCATED),
    "an event is an error (diegosouzapw/OmniRoute#4177)": Case({"error_event": 2}, ERROR, WORDS),
    "the first event is an error": Case({"error_event": 0}, ERROR, WORDS, begins=False),
    "an error behind the events (theopenco/llmgateway#3616)": Case(
        {"error_event": 2, "error_form": "bare"}, ERROR, WORDS
    ),
    "an error behind the events, and a blank line": Case({"error_event": 2, "error_form": "bare_ended"}, ERROR, WORDS),
    "an error behind the events, byte by byte": Case(
        {"error_event": 2, "error_form": "bare_ended", "split": 1}, ERROR, WORDS
    ),
    "an error and no event": Case({"error_event": 0, "error_form": "bare"}, ERROR, WORDS, begins=False),
}
PROVIDER = """
[[providers]]
name = "{name}"
type = "gemini"
base_url = "{{url}}"
api_key = "sk-fake"
models = ["gemini-3-fake"]
"""
RUNS = [pytest.param(name, caller, id=f"{name}-{caller}") for name in CASES for caller in STREAMS]


def provider(name, caller):
    """Each run has its own: one that fails is asked less afterwards."""
    return f"g{list(CASES).index(name)}-{STREAMS.index(caller)}"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    more = "".join(PROVIDER.format(name=provider(name, caller)) for name in CASES for caller in STREAMS)
    with open_world(tmp_path_factory.mktemp("gemini"), more) as world:
        yield world


def put(world, name, caller, **more):
    """One exchange of the case's."""
    case = CASES[name]
    asked = ask("gemini", stream=True)
    asked.model = f"{provider(name, caller)}/gemini-3-fake"
    spoken = SPOKEN[caller]
    return world.post(caller, spoken.path(asked), spoken.write(asked), stream=True, plan=Plan(**case.plan), **more)


def of_the_upstream(world, exchange, case):
    """The bytes of the same answer, asked of the upstream itself."""
    world.upstream.plan(Plan(**case.plan))
    asked = exchange.upstream
    return httpx2.post(world.upstream.url + asked.path, content=asked.body, headers={"x-goog-api-key": "k"}).content


@pytest.mark.parametrize(("name", "caller"), RUNS)
def test_f30_a_gemini_upstreams_stream(world, name, caller):
    case = CASES[name]
    # Between equals the events pass as they came, also those that finish before anything is said.
    passes = caller == "gemini" and "early_finish" in case.plan
    exchange = put(world, name, caller, understand=not passes)
    record = exchange.record
    assert record["error"] == case.code
    assert record["status"] == exchange.status == (200 if case.begins else 502)
    if caller == "gemini" and case.code is None:
        assert exchange.body == of_the_upstream(world, exchange, case)
    if passes:
        return
    if not case.begins:
        assert case.words in exchange.error
    elif case.code is None:
        understood(exchange.answer, said_of(exchange))
        assert record["ending"] == "completed"
    else:
        assert exchange.answer.error
        assert case.words in exchange.answer.error
        assert exchange.answer.reason is None
        assert said_of(exchange).text.startswith(exchange.answer.text)
        assert exchange.answer.text
        assert record["ending"] == "broken"
