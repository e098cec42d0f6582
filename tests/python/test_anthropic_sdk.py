"""Anthropic's official SDK, unmodified, through the port; and OpenAI's in front of an Anthropic upstream, which is hoosh itself."""

import json

import anthropic
import openai
import pytest
import trio
from tests.python.conftest import provider
from tests.upstream import answers

USER = [{"role": "user", "content": "Say hello"}]
SAID = "You said: Say hello"
TOOLS = [
    {
        "name": name,
        "description": "A tool.",
        "input_schema": {"type": "object", "properties": {field: {"type": "string"}}, "required": [field]},
    }
    for name, field in (("weather", "city"), ("clock", "zone"))
]


def named(upstream):
    # Named, so that it is not asked for them, and each plan meets the request that it is meant for.
    return provider(upstream) + f"models = {json.dumps(answers.MODELS)}\n"


def client(url, **options):
    return anthropic.AsyncAnthropic(base_url=url, **{"api_key": "unused", "max_retries": 0, **options})


@pytest.fixture
async def sdk(serving, upstream):
    async with serving(named(upstream)) as (url, _), client(url) as sdk:
        yield sdk


def ask(sdk, **more):
    return sdk.messages.create(**{"model": "fake-chat", "max_tokens": 100, "messages": USER, **more})


async def test_a_message(sdk):
    message = await ask(sdk)
    assert [(block.type, block.text) for block in message.content] == [("text", SAID)]
    assert (message.role, message.stop_reason, message.model) == ("assistant", "end_turn", "fake-chat")
    assert message.usage.input_tokens > 0
    assert message.usage.output_tokens > 0
    assert (await ask(sdk, max_tokens=1)).stop_reason == "max_tokens"


async def test_a_message_streams(sdk):
    async with sdk.messages.stream(model="fake-chat", max_tokens=100, messages=USER) as stream:
        text = [piece async for piece in stream.text_stream]
        message = await stream.get_final_message()
    assert "".join(text) == SAID == message.content[0].text
    assert message.stop_reason == "end_turn"
    assert message.usage.output_tokens > 0


async def test_tools_are_called_in_parallel_and_their_results_go_back(sdk):
    message = await ask(sdk, tools=TOOLS, tool_choice={"type": "auto"})
    calls = [block for block in message.content if block.type == "tool_use"]
    assert [call.name for call in calls] == ["weather", "clock"]
    assert all(isinstance(call.input, dict) for call in calls)
    assert message.stop_reason == "tool_use"
    async with sdk.messages.stream(model="fake-chat", max_tokens=100, messages=USER, tools=TOOLS) as stream:
        streamed = (await stream.get_final_message()).content
    assert [(block.name, block.input) for block in streamed if block.type == "tool_use"] == [
        (call.name, call.input) for call in calls
    ]
    alone = await ask(sdk, tools=TOOLS, tool_choice={"type": "auto", "disable_parallel_tool_use": True})
    assert len([block for block in alone.content if block.type == "tool_use"]) == 1
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"} for call in calls]
    back = [*USER, {"role": "assistant", "content": message.content}, {"role": "user", "content": results}]
    assert "sunny" in (await ask(sdk, messages=back, tools=TOOLS)).content[0].text


async def test_tokens_are_counted_and_models_listed(sdk, upstream):
    counted = await sdk.messages.count_tokens(model="fake-chat", messages=USER, system="Be brief.")
    assert 3 < counted.input_tokens < 40
    assert not [request for request in upstream.requests if "messages" in request.path]
    listed = [model.id async for model in await sdk.models.list()]
    assert listed == list(answers.MODELS)
    assert (await sdk.models.retrieve("fake-chat")).id == "fake-chat"


@pytest.mark.parametrize(
    ("plan", "error", "status"),
    [
        ({"status": 429, "headers": {"retry-after": "7"}}, anthropic.RateLimitError, 429),
        ({"status": 503}, anthropic.InternalServerError, 502),
        ({"status": 422}, anthropic.UnprocessableEntityError, 422),
    ],
)
async def test_failures_have_the_sdks_classes(serving, upstream, plan, error, status):
    async with serving("[retry]\nmax_attempts = 1\n" + named(upstream)) as (url, _), client(url) as sdk:
        upstream.plan(**plan)
        with pytest.raises(error) as caught:
            await ask(sdk)
        assert caught.value.status_code == status
        assert caught.value.request_id == caught.value.response.headers["x-request-id"]
        assert caught.value.body["type"] == "error"


async def test_bad_requests_and_unknown_models_are_refused_in_its_shape(sdk):
    with pytest.raises(anthropic.BadRequestError) as caught:
        await ask(sdk, messages=[{"role": "robot", "content": "x"}])
    assert caught.value.body["error"]["param"] == "messages.0.role"
    with pytest.raises(anthropic.NotFoundError):
        await ask(sdk, model="no-such-model")


async def test_a_stream_that_breaks_off_is_an_error(sdk, upstream):
    upstream.plan(truncate=900)
    with pytest.raises(anthropic.APIStatusError) as caught:
        async with sdk.messages.stream(model="fake-chat", max_tokens=100, messages=USER) as stream:
            async for _ in stream:
                pass
    assert caught.value.body["error"]["code"] == "upstream_truncated"


async def test_a_stream_that_is_left_stops_its_provider(sdk, upstream):
    upstream.plan(stall="body", stall_after=3)
    async with sdk.messages.stream(model="fake-chat", max_tokens=100, messages=USER) as stream:
        await anext(aiter(stream))
    with trio.fail_after(5):
        await upstream.requests[-1].closed.wait()
    assert upstream.requests[-1].cancelled


async def test_keys_come_as_either_header(serving, upstream):
    text = '[auth]\ntokens = ["sk-hoosh"]\n' + named(upstream)
    async with serving(text) as (url, _):
        for options in ({"api_key": "sk-hoosh"}, {"api_key": None, "auth_token": "sk-hoosh"}):
            async with client(url, **options) as sdk:
                assert (await ask(sdk)).content[0].text == SAID
        async with client(url, api_key="wrong") as sdk:
            with pytest.raises(anthropic.AuthenticationError):
                await ask(sdk)


async def test_what_is_lost_is_said_and_strict_callers_are_refused(sdk):
    raw = await sdk.messages.with_raw_response.create(
        model="fake-chat", max_tokens=50, messages=USER, extra_body={"container": "c"}
    )
    assert "container" in raw.headers["x-hoosh-loss"]
    with pytest.raises(anthropic.BadRequestError) as caught:
        await ask(sdk, extra_body={"container": "c"}, extra_headers={"x-hoosh-strict": "true"})
    assert caught.value.body["error"]["code"] == "translation_loses"


@pytest.fixture
async def across(serving, upstream):
    """OpenAI's SDK in front of a gateway, whose provider speaks Anthropic's: another gateway."""
    async with serving(named(upstream)) as (inner, _):
        text = f'[[providers]]\nname = "a"\ntype = "anthropic"\nbase_url = "{inner}"\napi_key = "sk-x"\nmodels = ["fake-chat"]\n'
        options = {"api_key": "unused", "max_retries": 0}
        async with serving(text) as (url, _), openai.AsyncOpenAI(base_url=f"{url}/v1", **options) as sdk:
            yield sdk


async def test_openais_sdk_is_answered_by_an_anthropic_upstream(across):
    asked = {"model": "fake-chat", "messages": [{"role": "system", "content": "Be brief."}, *USER], "max_tokens": 100}
    answer = await across.chat.completions.create(**asked)
    assert answer.choices[0].message.content == SAID
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens > 0
    options = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = [chunk async for chunk in await across.chat.completions.create(**asked, **options)]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == SAID
    assert chunks[-1].usage.total_tokens > 0


async def test_tools_and_refusals_cross_two_gateways(across):
    tools = [
        {"type": "function", "function": {"name": tool["name"], "parameters": tool["input_schema"]}} for tool in TOOLS
    ]
    asked = {"model": "fake-chat", "messages": USER, "max_tokens": 100, "tools": tools}
    answer = await across.chat.completions.create(**asked)
    calls = answer.choices[0].message.tool_calls
    assert [call.function.name for call in calls] == ["weather", "clock"]
    assert all(json.loads(call.function.arguments) is not None for call in calls)
    results = [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in calls]
    back = await across.chat.completions.create(**{**asked, "messages": [*USER, answer.choices[0].message, *results]})
    assert "sunny" in back.choices[0].message.content
    with pytest.raises(openai.BadRequestError):
        await across.chat.completions.create(model="fake-chat", messages=[{"role": "user", "content": 7}])
