"""Google's official SDK, unmodified, through the port, over an upstream that speaks OpenAI's chat completions alone."""

import functools
import json

import pytest
import trio
from google import genai
from google.genai import errors, types
from tests.python.conftest import provider
from tests.upstream import answers

SAID = "You said: Say hello"


def weather(city: str) -> str:
    """How it is there."""
    return f"sunny in {city}"


@pytest.fixture
async def ask(serving, upstream):
    """Runs a piece of work with a client, which is synchronous, beside the event loop."""
    text = provider(upstream) + f"models = {json.dumps(answers.MODELS)}\n"
    async with serving(text) as (url, _):
        client = genai.Client(api_key="unused", http_options=types.HttpOptions(base_url=url))
        yield lambda work: trio.to_thread.run_sync(functools.partial(work, client.models))


def generate(models, **more):
    return models.generate_content(**{"model": "fake-chat", "contents": "Say hello", **more})


async def test_content_is_generated_whole_and_streamed(ask):
    answer = await ask(generate)
    assert answer.text == SAID
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert answer.usage_metadata.total_token_count == (
        answer.usage_metadata.prompt_token_count + answer.usage_metadata.candidates_token_count
    )
    chunks = await ask(lambda m: list(m.generate_content_stream(model="fake-chat", contents="Say hello")))
    assert "".join(chunk.text or "" for chunk in chunks) == SAID
    assert chunks[-1].usage_metadata.total_token_count > 0


async def test_functions_are_called_by_the_sdk_itself(ask):
    config = types.GenerateContentConfig(tools=[weather])
    answer = await ask(functools.partial(generate, config=config))
    assert "sunny in" in answer.text


async def test_schemas_tokens_vectors_and_lists(ask):
    config = {"response_mime_type": "application/json", "response_json_schema": {"type": "object", "properties": {}}}
    assert json.loads((await ask(functools.partial(generate, config=config))).text) is not None
    assert 3 < (await ask(lambda m: m.count_tokens(model="fake-chat", contents="Say hello"))).total_tokens < 40
    vectors = await ask(lambda m: m.embed_content(model="fake-embed", contents=["a", "b"]))
    assert [len(vector.values) for vector in vectors.embeddings] == [answers.DIMENSIONS] * 2
    assert [model.name for model in await ask(lambda m: list(m.list()))] == [f"models/{m}" for m in answers.MODELS]


async def test_failures_have_its_class_and_shape(ask, upstream):
    with pytest.raises(errors.ClientError) as caught:
        await ask(functools.partial(generate, model="no-such-model"))
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
    upstream.plan(status=422)
    with pytest.raises(errors.ClientError):
        await ask(generate)
