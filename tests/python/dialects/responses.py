"""A caller of OpenAI's Responses."""

import json

import pydantic
from openai.types.responses import Response, ResponseStreamEvent
from tests.upstream.mind import Asked, Call, Image, Json, Turn

from .chat import closed, data_url
from .reply import Given, Reply, Usage, arguments, events

CANNOT = {"audio", "stop", "seed", "top_k", "failed"}
HEADERS = {"authorization": "Bearer unused"}
_EVENT: pydantic.TypeAdapter[ResponseStreamEvent] = pydantic.TypeAdapter(ResponseStreamEvent)


def path(asked: Asked) -> str:
    return "/v1/responses"


def write(asked: Asked) -> Json:
    items: list[Json] = []
    for turn in asked.turns:
        items += turn.raw if isinstance(turn, Given) else _items(turn)
    body: Json = {"model": asked.model, "input": items, "store": False}
    if asked.system:
        body["instructions"] = "\n".join(asked.system)
    if asked.tools:
        body["tools"] = [
            {
                "type": "function",
                "name": t.name,
                "description": t.description,
                "parameters": t.parameters,
                "strict": False,
            }
            for t in asked.tools
        ]
    if asked.choice != "auto":
        words = {"any": "required", "none": "none"}
        body["tool_choice"] = words.get(asked.choice, {"type": "function", "name": asked.choice})
    if not asked.parallel:
        body["parallel_tool_calls"] = False
    if asked.schema is not None:
        form = {"type": "json_schema", "name": "answer", "schema": asked.schema, "strict": closed(asked.schema)}
        body["text"] = {"format": form}
    elif asked.any_json:
        body["text"] = {"format": {"type": "json_object"}}
    if asked.thinks:
        body["reasoning"] = {"effort": "low", "summary": "auto"}
        body["include"] = ["reasoning.encrypted_content"]
    if asked.cap is not None:
        body["max_output_tokens"] = asked.cap
    for name in ("temperature", "top_p", "user"):
        if getattr(asked, name) is not None:
            body[name] = getattr(asked, name)
    if asked.stream:
        body["stream"] = True
    return body


def _media(image: Image) -> Json:
    if image.media_type == "application/pdf":
        return {"type": "input_file", "filename": "a.pdf", "file_data": data_url(image)}
    return {"type": "input_image", "detail": "auto", "image_url": data_url(image)}


def _items(turn: Turn) -> list[Json]:
    items: list[Json] = []
    for result in turn.results:
        output: object = result.text
        if result.images:
            pictures = [{"type": "input_image", "detail": "auto", "image_url": data_url(i)} for i in result.images]
            output = [{"type": "input_text", "text": result.text}, *pictures]
        items.append({"type": "function_call_output", "call_id": result.id, "output": output})
    if turn.images:
        parts: list[Json] = [{"type": "input_text", "text": turn.text}]
        parts += [_media(image) for image in turn.images]
        return [*items, {"role": turn.role, "content": parts}]
    return [*items, {"role": turn.role, "content": turn.text}] if turn.text else items


def read(body: Json) -> Reply:
    Response.model_validate(body)
    reply = Reply(raw=body["output"])
    for item in body["output"]:
        match item["type"]:
            case "message":
                assert item["role"] == "assistant"
                reply.text += "".join(part["text"] for part in item["content"] if part["type"] == "output_text")
            case "reasoning":
                reply.thinking += "".join(part["text"] for part in item["summary"])
            case "function_call":
                reply.calls.append(Call(item["call_id"], item["name"], arguments(item["arguments"])))
    reply.reason = "tools" if reply.calls else "stop"
    if body["status"] == "incomplete":
        assert body["incomplete_details"]["reason"] == "max_output_tokens"
        reply.reason = "length"
    usage = body["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    reply.usage = Usage(
        usage["input_tokens"],
        usage["input_tokens_details"]["cached_tokens"],
        usage["output_tokens"],
        usage["output_tokens_details"]["reasoning_tokens"],
    )
    return reply


def read_stream(body: bytes) -> Reply:
    text, thinking, final, numbers = "", "", None, []
    called: dict[str, str] = {}
    for event in events(body):
        _EVENT.validate_python(event)
        numbers.append(event["sequence_number"])
        match event["type"]:
            case "response.output_text.delta":
                text += event["delta"]
            case "response.reasoning_summary_text.delta":
                thinking += event["delta"]
            case "response.function_call_arguments.delta":
                called[event["item_id"]] = called.get(event["item_id"], "") + event["delta"]
            case "response.completed" | "response.incomplete":
                assert final is None, "a response ends once"
                final = event["response"]
            case "error":
                return Reply(text=text, thinking=thinking, error=event["message"])
            case "response.failed":
                return Reply(text=text, thinking=thinking, error=event["response"]["error"]["message"])
    assert numbers == sorted(set(numbers)), "events are numbered in their order"
    assert final is not None, "a stream is closed by its response"
    reply = read(final)
    items = [item for item in final["output"] if item["type"] == "function_call"]
    assert [arguments(called[item["id"]]) for item in items] == [json.loads(item["arguments"]) for item in items]
    assert (reply.text, reply.thinking) == (text, thinking), "what was streamed is what the response says at last"
    return reply


def error(body: Json) -> str:
    assert body["error"].keys() >= {"message", "type", "param", "code"}
    return body["error"]["message"]
