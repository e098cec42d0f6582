"""LiteLLM, which speaks four dialects: a tool's round, whole and streamed, and an answer of a given shape."""

import json

import litellm
from scripts.said import ANN, KEY, MODEL, QUESTION, SHAPE, TEXT, Person, weather

TOOL = {"type": "function", "function": {"name": "weather", "description": "The weather.", "parameters": SHAPE}}


def given(url, dialect):
    # LiteLLM's Gemini takes the whole base with its version.
    base = {"openai": f"{url}/v1", "gemini": f"{url}/v1beta"}.get(dialect, url)
    return {"model": f"{dialect}/{MODEL}", "api_base": base, "api_key": KEY}


def called(url, dialect, streamed=False):
    messages = [{"role": "user", "content": QUESTION}]
    for _ in range(2):
        answer = litellm.completion(
            **given(url, dialect), messages=messages, tools=[TOOL], stream=streamed, max_tokens=90
        )
        answer = litellm.stream_chunk_builder(list(answer)) if streamed else answer
        message = answer.choices[0].message
        messages.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls or []:
            said = weather(**json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "name": "weather", "content": said})
    assert message.content == TEXT
    assert answer.choices[0].finish_reason == "stop"
    return {"asked": 2, "result": "sunny in Oslo", "streamed": streamed}


def shaped(url, dialect):
    messages = [{"role": "user", "content": QUESTION}]
    answer = litellm.completion(**given(url, dialect), messages=messages, response_format=Person)
    assert Person.model_validate_json(answer.choices[0].message.content) == ANN
    return {"asked": 1, "shape": "response_format"}


def tool_openai(url):
    return called(url, "openai")


def tool_anthropic(url):
    return called(url, "anthropic")


def tool_gemini(url):
    return called(url, "gemini")


def tool_ollama(url):
    return called(url, "ollama_chat")


def stream_openai(url):
    return called(url, "openai", streamed=True)


def stream_anthropic(url):
    return called(url, "anthropic", streamed=True)


def stream_gemini(url):
    return called(url, "gemini", streamed=True)


def stream_ollama(url):
    return called(url, "ollama_chat", streamed=True)


def schema_openai(url):
    return shaped(url, "openai")


def schema_ollama(url):
    return shaped(url, "ollama_chat")
