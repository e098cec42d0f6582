"""Google's Gemini API: reads a request as strictly as Google does, and writes the answer as it does.

What it takes is in `gemini_rules`.
"""

import base64
import json
import re
import struct
from typing import Any
from urllib.parse import parse_qs

import pydantic
from google.genai import types

from .answers import DIMENSIONS, Answer, vector
from .forms import GEMINI, dump
from .gemini_rules import Batch, Count, Embed, Generate, judge, refusal
from .mind import Asked, Call, Image, Json, Result, Said, Thought, Tool, count, say, sign
from .words import words

_PATH = re.compile(r"/v1(?:beta)?/models/(?P<model>.+):(?P<verb>\w+)$")


def answer(method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
    """Answers the verbs of a model."""
    path, _, query = target.partition("?")
    asked = parse_qs(query)
    found = _PATH.match(path)
    if method != "POST" or found is None:
        raise refusal(f"Not found: {method} {path}", 404)
    if not headers.get("x-goog-api-key") and "key" not in asked:
        raise refusal("Method doesn't allow unregistered callers (callers without established identity).", 403)
    match found["verb"]:
        case "generateContent":
            generated = _generated(found["model"], body, stream=False)
            return Answer(body=_whole(*generated), form=GEMINI, asked=generated[0])
        case "streamGenerateContent":
            generated = _generated(found["model"], body, stream=True)
            chunks = _chunks(*generated)
            if asked.get("alt") == ["sse"]:
                return Answer(events=chunks, form=GEMINI, asked=generated[0])
            raw = b"[" + b"\n,\r\n".join(map(dump, chunks)) + b"]"
            return Answer(raw=raw, headers={"content-type": "application/json; charset=UTF-8"}, form=GEMINI)
        case "countTokens":
            counted = _parsed(Count, body)
            return Answer(body={"totalTokens": count(_read(found["model"], counted.contents))}, form=GEMINI)
        case "embedContent":
            return Answer(body={"embedding": _embedded(_parsed(Embed, body))}, form=GEMINI)
        case "batchEmbedContents":
            batch = _parsed(Batch, body)
            return Answer(body={"embeddings": [_embedded(request) for request in batch.requests]}, form=GEMINI)
    raise refusal(f"Not found: {path}", 404)


def _parsed(kind: Any, body: bytes) -> Any:
    try:
        json.loads(body)
        # Its alphabet is either: google-genai sends URL-safe base64, and Google takes both.
        return kind.model_validate_json(body)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise refusal(f"Invalid JSON payload received. {first['msg']} at '{place}'") from None
    except ValueError:
        raise refusal("Invalid JSON payload received. Unexpected token.") from None


def _generated(model: str, body: bytes, *, stream: bool) -> tuple[Asked, Said]:
    request = _parsed(Generate, body)
    judge(model, request)
    asked = read(model, request, stream=stream)
    return asked, say(asked)


# --- reading -------------------------------------------------------------------------------------------------------


def read(model: str, request: Generate, *, stream: bool) -> Asked:
    """What it asks."""
    config = request.generation_config or types.GenerationConfig()
    asked = _read(model, request.contents)
    asked.stream = stream
    asked.system = [part.text or "" for part in (request.system_instruction or types.Content()).parts or []]
    asked.tools = [
        Tool(f.name or "", f.description, f.parameters_json_schema or _plain(f.parameters) or {"type": "object"})
        for tool in request.tools or []
        for f in tool.function_declarations or []
    ]
    calling = (request.tool_config or types.ToolConfig()).function_calling_config
    if calling and calling.mode:
        only = calling.allowed_function_names or []
        mode = {"NONE": "none", "ANY": "any"}.get(calling.mode.value, "auto")
        asked.choice = only[0] if mode == "any" and len(only) == 1 else mode
    asked.schema = config.response_json_schema or _plain(config.response_schema)
    asked.any_json = config.response_mime_type == "application/json"
    asked.thinks = asked.shows = bool(config.thinking_config and config.thinking_config.include_thoughts)
    asked.stop = config.stop_sequences or []
    asked.cap = config.max_output_tokens
    asked.temperature, asked.top_p, asked.seed = config.temperature, config.top_p, config.seed
    asked.top_k = None if config.top_k is None else int(config.top_k)
    return asked


def _plain(schema: types.Schema | None) -> Json | None:
    """A schema of Google's own kind as a JSON schema."""

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            name: inner.lower() if name == "type" and isinstance(inner, str) else plain(inner)
            for name, inner in value.items()
        }

    return plain(schema.model_dump(mode="json", exclude_none=True, by_alias=True)) if schema is not None else None


def _read(model: str, contents: list[types.Content]) -> Asked:
    asked = Asked(model, [])
    for content in contents:
        turn = asked.add("assistant" if content.role == "model" else "user")
        for part in content.parts or []:
            signature = base64.b64encode(part.thought_signature).decode() if part.thought_signature else None
            if part.thought:
                turn.thoughts.append(Thought(part.text or "", signature))
                continue
            if signature:
                turn.thoughts.append(Thought("", signature))
            turn.text += part.text or ""
            if part.inline_data:
                turn.images.append(_image(part.inline_data))
            if part.function_call:
                call = part.function_call
                turn.calls.append(Call(call.id, call.name or "", call.args or {}))
            if part.function_response:
                turn.results.append(_result(part.function_response))
    return asked


def _image(blob: Any) -> Image:
    return Image(blob.mime_type or "", blob.data or b"")


def _result(given: types.FunctionResponse) -> Result:
    response = given.response or {}
    # "output" and "error" are the names that Google gives meaning: types.FunctionResponse.response.
    failed = "error" in response
    value = response.get("error", response.get("output", response.get("result", response)))
    text = value if isinstance(value, str) else json.dumps(value)
    images = tuple(_image(part.inline_data) for part in given.parts or [] if part.inline_data)
    return Result(given.id, given.name, text, failed, images)


def _embedded(request: Embed) -> Json:
    dimensions = request.output_dimensionality or DIMENSIONS
    text = "".join(part.text or "" for part in request.content.parts or [])
    return {"values": list(struct.unpack(f"<{dimensions}f", vector(json.dumps(text), dimensions)))}


# --- writing -------------------------------------------------------------------------------------------------------


def _parts(asked: Asked, said: Said) -> list[Json]:
    """Each part as it stands in a chunk of its own. Signatures stand where Google puts them."""
    signs = asked.thinks or asked.model.startswith("gemini-3")
    parts: list[Json] = [{"text": word, "thought": True} for word in words(said.thought.text if said.thought else "")]
    parts += [{"text": word} for word in words(said.text)]
    for at, call in enumerate(said.calls):
        part: Json = {"functionCall": {"id": f"fc_{call.id}", "name": call.name, "args": call.arguments}}
        if signs and at == 0:
            part["thoughtSignature"] = sign(call.name)
        parts.append(part)
    if signs and said.text:
        # Of a stream it comes alone, in a part without text (thought-signatures, "Streaming").
        parts.append({"text": "", "thoughtSignature": sign(said.text)})
    return parts


def _joined(parts: list[Json]) -> list[Json]:
    """Texts of one kind in one part, and a signature that came alone in the part that it signs."""
    joined: list[Json] = []
    for part in parts:
        last = joined[-1] if joined else {}
        if "text" in part and "text" in last and part.get("thought") == last.get("thought"):
            joined[-1] = {**last, **part, "text": last["text"] + part["text"]}
        else:
            joined.append(part)
    return joined


def _usage(said: Said, completion: int | None = None) -> Json:
    usage = said.usage
    spoken = usage.completion - usage.thinking if completion is None else completion
    return {
        "promptTokenCount": usage.prompt,
        "candidatesTokenCount": spoken,
        "totalTokenCount": usage.prompt + spoken + usage.thinking,
        "cachedContentTokenCount": usage.cached,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": usage.prompt}],
        **({"thoughtsTokenCount": usage.thinking} if usage.thinking else {}),
    }


def _answer(asked: Asked, parts: list[Json], usage: Json, finish: str | None) -> Json:
    candidate: Json = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": asked.model, "responseId": "resp_gemini"}


def _whole(asked: Asked, said: Said) -> Json:
    return _answer(asked, _joined(_parts(asked, said)), _usage(said), _finish(said))


def _finish(said: Said) -> str:
    return "MAX_TOKENS" if said.reason == "length" else "STOP"


def _chunks(asked: Asked, said: Said) -> list[Json]:
    parts = _parts(asked, said)
    chunks = []
    for at, part in enumerate(parts):
        last = at + 1 == len(parts)
        usage = _usage(said) if last else _usage(said, min(at, said.usage.completion - said.usage.thinking))
        chunks.append(_answer(asked, [part], usage, _finish(said) if last else None))
    return chunks
