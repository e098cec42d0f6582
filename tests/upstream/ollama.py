"""Ollama's own API: reads a request more strictly than Ollama does, and writes the answer as it does.

The real one passes over fields that it does not know, without a word; here they are refused, because what a gateway
sends and nobody reads is lost in silence. Fields are those of the newest official SDK, and what the server's own
`api/types.go` has beyond them (ids of calls).
"""

import base64
import binascii
import functools
import json
import struct
from typing import Any

import jsonschema
import ollama._types as types

from .answers import DIMENSIONS, Answer, Refusal, vector
from .forms import OLLAMA
from .mind import Asked, Call, Image, Json, Result, Said, Tool, Turn, say
from .schema import resolved
from .words import words

_AT = "2026-01-01T00:00:00.000000Z"
_LEVELS = (True, False, "low", "medium", "high", "max")
_BEYOND: dict[str, Json] = {
    "Message": {"tool_call_id": {"type": "string"}},
    "ToolCall": {"id": {"type": "string"}},
    "Function": {"index": {"type": "integer"}},
    "ChatRequest": {"truncate": {"type": "boolean"}, "shift": {"type": "boolean"}},
    "GenerateRequest": {"truncate": {"type": "boolean"}, "shift": {"type": "boolean"}},
    "Options": {"min_p": {"type": "number"}},
}


@functools.cache
def _validator(kind: Any) -> Any:
    """Of one of the SDK's models, closed. JSON schemas of callers stay as open as they are."""
    schema = resolved(kind.model_json_schema())
    for inner in [schema, *_objects(schema)]:
        title = inner.get("title")
        if title not in ("Parameters", "Property", "Image"):
            inner["properties"] = {**inner.get("properties", {}), **_BEYOND.get(title, {})}
            inner["additionalProperties"] = False
    return jsonschema.Draft202012Validator(schema)


def _objects(schema: Any) -> list[Json]:
    inner = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else []
    # A field may itself be named `properties`.
    found = [schema] if isinstance(schema, dict) and schema.get("type") == "object" and "properties" in schema else []
    return found + [deep for value in inner for deep in _objects(value)]


def answer(method: str, target: str, _headers: dict[str, str], body: bytes) -> Answer:
    """Answers `/api/chat`, `/api/generate` and `/api/embed`."""
    path = target.partition("?")[0]
    if path not in ("/api/chat", "/api/generate", "/api/embed"):
        raise Refusal(404, "404 page not found", form=OLLAMA)
    if method != "POST":
        raise Refusal(405, "405 method not allowed", form=OLLAMA)
    try:
        request = json.loads(body)
    except ValueError as error:
        raise _refusal(f"invalid character: {error}") from None
    if path == "/api/embed":
        return _embed(request)
    chat = path == "/api/chat"
    _judge(request, types.ChatRequest if chat else types.GenerateRequest)
    asked = _read_chat(request) if chat else _read_generate(request)
    said = say(asked)
    lines = _lines(asked, said, chat=chat)
    if asked.stream:
        return Answer(events=lines, form=OLLAMA, asked=asked)
    return Answer(body=_whole(asked, said, chat=chat), form=OLLAMA, asked=asked)


def _refusal(message: str) -> Refusal:
    return Refusal(400, message, form=OLLAMA)


def _typed(kind: Any, value: Any, place: str) -> None:
    worst = jsonschema.exceptions.best_match(_validator(kind).iter_errors(value))
    if worst is not None:
        where = ".".join([place, *map(str, worst.absolute_path)])
        raise _refusal(f"json: cannot unmarshal {where}: {worst.message[:300]}")


def _judge(request: Json, kind: Any) -> None:
    # A message's pictures are text, which the SDK's type is told by its serializer alone.
    bare = {name: value for name, value in request.items() if name not in ("images", "messages", "options", "think")}
    _typed(kind, bare, "request")
    _typed(types.Options, request.get("options") or {}, "options")
    if request.get("think") not in (None, *_LEVELS):
        raise _refusal(f'invalid think value: "{request["think"]}" (must be "high", "medium", "low", true, or false)')
    for at, message in enumerate(request.get("messages") or []):
        _typed(types.Message, {n: v for n, v in message.items() if n != "images"}, f"messages.{at}")
        if message["role"] not in ("system", "user", "assistant", "tool"):
            raise _refusal(f"messages.{at}: invalid role: {message['role']}")
        if message["role"] != "tool" and {"tool_name", "tool_call_id"} & message.keys():
            raise _refusal(f"messages.{at}: only a tool has a tool_name")


def read(path: str, request: Json) -> Asked:
    """What it asks."""
    return _read_chat(request) if path.startswith("/api/chat") else _read_generate(request)


def _read_common(request: Json) -> Asked:
    options = request.get("options") or {}
    form = request.get("format") or None
    stop = options.get("stop") or []
    return Asked(
        model=request["model"],
        turns=[],
        schema=form if isinstance(form, dict) else None,
        shows=True,
        any_json=form == "json",
        thinks=request.get("think") not in (None, False),
        stop=[stop] if isinstance(stop, str) else list(stop),
        # Below 0: as long as it likes.
        cap=max(options.get("num_predict") or 0, 0) or None,
        temperature=options.get("temperature"),
        top_p=options.get("top_p"),
        top_k=options.get("top_k"),
        seed=options.get("seed"),
        stream=request.get("stream") is not False,
    )


def _read_generate(request: Json) -> Asked:
    asked = _read_common(request)
    asked.system = [request["system"]] if request.get("system") else []
    asked.turns = [Turn("user", request.get("prompt") or "", _images(request))]
    return asked


def _read_chat(request: Json) -> Asked:
    asked = _read_common(request)
    asked.tools = [
        Tool(tool["function"]["name"], tool["function"].get("description"), tool["function"].get("parameters") or {})
        for tool in request.get("tools") or []
    ]
    for message in request.get("messages") or []:
        content = message.get("content") or ""
        if message["role"] == "system":
            asked.system.append(content)
            continue
        turn = asked.add("assistant" if message["role"] == "assistant" else "user")
        if message["role"] == "tool":
            result = Result(
                message.get("tool_call_id"), message.get("tool_name"), content, False, tuple(_images(message))
            )
            turn.results.append(result)
            continue
        turn.text += content
        turn.images += _images(message)
        for call in message.get("tool_calls") or []:
            turn.calls.append(Call(call.get("id"), call["function"]["name"], call["function"]["arguments"]))
    return asked


def _images(given: Json) -> list[Image]:
    images = []
    for value in given.get("images") or []:
        try:
            data = base64.b64decode(value, validate=True)
        except (binascii.Error, TypeError):
            raise _refusal("illegal base64 data at input byte 0") from None
        kind = "image/png" if data.startswith(b"\x89PNG") else "image/jpeg" if data.startswith(b"\xff\xd8") else "?"
        images.append(Image(kind, data))
    return images


def _embed(request: Json) -> Answer:
    _typed(types.EmbedRequest, request, "request")
    given = request["input"]
    inputs = [given] if isinstance(given, str) else given
    dimensions = request.get("dimensions") or DIMENSIONS
    vectors = [list(struct.unpack(f"<{dimensions}f", vector(json.dumps(text), dimensions))) for text in inputs]
    tokens = sum(len(words(text)) for text in inputs)
    body = {"model": request["model"], "embeddings": vectors, "total_duration": 3, "load_duration": 1}
    return Answer(body={**body, "prompt_eval_count": tokens}, form=OLLAMA)


# --- writing -------------------------------------------------------------------------------------------------------


def _calls(said: Said) -> list[Json]:
    return [
        {"id": f"call_{call.id}", "function": {"index": at, "name": call.name, "arguments": call.arguments}}
        for at, call in enumerate(said.calls)
    ]


def _line(asked: Asked, chat: bool, *, content: str = "", thinking: str = "", calls: list[Json] | None = None) -> Json:
    line: Json = {"model": asked.model, "created_at": _AT}
    thought = {"thinking": thinking} if thinking else {}
    if not chat:
        return {**line, "response": content, **thought, "done": False}
    message: Json = {"role": "assistant", "content": content, **thought}
    if calls:
        message["tool_calls"] = calls
    return {**line, "message": message, "done": False}


def _last(said: Said) -> Json:
    return {
        "done": True,
        "done_reason": "length" if said.reason == "length" else "stop",
        "total_duration": 9,
        "load_duration": 1,
        "prompt_eval_count": said.usage.prompt,
        "prompt_eval_duration": 4,
        "eval_count": said.usage.completion,
        "eval_duration": 4,
    }


def _whole(asked: Asked, said: Said, *, chat: bool) -> Json:
    thinking = said.thought.text if said.thought else ""
    line = _line(asked, chat, content=said.text, thinking=thinking, calls=_calls(said))
    return {**line, **_last(said)}


def _lines(asked: Asked, said: Said, *, chat: bool) -> list[Json]:
    thoughts = words(said.thought.text) if said.thought else []
    lines = [_line(asked, chat, thinking=word) for word in thoughts]
    lines += [_line(asked, chat, content=word) for word in words(said.text)]
    lines += [_line(asked, chat, calls=[call]) for call in _calls(said)]
    return [*lines, {**_line(asked, chat), **_last(said)}]
