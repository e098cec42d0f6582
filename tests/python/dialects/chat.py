"""A caller of OpenAI's chat completions."""

import base64

from openai.types.chat import ChatCompletion, ChatCompletionChunk
from tests.upstream.mind import Asked, Call, Image, Json, Turn

from .reply import Given, Reply, Usage, arguments, events

CANNOT = {"top_k", "result_images"}
HEADERS = {"authorization": "Bearer unused"}


def path(asked: Asked) -> str:
    return "/v1/chat/completions"


def write(asked: Asked) -> Json:
    messages: list[Json] = [{"role": "system", "content": text} for text in asked.system]
    for turn in asked.turns:
        messages += [turn.raw] if isinstance(turn, Given) else _messages(turn)
    body: Json = {"model": asked.model, "messages": messages}
    if asked.tools:
        functions = [{"name": t.name, "description": t.description, "parameters": t.parameters} for t in asked.tools]
        body["tools"] = [{"type": "function", "function": function} for function in functions]
    if asked.choice != "auto":
        words = {"any": "required", "none": "none"}
        named = {"type": "function", "function": {"name": asked.choice}}
        body["tool_choice"] = words.get(asked.choice, named)
    if not asked.parallel:
        body["parallel_tool_calls"] = False
    if asked.schema is not None:
        schema = {"name": "answer", "schema": asked.schema, "strict": closed(asked.schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif asked.any_json:
        body["response_format"] = {"type": "json_object"}
    if asked.thinks:
        body["reasoning_effort"] = "low"
    if asked.stop:
        body["stop"] = asked.stop
    if asked.cap is not None:
        body["max_completion_tokens"] = asked.cap
    for name in ("temperature", "top_p", "seed", "user"):
        if getattr(asked, name) is not None:
            body[name] = getattr(asked, name)
    if asked.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return body


def _messages(turn: Turn) -> list[Json]:
    told = [
        {"role": "tool", "tool_call_id": r.id, "content": r.text, **({"is_error": True} if r.failed else {})}
        for r in turn.results
    ]
    if not turn.images:
        return [*told, {"role": turn.role, "content": turn.text}] if turn.text else told
    parts: list[Json] = [{"type": "text", "text": turn.text}]
    parts += [_media(image) for image in turn.images]
    return [*told, {"role": turn.role, "content": parts}]


def closed(schema: Json) -> bool:
    """Whether OpenAI takes a schema as strict."""
    return schema.get("additionalProperties") is False and set(schema["required"]) == set(schema["properties"])


def _media(image: Image) -> Json:
    kind, _, form = image.media_type.partition("/")
    if kind == "audio":
        sound = {"data": base64.b64encode(image.data).decode(), "format": form}
        return {"type": "input_audio", "input_audio": sound}
    if kind == "application":
        return {"type": "file", "file": {"filename": "a.pdf", "file_data": data_url(image)}}
    return {"type": "image_url", "image_url": {"url": data_url(image)}}


def data_url(image: Image) -> str:
    return f"data:{image.media_type};base64,{base64.b64encode(image.data).decode()}"


def read(body: Json) -> Reply:
    ChatCompletion.model_validate(body)
    choice = body["choices"][0]
    message = choice["message"]
    assert message["role"] == "assistant"
    return Reply(
        text=message.get("content") or "",
        thinking=message.get("reasoning_content") or "",
        calls=[_call(call) for call in message.get("tool_calls") or []],
        reason=_REASONS[choice["finish_reason"]],
        sequence=choice.get("stop_reason"),
        usage=_usage(body["usage"]),
        raw=message,
    )


_REASONS = {"stop": "stop", "length": "length", "tool_calls": "tools"}


def _call(call: Json) -> Call:
    return Call(call["id"], call["function"]["name"], arguments(call["function"]["arguments"]))


def _usage(usage: Json) -> Usage:
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    return Usage(
        usage["prompt_tokens"],
        (usage.get("prompt_tokens_details") or {}).get("cached_tokens"),
        usage["completion_tokens"],
        (usage.get("completion_tokens_details") or {}).get("reasoning_tokens"),
    )


def read_stream(body: bytes) -> Reply:
    reply, calls, raw = Reply(), {}, {"role": "assistant", "content": ""}
    for event in events(body):
        if "error" in event:
            reply.error = event["error"]["message"]
            break
        ChatCompletionChunk.model_validate(event)
        if event.get("usage"):
            reply.usage = _usage(event["usage"])
        for choice in event["choices"]:
            delta = choice["delta"]
            reply.text += delta.get("content") or ""
            reply.thinking += delta.get("reasoning_content") or ""
            raw |= {name: delta[name] for name in ("thoughts", "extra_content") if delta.get(name)}
            for piece in delta.get("tool_calls") or []:
                call = calls.setdefault(piece["index"], {"type": "function", "function": {"name": "", "arguments": ""}})
                call |= {name: piece[name] for name in ("id", "extra_content") if piece.get(name)}
                for name in ("name", "arguments"):
                    call["function"][name] += piece["function"].get(name) or ""
            if choice.get("finish_reason"):
                assert reply.reason is None, "a choice ends once"
                reply.reason = _REASONS[choice["finish_reason"]]
                reply.sequence = choice.get("stop_reason")
    assert reply.error or body.endswith(b"data: [DONE]\n\n"), "a stream is closed by [DONE]"
    reply.calls = [_call(calls[at]) for at in sorted(calls)]
    raw |= {"content": reply.text or None, **({"reasoning_content": reply.thinking} if reply.thinking else {})}
    reply.raw = {**raw, "tool_calls": [calls[at] for at in sorted(calls)]} if calls else raw
    return reply


def error(body: Json) -> str:
    assert body["error"].keys() >= {"message", "type", "param", "code"}
    return body["error"]["message"]


# --- embeddings ----------------------------------------------------------------------------------------------------


def embed(model: str, texts: list[str]) -> tuple[str, Json]:
    return "/v1/embeddings", {"model": model, "input": texts}


def vectors(body: Json) -> list[list[float]]:
    return [item["embedding"] for item in body["data"]]
