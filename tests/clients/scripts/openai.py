"""OpenAI's SDK, in both majors in use, over chat and Responses: a tool's round, whole and streamed, and a given shape."""

import json

import openai
from scripts.said import ANN, KEY, MODEL, QUESTION, SHAPE, TEXT, Person, weather

CHAT_TOOL = {"type": "function", "function": {"name": "weather", "description": "The weather.", "parameters": SHAPE}}
RESPONSES_TOOL = {"type": "function", **CHAT_TOOL["function"], "strict": False}
USER = {"role": "user", "content": QUESTION}


def client(gateway):
    return openai.OpenAI(base_url=f"{gateway}/v1", api_key=KEY, max_retries=0)


def chat(url):
    sdk = client(url)
    message = sdk.chat.completions.create(model=MODEL, messages=[USER], tools=[CHAT_TOOL]).choices[0].message
    (call,) = message.tool_calls
    result = {"role": "tool", "tool_call_id": call.id, "content": weather(**json.loads(call.function.arguments))}
    last = sdk.chat.completions.create(model=MODEL, messages=[USER, message, result], tools=[CHAT_TOOL])
    assert last.choices[0].message.content == TEXT
    return {"asked": 2, "result": "sunny in Oslo"}


def chat_stream(url):
    def ask(messages):
        with client(url).chat.completions.stream(model=MODEL, messages=messages, tools=[CHAT_TOOL]) as stream:
            return stream.get_final_completion().choices[0].message

    message = ask([USER])
    (call,) = message.tool_calls
    result = {"role": "tool", "tool_call_id": call.id, "content": weather(**json.loads(call.function.arguments))}
    back = {
        "role": "assistant",
        "tool_calls": [call.model_dump(include={"id": True, "type": True, "function": {"name", "arguments"}})],
    }
    assert ask([USER, back, result]).content == TEXT
    return {"asked": 2, "result": "sunny in Oslo", "streamed": True}


def chat_schema(url):
    answer = client(url).chat.completions.parse(model=MODEL, messages=[USER], response_format=Person)
    assert answer.choices[0].message.parsed == ANN
    return {"asked": 1, "shape": "response_format"}


def responses_rounds(ask):
    first = ask([USER])
    (call,) = [item for item in first.output if item.type == "function_call"]
    said = weather(**json.loads(call.arguments))
    result = {"type": "function_call_output", "call_id": call.call_id, "output": said}
    assert ask([USER, *first.output, result]).output_text == TEXT


def responses(url):
    responses_rounds(
        lambda items: client(url).responses.create(model=MODEL, input=items, tools=[RESPONSES_TOOL], store=False)
    )
    return {"asked": 2, "result": "sunny in Oslo"}


def responses_stream(url):
    def ask(items):
        plain = [item if isinstance(item, dict) else item.model_dump(exclude={"parsed_arguments"}) for item in items]
        with client(url).responses.stream(model=MODEL, input=plain, tools=[RESPONSES_TOOL], store=False) as stream:
            return stream.get_final_response()

    responses_rounds(ask)
    return {"asked": 2, "result": "sunny in Oslo", "streamed": True}


def responses_schema(url):
    assert client(url).responses.parse(model=MODEL, input=[USER], text_format=Person).output_parsed == ANN
    return {"asked": 1, "shape": "response_format"}
