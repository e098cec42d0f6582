"""The fake upstream speaks Anthropic's Messages: its official SDK, unmodified, understands it, and it refuses what Anthropic refuses."""

import json

import anthropic
import pytest
import trio

USER = [{"role": "user", "content": "Say hello"}]
PIXEL = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
TOOLS = [
    {"name": name, "description": "A tool.", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
    for name in ("weather", "clock")
]  # fmt: skip
THINKING = {"type": "enabled", "budget_tokens": 1_024}


@pytest.fixture
async def sdk(upstream):
    async with anthropic.AsyncAnthropic(base_url=upstream.url, api_key="k", max_retries=0) as sdk:
        yield sdk


def asked(**more):
    return {"model": "claude-fake", "max_tokens": 2_000, "messages": USER, **more}


async def both(sdk, **more):
    """The answer whole, and as it is put together from its stream: they say the same."""
    whole = await sdk.messages.create(**asked(**more))
    async with sdk.messages.stream(**asked(**more)) as stream:
        streamed = await stream.get_final_message()
    kept = {"content", "stop_reason", "stop_sequence"}
    assert whole.model_dump(include=kept) == streamed.model_dump(include=kept)
    assert whole.usage.output_tokens == streamed.usage.output_tokens
    return whole


@pytest.mark.parametrize("split", [None, 1, 7])
async def test_a_message_at_any_split(sdk, upstream, split):
    upstream.plan(split=split)
    upstream.plan(split=split)
    message = await both(sdk)
    assert message.content[0].text == "You said: Say hello"
    assert message.usage.cache_read_input_tokens > 0


async def test_what_bounds_an_answer(sdk):
    stopped = await both(sdk, stop_sequences=["hello"])
    assert (stopped.content[0].text, stopped.stop_reason, stopped.stop_sequence) == (
        "You said: Say ", "stop_sequence", "hello",
    )  # fmt: skip
    assert (await both(sdk, max_tokens=1)).stop_reason == "max_tokens"


async def test_tools_in_parallel_and_their_results(sdk):
    message = await both(sdk, tools=TOOLS)
    assert [(block.name, block.input) for block in message.content] == [
        (name, {"city": "Say hello"}) for name in ("weather", "clock")
    ]
    alone = await both(sdk, tools=TOOLS, tool_choice={"type": "auto", "disable_parallel_tool_use": True})
    assert len(alone.content) == 1
    results = [{"type": "tool_result", "tool_use_id": block.id, "content": "sunny"} for block in message.content]
    turns = [*USER, {"role": "assistant", "content": message.content}, {"role": "user", "content": results}]
    assert (await both(sdk, tools=TOOLS, messages=turns)).content[0].text == "The tool said: sunny"


async def test_thoughts_are_signed_and_go_back(sdk):
    message = await both(sdk, thinking=THINKING, tools=TOOLS[:1])
    assert [block.type for block in message.content] == ["thinking", "tool_use"]
    assert message.usage.output_tokens_details.thinking_tokens > 0
    result = {"type": "tool_result", "tool_use_id": message.content[1].id, "content": "sunny"}
    turns = [*USER, {"role": "assistant", "content": message.content}, {"role": "user", "content": [result]}]
    assert (await both(sdk, thinking=THINKING, tools=TOOLS[:1], messages=turns)).content[1].text
    turns[1]["content"] = message.content[1:]
    with pytest.raises(anthropic.BadRequestError, match="Expected `thinking`"):
        await both(sdk, thinking=THINKING, tools=TOOLS[:1], messages=turns)


async def test_a_schema_is_kept_to(sdk):
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    config = {"format": {"type": "json_schema", "schema": {**schema, "additionalProperties": False}}}
    assert json.loads((await both(sdk, output_config=config)).content[0].text) == {"n": 7}
    with pytest.raises(anthropic.BadRequestError, match="additionalProperties"):
        await both(sdk, output_config={"format": {"type": "json_schema", "schema": schema}})


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"extra_body": {"seed": 1}}, "seed"),
        ({"extra_body": {"temperature": 1.5}}, "temperature"),
        ({"extra_body": {"temperature": 0.5, "top_p": 0.5}}, "temperature"),
        ({"max_tokens": 1_000, "thinking": THINKING}, "max_tokens"),
        ({"messages": [{"role": "user", "content": " "}]}, "whitespace"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0"),
        ({"messages": [*USER, {"role": "assistant", "content": [PIXEL]}, *USER]}, "image"),
        ({"messages": [*USER, {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "b", "input": {}}]}]}, "tool_use"),
        ({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "b"}]}]}, "tool_use_id"),
        ({"messages": [*USER, {"role": "assistant", "content": [{"type": "thinking", "thinking": "a", "signature": "b"}]}, *USER]}, "signature"),
    ],
)  # fmt: skip
async def test_it_refuses_what_anthropic_refuses(sdk, more, words):
    more.setdefault("extra_headers", {"anthropic-version": "2023-06-01", "x-api-key": "k"})
    with pytest.raises(anthropic.BadRequestError, match=words) as caught:
        await sdk.messages.create(**asked(**more))
    assert caught.value.body["error"]["type"] == "invalid_request_error"


async def test_versions_and_keys(sdk):
    with pytest.raises(anthropic.BadRequestError, match="temperature"):
        await sdk.messages.create(**asked(extra_body={"temperature": 1.0}))
    with pytest.raises(anthropic.BadRequestError, match="anthropic-version"):
        await sdk.messages.create(**asked(extra_headers={"anthropic-version": "1"}))
    with pytest.raises(anthropic.AuthenticationError):
        await sdk.messages.create(**asked(extra_headers={"anthropic-version": "2023-06-01"}))


async def test_tokens_are_counted(sdk):
    assert (await sdk.messages.count_tokens(model="claude-fake", messages=USER)).input_tokens > 3


async def test_planned_failures_have_its_shape(sdk, upstream):
    upstream.plan(status=429, retry_after="7")
    with pytest.raises(anthropic.RateLimitError) as caught:
        await sdk.messages.create(**asked())
    assert caught.value.body["error"]["type"] == "rate_limit_error"
    assert caught.value.response.headers["retry-after"] == "7"
    upstream.plan(error_event=3)
    with pytest.raises(anthropic.APIStatusError) as caught:
        await both_streamed(sdk)
    assert caught.value.body["error"]["type"] == "overloaded_error"


async def both_streamed(sdk):
    async with sdk.messages.stream(**asked()) as stream:
        return await stream.get_final_message()


async def test_who_leaves_is_seen(sdk, upstream):
    upstream.plan(stall="body", stall_after=3)
    async with sdk.messages.stream(**asked()) as stream:
        await anext(aiter(stream))
    with trio.fail_after(5):
        await upstream.requests[-1].closed.wait()
    assert upstream.requests[-1].cancelled
