"""The official OpenAI SDK, unmodified, sync and async, through the port: what it parses, raises and repeats."""

import functools
import json
import struct

import openai
import pydantic
import pytest
import trio
from tests.python.conftest import provider, serving
from tests.upstream import answers

MESSAGES = [{"role": "user", "content": "Say hello"}]
SAID = "You said: Say hello"
ATTEMPTS = 3
"""`[retry] max_attempts`, its default."""


def tool(name, **properties):
    schema = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return {"type": "function", "function": {"name": name, "parameters": schema, "strict": True}}


TOOLS = [tool("weather", city={"type": "string"}), tool("clock", zone={"type": "string"})]


class Person(pydantic.BaseModel):
    name: str
    age: int


class Face:
    """One of the SDK's two clients: `do` a call, or take all `items` of a stream."""

    def __init__(self, url, *, is_async, **options):
        made = openai.AsyncOpenAI if is_async else openai.OpenAI
        self.client = made(**{"base_url": f"{url}/v1", "api_key": "unused", **options})
        self.is_async = is_async

    async def do(self, work, **options):
        client = self.client.with_options(**options) if options else self.client
        if self.is_async:
            return await work(client)
        return await trio.to_thread.run_sync(work, client)

    async def items(self, work):
        if self.is_async:
            return [item async for item in await work(self.client)]
        return await trio.to_thread.run_sync(lambda: list(work(self.client)))


@pytest.fixture(params=["async", "sync"])
def is_async(request):
    return request.param == "async"


@pytest.fixture
async def sdk(upstream, is_async):
    async with serving(named(upstream)) as (url, _):
        yield Face(url, is_async=is_async, max_retries=0)


def named(upstream):
    # Named, so that it is not asked for them, and each plan meets the request that it is meant for.
    return provider(upstream) + f"models = {json.dumps(answers.MODELS)}\n"


def chat(client, **more):
    return client.chat.completions.create(**{"model": "fake-chat", "messages": MESSAGES, **more})


def chatting(**more):
    return functools.partial(chat, **more)


# --- chat --------------------------------------------------------------------------------------------------------------


async def test_chat(sdk):
    answer = await sdk.do(chatting(n=2, seed=7))
    assert [choice.message.content for choice in answer.choices] == [SAID, f"{SAID} (1)"]
    assert (answer.object, answer.system_fingerprint) == ("chat.completion", "fp_fake")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


async def test_chat_streams(sdk):
    chunks = await sdk.items(chatting(stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == SAID
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)
    chunks = await sdk.items(chatting(stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens > 0


async def test_tools_one_by_one_and_in_parallel(sdk):
    for parallel in (True, False):
        names = ["weather", "clock"] if parallel else ["weather"]
        asking = {"tools": TOOLS, "parallel_tool_calls": parallel}
        answer = await sdk.do(chatting(**asking))
        calls = answer.choices[0].message.tool_calls
        assert answer.choices[0].finish_reason == "tool_calls"
        assert [call.function.name for call in calls] == names
        streamed = {}
        for chunk in await sdk.items(chatting(**asking, stream=True)):
            for piece in chunk.choices[0].delta.tool_calls or []:
                whole = streamed.setdefault(piece.index, {"id": "", "name": "", "arguments": ""})
                whole["id"] += piece.id or ""
                whole["name"] += piece.function.name or ""
                whole["arguments"] += piece.function.arguments or ""
        assert list(streamed.values()) == [
            {"id": call.id, "name": call.function.name, "arguments": call.function.arguments} for call in calls
        ]
    # The idiom of its documentation: the assistant's message goes back as it is.
    back = [*MESSAGES, answer.choices[0].message, {"role": "tool", "tool_call_id": calls[0].id, "content": "sunny"}]
    answer = await sdk.do(chatting(messages=back, tools=TOOLS))
    assert answer.choices[0].message.content == "The tool said: sunny"


async def test_structured_output_is_parsed(sdk):
    def parse(client):
        return client.chat.completions.parse(model="fake-chat", messages=MESSAGES, response_format=Person)

    assert isinstance((await sdk.do(parse)).choices[0].message.parsed, Person)

    def manager(client):
        return client.chat.completions.stream(model="fake-chat", messages=MESSAGES, response_format=Person)

    if sdk.is_async:
        async with manager(sdk.client) as stream:
            kinds = {event.type async for event in stream}
            final = await stream.get_final_completion()
    else:

        def work():
            with manager(sdk.client) as stream:
                return {event.type for event in stream}, stream.get_final_completion()

        kinds, final = await trio.to_thread.run_sync(work)
    assert {"content.delta", "content.done"} <= kinds
    assert isinstance(final.choices[0].message.parsed, Person)


async def test_a_stream_that_is_left_stops_its_provider(sdk, upstream):
    upstream.plan(stall="body", stall_after=3)
    if sdk.is_async:
        async with await chat(sdk.client, stream=True) as stream:
            await anext(aiter(stream))
    else:

        def work():
            with chat(sdk.client, stream=True) as stream:
                next(iter(stream))

        await trio.to_thread.run_sync(work)
    with trio.fail_after(5):
        await upstream.requests[-1].closed.wait()
    assert upstream.requests[-1].cancelled


# --- completions, embeddings, models -----------------------------------------------------------------------------------


async def test_completions(sdk):
    def complete(client, **more):
        return client.completions.create(model="fake-instruct", prompt=["one", "two"], **more)

    answer = await sdk.do(complete)
    assert [choice.text for choice in answer.choices] == [" after: one", " after: two"]
    texts = ["", ""]
    for chunk in await sdk.items(functools.partial(complete, stream=True)):
        for choice in chunk.choices:
            texts[choice.index] += choice.text
    assert texts == [" after: one", " after: two"]


async def test_embeddings(sdk, upstream):
    def embed(given, **more):
        return lambda client: client.embeddings.create(model="fake-embed", input=given, **more)

    def vector(given, size=answers.DIMENSIONS):
        return list(struct.unpack(f"<{size}f", answers.vector(json.dumps(given), size)))

    answer = await sdk.do(embed(["a", "b"]))
    assert upstream.requests[-1].json()["encoding_format"] == "base64", "what the SDK asks for of its own accord"
    assert [item.embedding for item in answer.data] == [vector("a"), vector("b")]
    answer = await sdk.do(embed("a", encoding_format="float", dimensions=4))
    assert answer.data[0].embedding == pytest.approx(vector("a", 4))
    answer = await sdk.do(embed([[1, 2, 3], [4]]))
    assert [item.embedding for item in answer.data] == [vector([1, 2, 3]), vector([4])]
    answer = await sdk.do(embed([1, 2, 3]))
    assert [item.embedding for item in answer.data] == [vector([1, 2, 3])]
    assert answer.usage.prompt_tokens == 3


async def test_models(sdk):
    if sdk.is_async:
        listed = [model.id async for model in sdk.client.models.list()]
    else:
        listed = await trio.to_thread.run_sync(lambda: [model.id for model in sdk.client.models.list()])
    assert sorted(listed) == sorted(answers.MODELS)
    assert (await sdk.do(lambda client: client.models.retrieve("fake-chat"))).id == "fake-chat"
    with pytest.raises(openai.NotFoundError):
        await sdk.do(lambda client: client.models.retrieve("other"))


# --- errors, ids, time -------------------------------------------------------------------------------------------------

KEYS = """
[auth]
tokens = [{ token = "good", models = ["fake-chat"] }, { token = "slow", rate_limit_rpm = 1 }]
[server]
max_body_bytes = 10_000
[deadlines]
first_byte_secs = 1
[retry]
max_attempts = 1
"""


async def test_errors_are_its_classes(upstream, is_async):
    async with serving(KEYS + named(upstream)) as (url, _):
        sdk = Face(url, is_async=is_async, max_retries=0, api_key="good")

        async def fails(kind, code, work, plan=None, **options):
            if plan:
                upstream.plan(**plan)
            with pytest.raises(kind) as caught:
                await sdk.do(work, **options)
            assert type(caught.value) is kind
            assert caught.value.code == code
            assert caught.value.request_id
            return caught.value

        await fails(openai.AuthenticationError, "invalid_api_key", chatting(), api_key="bad")
        await fails(openai.PermissionDeniedError, "model_not_allowed", chatting(model="fake-instruct"))
        await fails(openai.BadRequestError, "invalid_value", chatting(messages=[]))
        error = await fails(openai.BadRequestError, "invalid_value", chatting(temperature=9))
        assert (error.param, error.type, error.status_code) == ("temperature", "invalid_request_error", 400)
        too_large = chatting(messages=[{"role": "user", "content": "x" * 10_000}])
        assert (await fails(openai.APIStatusError, "request_too_large", too_large)).status_code == 413
        await fails(openai.UnprocessableEntityError, None, chatting(), plan={"status": 422})
        await fails(
            openai.RateLimitError, "upstream_rate_limited", chatting(), plan={"status": 429, "retry_after": "0"}
        )
        await fails(openai.InternalServerError, "upstream_error", chatting(), plan={"status": 500})
        await fails(openai.InternalServerError, "upstream_malformed", chatting(), plan={"html": True})
        await fails(openai.InternalServerError, "upstream_timeout", chatting(), plan={"stall": "head"})
        await sdk.do(chatting(), api_key="slow")
        await fails(openai.RateLimitError, "rate_limit_exceeded", chatting(), api_key="slow")


async def test_an_error_in_the_middle_of_a_stream_is_raised(sdk, upstream):
    upstream.plan(truncate=700)
    with pytest.raises(openai.APIError) as caught:
        await sdk.items(chatting(stream=True))
    assert caught.value.code == "upstream_truncated"


async def test_the_request_id_is_where_it_looks_for_it(sdk, upstream):
    answer = await sdk.do(chatting())
    assert answer._request_id
    assert answer._request_id == upstream.requests[-1].header("x-request-id")
    raw = await sdk.do(
        lambda client: client.chat.completions.with_raw_response.create(model="fake-chat", messages=MESSAGES)
    )
    assert raw.status_code == 200
    assert raw.headers["x-request-id"] == raw.parse()._request_id == raw.request_id
    mine = await sdk.do(chatting(extra_headers={"x-request-id": "mine-1"}))
    assert mine._request_id == "mine-1"


async def test_its_own_timeout_stops_the_provider(sdk, upstream):
    upstream.plan(stall="head")
    with pytest.raises(openai.APITimeoutError):
        await sdk.do(chatting(timeout=0.3))
    with trio.fail_after(5):
        await upstream.requests[-1].closed.wait()


# --- nothing is multiplied ---------------------------------------------------------------------------------------------

FAULTS = [
    {"status": 500},
    {"status": 503, "retry_after": "0"},
    {"status": 429, "retry_after": "0"},
    {"status": 408},
    {"reset_after": 0},
    {"close_after": 0},
    {"html": True},
    {"truncate": 5},
    {"status": 401},
    {"status": 400},
    {"status": 409},
    {"stall": "head"},
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("plan", FAULTS, ids=str)
async def test_a_provider_that_always_fails_is_asked_no_more_often_than_the_gateway_says(
    upstream, is_async, plan, stream
):
    """With the SDK's own retries on, as they are by default."""
    for _ in range(4 * ATTEMPTS):
        upstream.plan(**plan)
    tight = "[deadlines]\nfirst_byte_secs = 1\n[retry]\nbase_delay_ms = 1\n"
    async with serving(tight + named(upstream)) as (url, _):
        sdk = Face(url, is_async=is_async)
        assert sdk.client.max_retries == openai.DEFAULT_MAX_RETRIES == 2
        with pytest.raises(openai.APIStatusError), trio.fail_after(20):
            await sdk.do(chatting(stream=stream))
    asked = len(upstream.requests)
    once = plan.get("status") in (400, 401, 409)
    assert asked == (1 if once else ATTEMPTS)
