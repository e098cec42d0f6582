"""What users of other gateways complained about of tokens where dialects meet, one test each, through the real port.

The numbers are those of the projects' own trackers. The same complaints are tested inside the core, dialect by dialect
(`native/core/src/dialects/*/tests/complaints.rs`); here a caller and an upstream are at either end.
"""

import json
import re

import pytest
from tests.python.dialects.scenarios import TOOLS, ask, said_of
from tests.python.dialects.world import CALLERS, PAIRS, UPSTREAMS, answered, open_world
from tests.upstream import Plan

pairs = pytest.mark.parametrize(("caller", "upstream"), PAIRS, ids=map(">".join, PAIRS))
across = pytest.mark.parametrize(
    ("caller", "upstream"), [pair for pair in PAIRS if len(set(pair)) == 2], ids=lambda name: name
)
"""Between equals an answer goes on as it came."""
callers = pytest.mark.parametrize("caller", CALLERS)
upstreams = pytest.mark.parametrize("upstream", UPSTREAMS)


@upstreams
def test_litellm_3490_5632_6633_9657_usage_is_asked_of_each_stream_and_kept_from_who_did_not_ask(world, upstream):
    body = CALLERS["openai_chat"].write(ask(upstream, stream=True))
    del body["stream_options"]
    exchange = world.post("openai_chat", "/v1/chat/completions", body, stream=True)
    assert exchange.answer.usage.prompt is None
    told = said_of(exchange).usage
    assert exchange.record["usage_source"] == "reported"
    assert (exchange.record["input_tokens"], exchange.record["output_tokens"]) == (told.prompt, told.completion)


@pairs
def test_litellm_23847_a_stream_counts_what_the_whole_answer_counts(world, caller, upstream):
    whole = world.ask(caller, ask(upstream, tools=TOOLS)).answer.usage
    streamed = world.ask(caller, ask(upstream, tools=TOOLS, stream=True)).answer.usage
    assert streamed == whole
    assert whole.prompt
    assert whole.completion


@upstreams
def test_litellm_35290_37140_17364_who_leaves_stops_the_upstream_and_what_was_thought_is_counted(world, upstream):
    asked = ask(upstream, stream=True, thinks=True)
    spoken = CALLERS["anthropic"]  # who asks to see the thoughts
    before = len(world.asked())
    world.upstream.plan(Plan(stall="body", stall_after=5))
    target = world.url + spoken.path(asked)
    with world.client.stream("POST", target, json=spoken.write(asked), headers=spoken.HEADERS) as response:
        pieces = response.iter_raw()
        assert next(pieces)
        request = world.next_after(before)
    world.wait(request)
    assert request.cancelled
    record = world.record(response.headers["x-request-id"])
    assert record["ending"] == "caller_gone"
    # Google counts in each chunk; of the others an estimate says that it is one.
    assert record["usage_source"] in (["reported"] if upstream == "gemini" else ["counted", "bound"])
    assert record["input_tokens"] > 0
    assert record["output_tokens"] > 0


@pairs
def test_bifrost_3357_a_failed_request_costs_nothing(world, caller, upstream):
    exchange = world.ask(caller, ask(upstream), Plan(status=400))
    assert exchange.status == 400
    assert (exchange.record["input_tokens"], exchange.record["output_tokens"]) == (0, 0)


NUMBERS = re.compile(rb'("\w*(?:[tT]oken_?[cC]ount|_tokens|eval_count)": ?)([1-9]\d*)')
"""Counts of tokens, by the names that the five dialects have for them."""


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pairs
def test_octopus_243_negative_usage_refunds_nothing(world, caller, upstream, stream):
    plan = answered(world, upstream, lambda body: NUMBERS.sub(rb"\1-\2", body), ask(upstream, stream=stream))
    exchange = world.ask(caller, ask(upstream, stream=stream), Plan(**plan))
    assert exchange.record["input_tokens"] > 0, "counted instead"
    assert exchange.record["output_tokens"] > 0
    assert exchange.record["usage_source"] != "reported"
    if caller != upstream:
        assert (exchange.answer.usage.prompt or 0) >= 0
        assert (exchange.answer.usage.completion or 0) >= 0


@callers
def test_apisix_13662_higress_1080_totals_of_anthropics_streams_have_their_input_once(world, caller):
    exchange = world.ask(caller, ask("anthropic", stream=True))
    told = said_of(exchange).usage
    assert (exchange.answer.usage.prompt, exchange.answer.usage.completion) == (told.prompt, told.completion)


@callers
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_litellm_36981_8140_3154_llm_gemini_75_googles_thoughts_are_part_of_what_was_written(world, caller, stream):
    exchange = world.ask(caller, ask("gemini", thinks=True, stream=stream))
    told = said_of(exchange).usage
    assert told.thinking > 0
    assert exchange.answer.usage.completion == told.completion == exchange.record["output_tokens"]


@across
def test_litellm_36981_usage_that_nobody_named_is_counted_and_not_zero(world, caller, upstream):
    def edit(body):
        answer = json.loads(body)
        for name in ("usage", "usageMetadata", "prompt_eval_count", "eval_count"):
            answer.pop(name, None)
        return json.dumps(answer).encode()

    exchange = world.post(
        caller, CALLERS[caller].path(ask(upstream)), CALLERS[caller].write(ask(upstream)), understand=False,
        plan=Plan(**answered(world, upstream, edit, ask(upstream))),
    )  # fmt: skip
    assert exchange.status == 200
    assert exchange.record["usage_source"] == "counted"
    assert exchange.record["input_tokens"] > 0
    assert exchange.record["output_tokens"] > 0


PRICES = """[[prices]]
model = "*"
input_usd_per_mtok = 2
output_usd_per_mtok = 8
cached_input_usd_per_mtok = 1
"""


@pytest.fixture(scope="module")
def priced(tmp_path_factory):
    with open_world(tmp_path_factory.mktemp("priced"), PRICES) as world:
        yield world


@callers
def test_litellm_30816_13264_what_a_stream_costs_is_in_its_row_and_its_bytes_are_the_protocols_own(priced, caller):
    def cost(*, stream):
        exchange = priced.ask(caller, ask("anthropic", stream=stream))
        used = said_of(exchange).usage
        nano = (used.prompt - used.cached) * 2_000 + used.cached * 1_000 + used.completion * 8_000
        assert exchange.record["cost_nano_usd"] == nano > 0
        # No protocol has a place for it, and readers by types of their own break on what they do not know.
        assert b"cost" not in exchange.body
        assert "cost" not in " ".join(exchange.headers)
        return nano

    costs = priced.client.get(priced.url + "/v1/costs")
    before = sum(row["cost_nano_usd"] for row in costs.json()["records"])
    spent = cost(stream=True) + cost(stream=False)
    after = priced.client.get(priced.url + "/v1/costs").json()["records"]
    assert sum(row["cost_nano_usd"] for row in after) == before + spent
