"""Ollama's SDK: a tool's round, whole and streamed, and an answer of a given shape."""

import ollama
from scripts.said import ANN, MODEL, QUESTION, TEXT, Person, weather


def rounds(ask):
    messages = [{"role": "user", "content": QUESTION}]
    first = ask(messages)
    (call,) = first.tool_calls
    assert (call.function.name, call.function.arguments) == ("weather", {"city": "Oslo"})
    messages += [first, {"role": "tool", "tool_name": "weather", "content": weather(**call.function.arguments)}]
    assert ask(messages).content == TEXT


def tool(url):
    client = ollama.Client(url)
    rounds(lambda messages: client.chat(MODEL, messages, tools=[weather]).message)
    return {"asked": 2, "result": "sunny in Oslo", "streamed": False}


def stream(url):
    def ask(messages):
        pieces = [piece.message for piece in ollama.Client(url).chat(MODEL, messages, tools=[weather], stream=True)]
        calls = [call for piece in pieces for call in piece.tool_calls or []]
        text = "".join(piece.content or "" for piece in pieces)
        return ollama.Message(role="assistant", content=text, tool_calls=calls or None)

    rounds(ask)
    return {"asked": 2, "result": "sunny in Oslo", "streamed": True}


def schema(url):
    messages = [{"role": "user", "content": QUESTION}]
    answer = ollama.Client(url).chat(MODEL, messages, format=Person.model_json_schema())
    assert Person.model_validate_json(answer.message.content) == ANN
    return {"asked": 1, "shape": "response_format"}
