"""Ollama's official SDK, unmodified, through the port, over an upstream that speaks OpenAI's chat completions alone."""

import json

import ollama
import pytest
from tests.python.conftest import provider
from tests.upstream import answers

USER = [{"role": "user", "content": "Say hello"}]
SAID = "You said: Say hello"


def weather(city: str) -> str:
    """How it is there."""
    return f"sunny in {city}"


@pytest.fixture
async def sdk(serving, upstream):
    text = provider(upstream) + f"models = {json.dumps(answers.MODELS)}\n"
    async with serving(text) as (url, _):
        yield ollama.AsyncClient(host=url)


async def test_a_chat_whole_and_streamed(sdk):
    answer = await sdk.chat(model="fake-chat", messages=USER)
    assert answer.message.content == SAID
    assert (answer.done, answer.done_reason) == (True, "stop")
    assert answer.prompt_eval_count > 0
    chunks = [chunk async for chunk in await sdk.chat(model="fake-chat", messages=USER, stream=True)]
    assert "".join(chunk.message.content or "" for chunk in chunks) == SAID
    assert [chunk.done for chunk in chunks].count(True) == 1
    assert chunks[-1].eval_count > 0


async def test_a_prompt_whole_and_streamed(sdk):
    assert (await sdk.generate(model="fake-chat", prompt="Say hello")).response == SAID
    chunks = [chunk async for chunk in await sdk.generate(model="fake-chat", prompt="Say hello", stream=True)]
    assert "".join(chunk.response for chunk in chunks) == SAID


async def test_tools_are_called_and_their_results_go_back(sdk):
    answer = await sdk.chat(model="fake-chat", messages=USER, tools=[weather])
    assert [call.function.name for call in answer.message.tool_calls] == ["weather"]
    assert isinstance(answer.message.tool_calls[0].function.arguments, dict)
    result = {"role": "tool", "content": "sunny", "tool_name": "weather"}
    back = await sdk.chat(model="fake-chat", messages=[*USER, answer.message, result], tools=[weather])
    assert back.message.content == "The tool said: sunny"


async def test_schemas_and_vectors(sdk):
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    answer = await sdk.chat(model="fake-chat", messages=USER, format=schema)
    assert isinstance(json.loads(answer.message.content)["a"], int)
    vectors = (await sdk.embed(model="fake-embed", input=["a", "b"])).embeddings
    assert [len(vector) for vector in vectors] == [answers.DIMENSIONS] * 2
    assert len((await sdk.embeddings(model="fake-embed", prompt="a")).embedding) == answers.DIMENSIONS


async def test_what_there_is_and_what_it_can(sdk):
    assert [model.model for model in (await sdk.list()).models] == list(answers.MODELS)
    assert "completion" in (await sdk.show("fake-chat")).capabilities
    assert (await sdk.ps()).models == []


async def test_failures_are_its_own(sdk, upstream):
    with pytest.raises(ollama.ResponseError) as caught:
        await sdk.chat(model="no-such-model", messages=USER)
    assert caught.value.status_code == 404
    upstream.plan(truncate=900)
    with pytest.raises(ollama.ResponseError):
        async for _ in await sdk.chat(model="fake-chat", messages=USER, stream=True):
            pass


async def test_pulls_are_passed_on_with_their_progress(serving, upstream):
    # Ollama's own address stands before both of its interfaces.
    text = f'[[providers]]\ntype = "ollama"\nname = "o"\nbase_url = "{upstream.url}"\n'
    upstream.says["POST /api/pull"] = {"status": "success"}
    async with serving(text) as (url, _):
        answer = await ollama.AsyncClient(host=url).pull("llama")
        assert answer.status == "success"
    asked = [request for request in upstream.requests if request.path == "/api/pull"]
    assert [json.loads(request.body)["model"] for request in asked] == ["llama"]
