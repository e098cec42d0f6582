"""Anthropic's SDK, in both majors in use: a tool's round, whole, streamed and by its runner, and an answer of a given shape."""

import anthropic
from scripts.said import ANN, KEY, MODEL, QUESTION, SHAPE, TEXT, Person, weather

TOOL = {"name": "weather", "description": "The weather.", "input_schema": SHAPE}


def client(gateway):
    return anthropic.Anthropic(base_url=gateway, api_key=KEY, max_retries=0)


def rounds(ask):
    """Two, the tool's result in between; gives the last message."""
    messages = [{"role": "user", "content": QUESTION}]
    first = ask(model=MODEL, max_tokens=100, messages=messages, tools=[TOOL])
    assert first.stop_reason == "tool_use"
    (call,) = [block for block in first.content if block.type == "tool_use"]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": weather(**call.input)}
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    last = ask(model=MODEL, max_tokens=100, messages=messages, tools=[TOOL])
    assert [block.text for block in last.content] == [TEXT]
    assert (last.stop_reason, last.usage.output_tokens) == ("end_turn", 5)


def tool(url):
    rounds(client(url).messages.create)
    return {"asked": 2, "result": "sunny in Oslo"}


def stream(url):
    def ask(**given):
        with client(url).messages.stream(**given) as events:
            return events.get_final_message()

    rounds(ask)
    return {"asked": 2, "result": "sunny in Oslo", "streamed": True}


def runner(url):
    made = client(url).beta.messages.tool_runner(
        model=MODEL,
        max_tokens=100,
        messages=[{"role": "user", "content": QUESTION}],
        tools=[anthropic.beta_tool(weather)],
    )
    assert made.until_done().content[0].text == TEXT
    return {"asked": 2, "result": "sunny in Oslo"}


def schema(url):
    asked = client(url).messages.parse(
        model=MODEL, max_tokens=100, messages=[{"role": "user", "content": QUESTION}], output_format=Person
    )
    assert asked.parsed_output == ANN
    return {"asked": 1, "shape": "response_format"}
