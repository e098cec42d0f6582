"""What passes between the gateway and an engine's process: framed, and back the same."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoosh.engines import (
    Cancelled,
    ChatRequest,
    CompletionRequest,
    EmbedRequest,
    Finish,
    Refused,
    Text,
    ToolCall,
    Usage,
)
from hoosh.engines.host import frames, words
from hoosh.engines.host.frames import LENGTH, BadFrame, Frames, frame
from hoosh.engines.request import chat_requests, completion_requests, embed_request

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
MESSAGES = st.lists(st.dictionaries(st.text(max_size=5), VALUES, max_size=3), max_size=5)


@given(MESSAGES, st.integers(1, 40))
def test_messages_come_as_they_were_however_they_are_cut(messages, size):
    written, reader, read = b"".join(map(frame, messages)), Frames(), []
    for at in range(0, len(written), size):
        read += reader.feed(written[at : at + size])
    assert [message for message, _ in read] == messages
    assert sum(size for _, size in read) == len(written)


def test_half_of_a_surrogate_pair_gets_through():
    ((message, _),) = Frames().feed(frame({"text": "\ud83d"}))
    assert message == {"text": "\ud83d"}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"1", b'"a"', b"\xff\xff", b"{}x", b"[" * 100_000, b'{"a": 1e}'], ids=repr
)
def test_what_is_no_message_is_told(body):
    with pytest.raises(BadFrame):
        Frames().feed(LENGTH.pack(len(body)) + body)


def test_a_length_claims_no_memory():
    reader = Frames()
    with pytest.raises(BadFrame, match="64 MiB"):
        reader.feed(LENGTH.pack(frames.LARGEST + 1))


def test_what_is_too_large_or_no_json_is_not_written(monkeypatch):
    with pytest.raises(TypeError):
        frame({"a": b"bytes"})
    monkeypatch.setattr(frames, "LARGEST", 10)
    with pytest.raises(ValueError, match="a message between"):
        frame({"text": "long enough"})


CHAT = {
    "model": "m",
    "messages": [{"role": "user", "content": "a"}],
    "tools": [{"type": "function", "function": {"name": "f"}}],
    "tool_choice": "auto",
    "response_format": {"type": "text"},
    "stop": ["x"],
    "n": 2,
    "seed": 5,
    "temperature": 0.5,
    "user": "me",
}


def sent(request):
    """The request as it comes out of the other end."""
    method = {ChatRequest: "chat", CompletionRequest: "complete", EmbedRequest: "embed"}[type(request)]
    ((message, _),) = Frames().feed(frame(words.request_words(request)))
    return words.request_of(method, message, Cancelled())


def test_requests_come_as_they_were():
    cancelled = Cancelled()
    requests = [
        *chat_requests(CHAT, cancelled),
        *chat_requests({"model": "m", "messages": []}, cancelled),
        *completion_requests({"model": "m", "prompt": ["a", "b"], "n": 2, "max_tokens": 3}, cancelled),
        embed_request({"model": "m", "input": ["a", "b"], "dimensions": 4}, cancelled),
    ]
    assert len(requests) == 8
    for request in requests:
        mine = {"prompt": request.prompt} if isinstance(request, CompletionRequest) else {}
        assert sent(request) == replace(request, raw={**request.raw, **mine})
    assert sent(requests[0]).raw == CHAT


@pytest.mark.parametrize(
    "delta", [Text("a"), ToolCall(1, id="i", name="f", arguments="{}"), Finish("length"), Usage(1, 2)]
)
def test_what_is_said_comes_as_it_was(delta):
    assert words.delta_of(json.loads(json.dumps(words.said_words(delta)))) == delta
    assert words.delta_of(words.said_words("a")) == Text("a")


@pytest.mark.parametrize(
    "said",
    [
        ["Text", "a", None],
        ["Text", "a", [1]],
        ["Text", "a", [["a", -1, 1 << 60, []]]],
        ["Text", "a", [["a", -1, [256], []]]],
        ["Text", "a", [["a", -1, None, [["b", -1, None, []]]]]],
        None,
        [],
        ["Text"],
        ["Text", 1, 2],
        ["Nothing", 1],
        "Text",
        {"Text": 1},
        [1, 2],
        [["Text"], 1],
    ],
)
def test_what_is_nothing_that_is_said(said):
    with pytest.raises(BadFrame):
        words.delta_of(said)


def test_refusals_come_as_they_were():
    refused = words.refusal_of(words.refusal_words(Refused(429, "later", code="busy", param="n", retry_after=1.5)))
    told = (refused.status, refused.message, refused.code, refused.param, refused.retry_after)
    assert told == (429, "later", "busy", "n", 1.5)
    for wrong in (None, [], {}, {"status": 200, "message": "a"}, {"status": 400, "message": "a", "more": 1}):
        with pytest.raises(BadFrame):
            words.refusal_of(wrong)


def test_what_an_engine_says_of_itself_is_looked_at():
    assert words.health_of([True, ""]).ok
    assert words.model_of({"name": "m", "context": 5}).context == 5
    for wrong in (None, [], [True], [1, ""], [True, 1], {"ok": True}):
        with pytest.raises(BadFrame):
            words.health_of(wrong)
    for wrong in (None, [], {}, {"name": "m", "colour": "red"}):
        with pytest.raises(BadFrame):
            words.model_of(wrong)
