"""OpenAI's official SDK through the port by the Responses API, over an upstream that speaks chat completions alone."""

import json

import openai
import pydantic
import pytest
from tests.python.conftest import provider
from tests.upstream import answers

SAID = "You said: Say hello"
TOOL = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


class Person(pydantic.BaseModel):
    name: str
    age: int


@pytest.fixture
async def sdk(serving, upstream):
    text = provider(upstream) + f"models = {json.dumps(answers.MODELS)}\n"
    async with (
        serving(text) as (url, _),
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0) as sdk,
    ):
        yield sdk


def ask(sdk, **more):
    return sdk.responses.create(**{"model": "fake-chat", "input": "Say hello", **more})


async def test_a_response(sdk):
    response = await ask(sdk)
    assert response.output_text == SAID
    assert (response.status, response.object, response.model) == ("completed", "response", "fake-chat")
    assert response.usage.input_tokens > 0
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    short = await ask(sdk, max_output_tokens=16, input="a " * 40)
    assert (short.status, short.incomplete_details.reason) == ("incomplete", "max_output_tokens")


async def test_a_response_streams(sdk):
    kinds, text = [], ""
    async with sdk.responses.stream(model="fake-chat", input="Say hello") as stream:
        async for event in stream:
            kinds.append(event.type)
            text += event.delta if event.type == "response.output_text.delta" else ""
        final = await stream.get_final_response()
    assert text == SAID == final.output_text
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")
    assert {"response.output_item.added", "response.content_part.done", "response.output_item.done"} <= set(kinds)


async def test_a_conversation_goes_on_by_its_id(sdk, upstream):
    first = await ask(sdk, instructions="Be brief.")
    second = await ask(sdk, input="And now?", previous_response_id=first.id)
    assert second.output_text == "You said: And now?"
    assert (first.instructions, first.previous_response_id) == ("Be brief.", None)
    assert (second.instructions, second.previous_response_id) == (None, first.id)
    turns = json.loads(upstream.requests[-1].body)["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert (await sdk.responses.retrieve(first.id)).output_text == SAID
    items = [item async for item in await sdk.responses.input_items.list(second.id)]
    assert items
    await sdk.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        await sdk.responses.retrieve(first.id)
    with pytest.raises(openai.BadRequestError) as caught:
        await ask(sdk, previous_response_id=first.id)
    assert caught.value.code == "previous_response_not_found"


async def test_functions_are_called_and_their_results_go_back(sdk):
    response = await ask(sdk, tools=[TOOL])
    calls = [item for item in response.output if item.type == "function_call"]
    assert [call.name for call in calls] == ["weather"]
    assert isinstance(json.loads(calls[0].arguments), dict)
    results = [{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"} for call in calls]
    back = await ask(sdk, input=results, previous_response_id=response.id, tools=[TOOL])
    assert back.output_text == "The tool said: sunny"
    by_hand = [{"role": "user", "content": "Say hello"}, *response.output, *results]
    assert (await ask(sdk, input=by_hand, tools=[TOOL])).output_text == "The tool said: sunny"
    async with sdk.responses.stream(model="fake-chat", input="Say hello", tools=[TOOL]) as stream:
        final = await stream.get_final_response()
    assert [(item.name, item.arguments) for item in final.output if item.type == "function_call"] == [
        (call.name, call.arguments) for call in calls
    ]


async def test_structured_output_is_parsed(sdk):
    response = await sdk.responses.parse(model="fake-chat", input="Say hello", text_format=Person)
    assert isinstance(response.output_parsed, Person)


async def test_failures_are_openais(sdk, upstream):
    with pytest.raises(openai.NotFoundError):
        await ask(sdk, model="no-such-model")
    with pytest.raises(openai.BadRequestError):
        await ask(sdk, input=7)
    upstream.plan(status=422)
    with pytest.raises(openai.UnprocessableEntityError):
        await ask(sdk)
    raw = await sdk.responses.with_raw_response.create(model="fake-chat", input="x", extra_body={"odd": 1})
    assert "odd" in raw.headers["x-hoosh-loss"]
