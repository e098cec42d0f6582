"""Pydantic AI in three dialects: a tool's round and an answer of a given shape, whole and streamed.

Not in Anthropic's: version 2.38 cannot make its messages with anthropic 2 (`Cannot instantiate typing.Union`).
"""

from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider
from scripts.said import ANN, KEY, MODEL, QUESTION, TEXT, Person, weather


def openai_chat(gateway):
    return OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=f"{gateway}/v1", api_key=KEY))


def openai_responses(gateway):
    return OpenAIResponsesModel(MODEL, provider=OpenAIProvider(base_url=f"{gateway}/v1", api_key=KEY))


def google(gateway):
    return GoogleModel(MODEL, provider=GoogleProvider(base_url=gateway, api_key=KEY))


def called(model):
    answer = Agent(model, tools=[weather]).run_sync(QUESTION)
    assert answer.output == TEXT
    assert answer.usage.output_tokens == 10
    return {"asked": 2, "result": "sunny in Oslo"}


async def streamed(model):
    async with Agent(model, tools=[weather]).run_stream(QUESTION) as stream:
        assert "".join([piece async for piece in stream.stream_text(delta=True)]) == TEXT
    return {"asked": 2, "result": "sunny in Oslo", "streamed": True}


def shaped(model):
    """By the tool that Pydantic AI makes of a type, after a tool of one's own."""
    assert Agent(model, tools=[weather], output_type=Person).run_sync(QUESTION).output == ANN
    return {"asked": 2, "result": "sunny in Oslo", "shape": "final_result"}


def shaped_natively(model):
    assert Agent(model, output_type=NativeOutput(Person)).run_sync(QUESTION).output == ANN
    return {"asked": 1, "shape": "response_format"}


def tool_openai_chat(url):
    return called(openai_chat(url))


def tool_openai_responses(url):
    return called(openai_responses(url))


def tool_google(url):
    return called(google(url))


async def stream_openai_chat(url):
    return await streamed(openai_chat(url))


async def stream_openai_responses(url):
    return await streamed(openai_responses(url))


async def stream_google(url):
    return await streamed(google(url))


def schema_openai_chat(url):
    return shaped(openai_chat(url))


def schema_openai_responses(url):
    return shaped(openai_responses(url))


def schema_google(url):
    return shaped(google(url))


def native_openai_chat(url):
    return shaped_natively(openai_chat(url))


def native_openai_responses(url):
    return shaped_natively(openai_responses(url))


def native_google(url):
    return shaped_natively(google(url))
