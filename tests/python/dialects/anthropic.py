"""A caller of Anthropic's Messages."""

import base64
import json

import pydantic
from anthropic.types import Message, RawMessageStreamEvent
from tests.upstream.mind import Asked, Call, Image, Json, Result, Turn

from .reply import Given, Reply, Usage, arguments, events

CANNOT = {"audio", "seed", "any_json"}
HEADERS = {"x-api-key": "unused", "anthropic-version": "2023-06-01"}
_EVENT: pydantic.TypeAdapter[RawMessageStreamEvent] = pydantic.TypeAdapter(RawMessageStreamEvent)


def path(asked: Asked) -> str:
    return "/v1/messages"


def write(asked: Asked) -> Json:
    messages = [
        {"role": turn.role, "content": turn.raw if isinstance(turn, Given) else _blocks(turn)} for turn in asked.turns
    ]
    body: Json = {"model": asked.model, "messages": messages, "max_tokens": asked.cap}
    if asked.system:
        body["system"] = [{"type": "text", "text": text} for text in asked.system]
    if asked.tools:
        body["tools"] = [
            {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
            for tool in asked.tools
        ]
        kind = asked.choice if asked.choice in ("auto", "any", "none") else "tool"
        choice: Json = {"type": kind}
        if kind == "tool":
            choice["name"] = asked.choice
        if not asked.parallel:
            choice["disable_parallel_tool_use"] = True
        if choice != {"type": "auto"}:
            body["tool_choice"] = choice
    if asked.schema is not None:
        body["output_config"] = {"format": {"type": "json_schema", "schema": asked.schema}}
    if asked.thinks:
        body["thinking"] = {"type": "enabled", "budget_tokens": 1_024}
    if asked.stop:
        body["stop_sequences"] = asked.stop
    if asked.user is not None:
        body["metadata"] = {"user_id": asked.user}
    for name in ("temperature", "top_p", "top_k"):
        if getattr(asked, name) is not None:
            body[name] = getattr(asked, name)
    if asked.stream:
        body["stream"] = True
    return body


def _blocks(turn: Turn) -> list[Json]:
    blocks = [_result(result) for result in turn.results]
    blocks += [{"type": "text", "text": turn.text}] if turn.text else []
    return blocks + [_image(image) for image in turn.images]


def _result(result: Result) -> Json:
    content: object = result.text
    if result.images:
        content = [{"type": "text", "text": result.text}, *map(_image, result.images)]
    failed = {"is_error": True} if result.failed else {}
    return {"type": "tool_result", "tool_use_id": result.id, "content": content, **failed}


def _image(image: Image) -> Json:
    data = base64.b64encode(image.data).decode()
    kind = "document" if image.media_type == "application/pdf" else "image"
    return {"type": kind, "source": {"type": "base64", "media_type": image.media_type, "data": data}}


_REASONS = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tools"}


def read(body: Json) -> Reply:
    Message.model_validate(body)
    return Reply(
        text="".join(block["text"] for block in body["content"] if block["type"] == "text"),
        thinking="".join(block["thinking"] for block in body["content"] if block["type"] == "thinking"),
        calls=[Call(b["id"], b["name"], b["input"]) for b in body["content"] if b["type"] == "tool_use"],
        reason=_REASONS[body["stop_reason"]],
        sequence=body["stop_sequence"],
        usage=_usage(body["usage"]),
        raw=body["content"],
    )


def _usage(usage: Json) -> Usage:
    cached = usage.get("cache_read_input_tokens")
    prompt = usage["input_tokens"] + (cached or 0) + (usage.get("cache_creation_input_tokens") or 0)
    thinking = (usage.get("output_tokens_details") or {}).get("thinking_tokens")
    return Usage(prompt, cached, usage["output_tokens"], thinking)


def read_stream(body: bytes) -> Reply:
    message: Json = {}
    open_: set[int] = set()
    for event in events(body):
        if event["type"] == "error":
            texts = [block["text"] for block in message.get("content", []) if block["type"] == "text"]
            return Reply(text="".join(texts), error=event["error"]["message"])
        if event["type"] == "ping":
            continue  # the SDK's union of events has none: it passes over it
        _EVENT.validate_python(event)
        match event["type"]:
            case "message_start":
                assert not message, "message_start is sent once"
                message = event["message"]
            case "content_block_start":
                assert not open_, "blocks do not overlap"
                assert event["index"] == len(message["content"])
                open_.add(event["index"])
                message["content"].append({**event["content_block"], "json": ""})
            case "content_block_delta":
                _grow(message["content"][event["index"]], event["delta"])
            case "content_block_stop":
                open_.remove(event["index"])
                block = message["content"][event["index"]]
                pieces = block.pop("json")
                if block["type"] == "tool_use":
                    block["input"] = arguments(pieces)
            case "message_delta":
                message |= event["delta"]
                message["usage"] |= {name: value for name, value in event["usage"].items() if value is not None}
    assert json.loads(body.rstrip().rpartition(b"data:")[2])["type"] == "message_stop"
    return read(message)


def _grow(block: Json, delta: Json) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] = delta["signature"]
        case "input_json_delta":
            block["json"] += delta["partial_json"]


def error(body: Json) -> str:
    assert body["type"] == "error"
    assert body["error"].keys() >= {"type", "message"}
    return body["error"]["message"]
