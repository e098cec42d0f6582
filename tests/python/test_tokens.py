"""hoosh.tokens: known ids, known conversations, refusals, and time that is linear."""

import re
import time

import pytest

from hoosh.errors import InvalidRequest
from hoosh.tokens import MessageCount, count, count_messages, encode, encoding_for_model

# Ids as published in openai/openai-cookbook, How_to_count_tokens_with_tiktoken, and openai/tiktoken's tests.
KNOWN = [
    ("cl100k_base", "tiktoken is great!", [83, 1609, 5963, 374, 2294, 0]),
    ("o200k_base", "tiktoken is great!", [83, 8251, 2488, 382, 2212, 0]),
    ("cl100k_base", "rer", [38149]),
    ("cl100k_base", "today\n ", [31213, 198, 220]),
    ("cl100k_base", "hello world", [15339, 1917]),
    ("cl100k_base", "", []),
]

# The cookbook's example conversation; 129 tokens with the GPT-3.5 and GPT-4 framing, as billed by the API.
CONVERSATION = [
    {
        "role": "system",
        "content": "You are a helpful, pattern-following assistant that translates corporate jargon into plain English.",
    },
    {"role": "system", "name": "example_user", "content": "New synergies will help drive top-line growth."},
    {"role": "system", "name": "example_assistant", "content": "Things working well together will increase revenue."},
    {
        "role": "system",
        "name": "example_user",
        "content": "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage.",
    },
    {
        "role": "system",
        "name": "example_assistant",
        "content": "Let's talk later when we're less busy about how to do better.",
    },
    {
        "role": "user",
        "content": "This late pivot means we don't have time to boil the ocean for the client deliverable.",
    },
]

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_current_weather",
        "description": "Get the current weather in a given location",
        "parameters": {
            "type": "object",
            "properties": {
                "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
                "unit": {"type": "string", "description": "The unit of temperature to return", "enum": ["celsius", "fahrenheit"]},
            },
            "required": ["location"],
        },
    },
}  # fmt: skip


@pytest.mark.parametrize(("encoding", "text", "ids"), KNOWN)
def test_known_ids(encoding, text, ids):
    assert encode(text, encoding=encoding) == ids
    assert count(text, encoding=encoding) == len(ids)


def test_special_tokens_are_text():
    assert count("<|endoftext|>", encoding="cl100k_base") == 7


def test_a_model_stands_for_its_encoding():
    assert encoding_for_model("gpt-4") == "cl100k_base"
    assert encoding_for_model("openai/gpt-4o-mini") == "o200k_base"
    assert encoding_for_model("llama-3") is None
    assert encode("tiktoken is great!", model="gpt-4o") == KNOWN[1][2]


def test_refusals_name_the_argument_and_the_way_out():
    with pytest.raises(InvalidRequest, match="cl100k_base and o200k_base") as caught:
        count("", encoding="p50k_base")
    assert caught.value.param == "encoding"
    with pytest.raises(InvalidRequest, match="encoding=") as caught:
        count("", model="llama-3")
    assert caught.value.param == "model"
    for arguments in ({}, {"encoding": "cl100k_base", "model": "gpt-4"}):
        with pytest.raises(TypeError):
            count("", **arguments)
    with pytest.raises(UnicodeEncodeError):
        count("\ud800", encoding="cl100k_base")


@pytest.mark.parametrize(("model", "tokens"), [("gpt-3.5-turbo", 129), ("gpt-4-0613", 129), ("gpt-4o", 124)])
def test_the_published_conversation(model, tokens):
    assert count_messages(CONVERSATION, model=model) == MessageCount(tokens, estimated=False)


@pytest.mark.parametrize(("model", "tokens"), [("gpt-4", 105), ("gpt-4o", 101)])
def test_the_published_tools(model, tokens):
    messages = [
        {"role": "system", "content": "You are a helpful assistant that can answer to questions about the weather."},
        {"role": "user", "content": "What's the weather like in San Francisco?"},
    ]
    assert count_messages(messages, model=model, tools=[WEATHER]) == MessageCount(tokens, estimated=True)


def test_parts_images_and_calls_are_estimates():
    parts = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "x", "detail": "low"}}]
    plain = count_messages([{"role": "user", "content": "a"}], model="gpt-4o")
    assert plain.estimated is False
    assert count_messages([{"role": "user", "content": parts}], model="gpt-4o") == (plain.tokens + 85, True)
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    called = count_messages([{"role": "assistant", "content": None, "tool_calls": [call]}], model="gpt-4o")
    assert called.estimated
    assert called.tokens > count_messages([{"role": "assistant", "content": None}], model="gpt-4o").tokens


@pytest.mark.parametrize(
    ("messages", "tools", "param", "words"),
    [
        ("text", None, "messages", "messages must be a list"),
        (7, None, "messages", "messages must be a list"),
        ([7], None, "messages", "messages[0] is not"),
        ([{"role": "user"}, {"content": "no role"}], None, "messages", "messages[1] is not"),
        ([{"role": "user", "content": 7}], None, "messages", "messages[0] is not"),
        ([], [{"name": "flat"}], "tools", "tools[0] is not"),
        ([], [7], "tools", "tools[0] is not"),
    ],
)
def test_another_shape_is_refused(messages, tools, param, words):
    with pytest.raises(InvalidRequest) as caught:
        count_messages(messages, model="gpt-4", tools=tools)
    assert caught.value.param == param
    assert caught.value.message.startswith(words)
    assert not re.search("subscriptable|extract|Vec", caught.value.message)


def test_a_schema_that_holds_itself_has_an_end():
    schema = {"type": "object", "properties": {}}
    schema["properties"]["self"] = schema
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    assert count_messages([], model="gpt-4", tools=[tool]).tokens > 0


def test_one_letter_a_hundred_thousand_times():
    count("a", encoding="cl100k_base")
    began = time.perf_counter()
    assert count("a" * 100_000, encoding="cl100k_base") == 12_500
    assert time.perf_counter() - began < 1
