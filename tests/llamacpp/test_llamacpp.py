"""The OpenAI SDK through hoosh to llama.cpp."""

from contextlib import asynccontextmanager

import httpx2
import openai
import pytest
import trio

from tests.python.conftest import serving

MESSAGES = [{"role": "user", "content": "hello"}]
TEXT = """
[[providers]]
name = "local"
type = "llamacpp"
base_url = "{url}"
{more}
"""


@asynccontextmanager
async def through(llama, more=""):
    async with (
        serving(TEXT.format(url=llama.url, more=more)) as (url, app),
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0) as sdk,
    ):
        yield sdk, app, url


def direct(llama):
    return openai.AsyncOpenAI(base_url=f"{llama.url}/v1", api_key="unused", max_retries=0)


def words(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


async def rows(app, count):
    with trio.fail_after(20):
        while len(found := app.driver.store.rows()) < count:
            await trio.sleep(0.01)
    return found


async def test_its_models_are_listed(llama):
    async with through(llama) as (sdk, _, _):
        with trio.fail_after(10):  # the gateway asks for it when it begins
            while "tiny" not in [model.id async for model in sdk.models.list()]:
                await trio.sleep(0.05)


async def test_a_chat(llama):
    async with through(llama) as (sdk, app, _):
        answer = await sdk.chat.completions.create(model="tiny", messages=MESSAGES, max_tokens=8, seed=1)
        assert answer.choices[0].finish_reason in ("length", "stop")
        assert answer.usage.prompt_tokens > 0
        (row,) = await rows(app, 1)
        assert (row["ending"], row["provider"], row["usage_source"]) == ("completed", "local", "reported")
        assert (row["input_tokens"], row["output_tokens"]) == (
            answer.usage.prompt_tokens,
            answer.usage.completion_tokens,
        )


async def test_a_callers_own_request_id(llama):
    async with through(llama) as (sdk, _, _):
        ask = sdk.chat.completions.with_raw_response.create
        answer = await ask(model="tiny", messages=MESSAGES, max_tokens=2, extra_headers={"x-request-id": "mine"})
        assert answer.headers["x-request-id"] == "mine"


async def test_a_stream_is_what_the_server_streams(llama):
    ask = {"model": "tiny", "messages": MESSAGES, "max_tokens": 16, "seed": 1, "temperature": 0, "stream": True}
    async with through(llama) as (sdk, app, _), direct(llama) as server:
        straight = [chunk async for chunk in await server.chat.completions.create(**ask)]
        chunks = [chunk async for chunk in await sdk.chat.completions.create(**ask)]
        assert words(chunks) == words(straight)
        assert chunks[-1].choices[0].finish_reason == straight[-1].choices[0].finish_reason
        assert len({chunk.id for chunk in chunks}) == 1
        (row,) = await rows(app, 1)
        # This server says nothing of usage in a stream, so it is counted.
        assert (row["ending"], row["usage_source"]) == ("completed", "counted")
        assert row["output_tokens"] > 0


async def test_usage_of_a_stream_is_shown_to_who_asks(llama):
    ask = {"model": "tiny", "messages": MESSAGES, "max_tokens": 8, "stream": True}
    async with through(llama) as (sdk, _, _):
        chunks = [c async for c in await sdk.chat.completions.create(**ask, stream_options={"include_usage": True})]
        assert [chunk.usage is not None for chunk in chunks].index(True) == len(chunks) - 1
        assert chunks[-1].usage.completion_tokens > 0


async def test_completions(llama):
    async with through(llama) as (sdk, _, _):
        answer = await sdk.completions.create(model="tiny", prompt="hello", max_tokens=4, seed=1)
        assert answer.usage.completion_tokens <= 4
        chunks = [
            c async for c in await sdk.completions.create(model="tiny", prompt="hello", max_tokens=4, stream=True)
        ]
        assert chunks


async def test_embeddings_are_what_the_server_gives(llama):
    """A model without pooling, as this one, gives a vector per token: they pass as they are."""
    ask = {"model": "tiny", "input": ["hello", "there"], "encoding_format": "float"}
    async with through(llama) as (sdk, app, _), direct(llama) as server:
        answer, straight = await sdk.embeddings.create(**ask), await server.embeddings.create(**ask)
        assert [entry.embedding for entry in answer.data] == [entry.embedding for entry in straight.data]
        # Unasked, the SDK asks for base64, which this server does not know: it answers floats, as the SDK allows.
        again = await sdk.embeddings.create(model="tiny", input=["hello", "there"])
        assert len(again.data) == 2
        assert (await rows(app, 2))[0]["input_tokens"] > 0


async def test_its_errors_are_errors(llama):
    async with through(llama, 'models = ["tiny"]') as (sdk, _, _):
        with pytest.raises(openai.NotFoundError):
            await sdk.chat.completions.create(model="unknown", messages=MESSAGES)
        with pytest.raises(openai.APIStatusError) as caught:
            await sdk.chat.completions.create(model="tiny", messages=[{"role": "user", "content": "word " * 2000}])
        assert caught.value.code


async def test_a_caller_who_leaves_ends_the_answer(llama):
    async with through(llama) as (sdk, app, _):
        stream = await sdk.chat.completions.create(model="tiny", messages=MESSAGES, max_tokens=400, stream=True)
        async for _ in stream:
            break
        await stream.close()
        (row,) = await rows(app, 1)
        assert row["ending"] in ("caller_gone", "completed")
        # The server answers one at a time: it must be free again.
        answer = await sdk.chat.completions.create(model="tiny", messages=MESSAGES, max_tokens=2)
        assert answer.choices


async def test_it_stands_in_for_a_provider_that_is_not_there(llama):
    more = """
[[providers]]
name = "away"
type = "openai_compatible"
base_url = "http://127.0.0.1:9"
models = ["tiny"]
priority = 0
"""
    async with through(llama, more) as (sdk, app, url):
        answer = await sdk.chat.completions.create(model="tiny", messages=MESSAGES, max_tokens=2)
        assert answer.choices
        (row,) = await rows(app, 1)
        assert (row["provider"], row["attempts"]) == ("local", 2)
        async with httpx2.AsyncClient() as client:
            metrics = (await client.get(f"{url}/metrics")).text
        assert 'provider="local"' in metrics
