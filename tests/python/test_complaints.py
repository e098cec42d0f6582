"""What users of other gateways complained about where dialects meet, one test each, through the real port.

The numbers are those of the projects' own trackers. The same complaints are tested inside the core, dialect by dialect
(`native/core/src/dialects/*/tests/complaints.rs`); here a caller and an upstream are at either end.
"""

import base64
import copy
import json
import zlib

import pytest
from tests.python.dialects.courses import results
from tests.python.dialects.scenarios import BINDING, SCHEMA, TOOLS, WORDS, ask, said_of, understood
from tests.python.dialects.world import CALLERS, PAIRS, UPSTREAMS, answered, name
from tests.upstream import Plan
from tests.upstream.mind import Call, Result, Tool, Turn, sign

pairs = pytest.mark.parametrize(("caller", "upstream"), PAIRS, ids=map(">".join, PAIRS))
across = pytest.mark.parametrize(
    ("caller", "upstream"), [pair for pair in PAIRS if len(set(pair)) == 2], ids=lambda name: name
)
"""Between equals an answer goes on as it came."""
callers = pytest.mark.parametrize("caller", CALLERS)
upstreams = pytest.mark.parametrize("upstream", UPSTREAMS)


DEEP = Tool(
    "file_report",
    "Files a report.",
    {
        "type": "object",
        "properties": {
            "title": {"type": "string", "description": "One line.", "minLength": 1, "maxLength": 80},
            "kind": {"type": "string", "enum": ["bug", "wish"], "default": "bug"},
            "when": {"type": ["string", "null"], "format": "date-time"},
            "tags": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]+$"}, "minItems": 1, "uniqueItems": True},
            "who": {"anyOf": [{"$ref": "#/$defs/person"}, {"type": "null"}]},
            "extra": {"type": "object", "additionalProperties": {"type": "number"}},
        },
        "required": ["title", "kind"],
        "$defs": {"person": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}},
    },
)  # fmt: skip


@pairs
def test_bifrost_3441_3511_3512_2913_tools_keep_every_word_of_their_schemas(world, caller, upstream):
    exchange = world.ask(caller, ask(upstream, tools=[DEEP]))
    assert exchange.asked.tools == [DEEP] or exchange.lost, "what is not the same is told"
    assert exchange.asked.tools == [DEEP]


@pairs
def test_bifrost_3441_results_find_their_calls_in_whatever_order(world, caller, upstream):
    first = world.ask(caller, ask(upstream, tools=TOOLS)).answer
    back = Turn("user", results=[Result(call.id, call.name, f"of {call.name}") for call in reversed(first.calls)])
    exchange = world.ask(caller, ask(upstream, tools=TOOLS, turns=[Turn("user", WORDS), first.given(), back]))
    assistant, user = exchange.asked.turns[1:]
    by_id = {call.id: call.name for call in assistant.calls}
    for result in user.results:
        assert result.text == f"of {result.name or by_id[result.id]}"
        assert result.id is None or by_id[result.id] in result.text


@callers
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_bifrost_6342_replayed_thoughts_are_accepted_by_who_thought_them(world, caller, stream):
    first = world.ask(caller, ask("anthropic", tools=TOOLS, thinks=True, stream=stream))
    turns = [Turn("user", WORDS), first.answer.given(), results(first.answer.calls)]
    second = world.ask(caller, ask("anthropic", tools=TOOLS, thinks=True, stream=stream, turns=turns))
    assert second.status == 200, second.error
    understood(second.answer, said_of(second))
    if second.asked.thinks:
        thought = said_of(first).thought
        assert [(t.text, t.signature) for t in second.asked.turns[1].thoughts] == [(thought.text, thought.signature)]
    else:
        assert second.lost, "that it thinks no more is told"


@upstreams
@pytest.mark.parametrize("more", [{}, {"tools": TOOLS}, {"thinks": True}], ids=["words", "calls", "thoughts"])
def test_bifrost_4556_message_start_is_sent_once(world, upstream, more):
    exchange = world.ask("anthropic", ask(upstream, stream=True, **more))
    assert exchange.body.count(b"event: message_start") == 1
    assert exchange.body.count(b"event: message_stop") == 1


@callers
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_portkey_1275_1399_1442_hebo_226_googles_signatures_come_back_to_their_calls(world, caller, stream):
    turns = [Turn("user", WORDS)]
    for _ in range(3):
        exchange = world.ask(caller, ask("gemini", tools=TOOLS, thinks=True, stream=stream, turns=turns))
        assert exchange.status == 200, exchange.error
        turns += [exchange.answer.given()]
        turns += [results(exchange.answer.calls)] if exchange.answer.calls else [Turn("user", WORDS)]
    contents = json.loads(exchange.upstream.body)["contents"]
    called = [part for content in contents for part in content["parts"] if "functionCall" in part]
    signatures = [part.get("thoughtSignature") for part in called]
    if caller == "ollama":  # whose messages have no place for them
        assert "skip_thought_signature_validator" in str(signatures) or exchange.lost or signatures
    else:
        signed = [signature for signature in signatures if signature]
        assert {s.replace("-", "+").replace("_", "/").rstrip("=") for s in signed} == {sign("weather").rstrip("=")}


@pytest.mark.parametrize("dialect", [name for name in CALLERS if name != "gemini"])
def test_cliproxyapi_2172_between_equals_not_a_byte_is_written_anew(world, dialect):
    asked = ask(dialect, thinks=False)
    body = json.dumps(CALLERS[dialect].write(asked), indent=3).replace(
        "Say hello", "Say\\u0020h\\u00e9llo \\/ \\ud83d\\ude00"
    )
    target = world.url + CALLERS[dialect].path(asked)
    headers = {**CALLERS[dialect].HEADERS, "content-type": "application/json"}
    assert world.client.post(target, content=body.encode(), headers=headers).status_code == 200
    came = world.asked()[-1].body.decode()
    assert came == body.replace(f'"{asked.model}"', f'"{UPSTREAMS[dialect][1]}"')


MALFORMED = '{"city": "Par'


@callers
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_litellm_18667_arguments_that_are_no_json_are_no_error_of_ours(world, caller, stream):
    whole = json.dumps(json.dumps({"city": WORDS, "days": 7}))[1:-1].encode()

    def edit(body):
        if not stream:
            return body.replace(whole, json.dumps(MALFORMED)[1:-1].encode())
        kept = [line for line in body.split(b"\n\n") if b'"arguments":""' in line or b'"tool_calls"' not in line]
        at = next(place for place, line in enumerate(kept) if b'"tool_calls"' in line)
        kept[at] = kept[at].replace(b'"arguments":""', b'"arguments":' + json.dumps(MALFORMED).encode())
        return b"\n\n".join(kept)

    plan = answered(world, "openai_chat", edit, ask("openai_chat", tools=TOOLS[:1], stream=stream))
    asked = ask("openai_chat", tools=TOOLS[:1], stream=stream)
    spoken = CALLERS[caller]
    exchange = world.post(caller, spoken.path(asked), spoken.write(asked), plan=Plan(**plan), understand=False)
    assert exchange.status == 200
    assert "Par" in exchange.body.decode(), "what the model wrote reaches the caller"


@pytest.mark.parametrize(
    ("caller", "upstream"), [(c, u) for c, u in PAIRS if c in ("openai_chat", "openai_responses") and c != u]
)
def test_litellm_18667_and_they_may_be_sent_back(world, caller, upstream):
    asked = ask(upstream, tools=TOOLS[:1], turns=[Turn("user", WORDS), results([Call("call_1", "weather", {})])])
    body = CALLERS[caller].write(asked)
    function = {"name": "weather", "arguments": MALFORMED}
    if caller == "openai_chat":
        message = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
        }
        body["messages"].insert(1, message)
    else:
        body["input"].insert(1, {"type": "function_call", "call_id": "call_1", **function})
    exchange = world.post(caller, CALLERS[caller].path(asked), body, understand=False)
    assert exchange.status == 200, exchange.error
    [call] = exchange.asked.turns[1].calls
    assert MALFORMED in json.dumps(call.arguments).encode().decode("unicode_escape")


@pytest.mark.parametrize("upstream", [name for name in UPSTREAMS if name != "openai_chat"])  # which shows no thoughts
def test_litellm_26916_37953_thoughts_come_before_what_they_led_to(world, upstream):
    for stream in (False, True):
        asked = {"tools": TOOLS, "thinks": True, "stream": stream}
        blocks = world.ask("anthropic", ask(upstream, **asked)).answer.raw
        kinds = [block["type"] for block in blocks if block["type"] != "redacted_thinking"]
        assert kinds == ["thinking", "tool_use", "tool_use"]
        items = world.ask("openai_responses", ask(upstream, **asked)).answer.raw
        # What binds Google's thoughts to a call stands beside it, without words.
        kinds = [item["type"] for item in items if item["type"] != "reasoning" or item["summary"]]
        assert kinds == ["reasoning", "function_call", "function_call"]
        parts = world.ask("gemini", ask(upstream, **asked)).answer.raw["parts"]
        shown = [
            "thought" if part.get("thought") else "call" for part in parts if part.get("text") or "functionCall" in part
        ]
        assert shown == sorted(shown, reverse=True)
        message = world.ask("openai_chat", ask(upstream, **asked)).answer
        assert message.text == "", "thoughts are not among the words"


@pairs
def test_litellm_9504_an_answer_by_a_schema_keeps_to_it_or_says_how(world, caller, upstream):
    exchange = world.ask(caller, ask(upstream, schema=SCHEMA))
    assert json.loads(exchange.answer.text).keys() == SCHEMA["properties"].keys()
    assert exchange.asked.schema == SCHEMA
    changes = {change for row, change in exchange.lost.items() if row != BINDING}
    assert changes <= {"renamed"}, "it is native everywhere"


@upstreams
def test_litellm_20021_22878_36683_t3code_1225_what_claude_code_sends_is_taken(world, upstream):
    body = CALLERS["anthropic"].write(ask(upstream, tools=TOOLS))
    body |= {
        "system": [
            {"type": "text", "text": "You are Claude Code.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
        ],
        "metadata": {"user_id": "user_1_account__session_2"},
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "high"},
    }
    body["tools"][0]["cache_control"] = {"type": "ephemeral"}
    body["messages"][0]["content"][0]["cache_control"] = {"type": "ephemeral"}
    if upstream != "anthropic":  # whose beta it is
        body["context_management"] = {"edits": [{"type": "clear_tool_uses_20250919"}]}
    headers = {**CALLERS["anthropic"].HEADERS, "anthropic-beta": "claude-code-20250219,context-management-2025-06-27"}
    answer = world.client.post(world.url + "/v1/messages?beta=true", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    came = world.asked()[-1]
    sent = came.header("anthropic-beta")
    assert sent == headers["anthropic-beta"] if upstream == "anthropic" else sent is None
    if upstream != "anthropic":
        assert "context_management" in answer.headers["x-hoosh-loss"]


@pytest.mark.parametrize("upstream", [name for name in UPSTREAMS if name != "openai_responses"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_litellm_29818_preloop_159_codex_manager_91_codexs_namespaces_come_back(world, upstream, stream):
    asked = ask(upstream, stream=stream)
    body = CALLERS["openai_responses"].write(asked)
    function = {
        "type": "function",
        "name": "run",
        "description": "Runs.",
        "parameters": TOOLS[0].parameters,
        "strict": False,
    }
    body["tools"] = [{"type": "namespace", "name": "shell", "description": "A shell.", "tools": [function]}]
    exchange = world.post("openai_responses", "/v1/responses", body, stream=stream)
    calls = [item for item in exchange.answer.raw if item["type"] == "function_call"]
    assert [(item.get("namespace"), item["name"]) for item in calls] == [("shell", "run")]


@pytest.mark.parametrize("caller", CALLERS)
def test_envoy_ai_gateway_805_1428_large_bodies_arrive_whole(world, caller):
    text = "Grüße " * 400_000
    upstream = next(name for name in UPSTREAMS if name != caller)
    exchange = world.ask(
        caller, ask(upstream, turns=[Turn("user", text), Turn("assistant", "Yes"), Turn("user", WORDS)])
    )
    assert exchange.asked.turns[0].text == text


@across
@pytest.mark.parametrize("split", [None, 1])
def test_envoy_ai_gateway_0_7_events_without_a_space_are_read_at_any_split(world, caller, upstream, split):
    def edit(body):
        return body.replace(b"data: ", b"data:").replace(b"event: ", b"event:")

    more = {"tools": TOOLS, "stream": True}
    exchange = world.ask(
        caller, ask(upstream, **more), Plan(**answered(world, upstream, edit, ask(upstream, **more)), split=split)
    )
    understood(exchange.answer, said_of(exchange))


@upstreams
def test_a_response_that_is_kept_upstream_is_found(world, upstream):
    """`previous_response_id` and what stands below `/v1/responses/{id}`, for responses of every upstream."""
    body = {"model": ask(upstream).model, "input": WORDS}
    first = world.post("openai_responses", "/v1/responses", body)
    id_ = json.loads(first.body)["id"]
    second = world.post(
        "openai_responses", "/v1/responses", {**copy.deepcopy(body), "input": "And now?", "previous_response_id": id_}
    )
    assert second.answer.text == "You said: And now?"
    assert next(turn.text for turn in second.asked.turns if turn.role == "user") == WORDS
    assert world.client.get(f"{world.url}/v1/responses/{id_}").status_code == 200


def amazons(payload: bytes) -> bytes:
    """One message of `application/vnd.amazon.eventstream` (Smithy's event stream encoding): lengths, headers, payload,
    each sum of its own."""
    headers = b"".join(
        bytes([len(name)]) + name + b"\x07" + len(value).to_bytes(2, "big") + value
        for name, value in [(b":event-type", b"chunk"), (b":message-type", b"event"), (b":content-type", b"application/json")]
    )  # fmt: skip
    prelude = (16 + len(headers) + len(payload)).to_bytes(4, "big") + len(headers).to_bytes(4, "big")
    message = prelude + zlib.crc32(prelude).to_bytes(4, "big") + headers + payload
    return message + zlib.crc32(message).to_bytes(4, "big")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pairs
def test_bifrost_4545_amazons_event_stream_is_refused_and_no_byte_of_it_reaches_a_caller(
    world, caller, upstream, stream
):
    """hoosh does not speak it, and does not pass for text what is none."""
    event = json.dumps({"bytes": base64.b64encode(b'{"type":"message_start"}').decode()}).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\nconnection: close\r\n\r\n"
    asked = ask(upstream, stream=stream)
    # A provider that answers so is asked less: the one that is there to fail.
    asked.model = f"{name(upstream, caller, 'truncated')}/{UPSTREAMS[upstream][1]}"
    exchange = world.ask(caller, asked, Plan(raw=head + amazons(event) * 3, raw_end="close"))
    assert exchange.status == 502
    assert exchange.error
    assert exchange.record["error"] == "upstream_malformed"
    assert b"chunk" not in exchange.body
    assert exchange.headers["content-type"] == "application/json"
