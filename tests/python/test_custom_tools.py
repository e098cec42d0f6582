"""Custom tools, whose input is a text, by OpenAI's official SDK through the port, over an upstream that knows functions alone."""

import json

import openai
import pytest
from tests.python.conftest import provider
from tests.upstream import answers

TOOL = {
    "type": "custom",
    "name": "patch",
    "description": "Applies a patch.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
}
ASK = {"model": "fake-chat", "input": 'Say "hello"\nü', "tools": [TOOL]}


@pytest.fixture
async def sdk(serving, upstream):
    text = provider(upstream) + f"models = {json.dumps(answers.MODELS)}\n"
    async with (
        serving(text) as (url, _),
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0) as sdk,
    ):
        yield sdk


def sent(upstream):
    return json.loads(upstream.requests[-1].body)


async def test_responses_call_them_and_their_results_go_back(sdk, upstream):
    response = await sdk.responses.create(**ASK)
    assert [tool["type"] for tool in sent(upstream)["tools"]] == ["function"]
    [call] = response.output
    assert (call.type, call.name) == ("custom_tool_call", "patch")
    assert call.input
    result = {"type": "custom_tool_call_output", "call_id": call.call_id, "output": "done"}
    back = await sdk.responses.create(**{**ASK, "input": [result], "previous_response_id": response.id})
    assert back.output_text == "The tool said: done"
    earlier = sent(upstream)["messages"][1]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(earlier) == {"input": call.input}
    told = ""
    async with sdk.responses.stream(**ASK) as stream:
        async for event in stream:
            told += event.delta if event.type == "response.custom_tool_call_input.delta" else ""
        final = await stream.get_final_response()
    assert [(item.type, item.input) for item in final.output] == [("custom_tool_call", told)]
    assert told == call.input
