"""OpenAI's Agents SDK, over Responses and over chat: a run with a tool, whole and streamed, and one of a given shape."""

import agents
import openai
from scripts.said import ANN, KEY, MODEL, QUESTION, TEXT, Person, weather

agents.set_tracing_disabled(True)
TOOL = agents.function_tool(weather)


def responses(gateway):
    return agents.OpenAIResponsesModel(MODEL, openai.AsyncOpenAI(base_url=f"{gateway}/v1", api_key=KEY))


def chat(gateway):
    return agents.OpenAIChatCompletionsModel(MODEL, openai.AsyncOpenAI(base_url=f"{gateway}/v1", api_key=KEY))


async def called(model):
    agent = agents.Agent("Weather", instructions="Be brief.", model=model, tools=[TOOL])
    assert (await agents.Runner.run(agent, QUESTION)).final_output == TEXT
    return {"asked": 2, "result": "sunny in Oslo"}


async def streamed(model):
    agent = agents.Agent("Weather", instructions="Be brief.", model=model, tools=[TOOL])
    run = agents.Runner.run_streamed(agent, QUESTION)
    events = [event async for event in run.stream_events()]
    raw = [event.data for event in events if event.type == "raw_response_event"]
    assert "".join(one.delta for one in raw if one.type == "response.output_text.delta") == TEXT
    names = [event.name for event in events if event.type == "run_item_stream_event"]
    assert names == ["tool_called", "tool_output", "message_output_created"]
    assert run.final_output == TEXT
    return {"asked": 2, "result": "sunny in Oslo", "streamed": True}


async def shaped(model):
    agent = agents.Agent("Person", model=model, output_type=Person)
    assert (await agents.Runner.run(agent, QUESTION)).final_output == ANN
    return {"asked": 1, "shape": "response_format"}


async def tool_responses(url):
    return await called(responses(url))


async def tool_chat(url):
    return await called(chat(url))


async def stream_responses(url):
    return await streamed(responses(url))


async def stream_chat(url):
    return await streamed(chat(url))


async def schema_responses(url):
    return await shaped(responses(url))


async def schema_chat(url):
    return await shaped(chat(url))
