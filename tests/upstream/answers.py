"""What an OpenAI server would say. Pure: the bytes of a request in, an `Answer` out, equal for equal requests."""

import base64
import hashlib
import json
import math
import struct
from dataclasses import dataclass, field
from typing import Any

from .forms import OPENAI, Form
from .schema import fit
from .words import sevens, words

CREATED = 1_700_000_000
MODELS = ("fake-chat", "fake-instruct", "fake-embed")
DIMENSIONS = 16

Json = dict[str, Any]


@dataclass
class Answer:
    """One answer before any fault: a JSON `body`, the `events` of a stream (without `[DONE]`), or `raw` bytes."""

    status: int = 200
    body: Json | None = None
    events: list[Json] | None = None
    raw: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    form: Form = OPENAI
    asked: Any = None
    """The request without its dialect (`mind.Asked`), where it was read so."""


class Refusal(Exception):
    """A request that gets an error."""

    def __init__(
        self, status: int, message: str, code: str | None = None, param: str | None = None, form: Form = OPENAI
    ):
        super().__init__(message)
        self.answer = error(status, message, code, param, form)


def error(status: int, message: str, code: str | None, param: str | None = None, form: Form = OPENAI) -> Answer:
    """An error answer, in the OpenAI shape unless another is given."""
    return Answer(status, form.error(status, message, code, param), form=form)


def answer(method: str, path: str, body: bytes, models: tuple[str, ...]) -> Answer:
    """Answers one request whose key was accepted. `path` begins with `/v1`."""
    try:
        return _answer(method, path, body, models)
    except Refusal as refusal:
        return refusal.answer


def _answer(method: str, path: str, body: bytes, models: tuple[str, ...]) -> Answer:
    if path == "/v1/models" or path.startswith("/v1/models/"):
        _expect(method, "GET", path)
        name = path.removeprefix("/v1/models").removeprefix("/")
        return Answer(body=_model(_known(name, models)) if name else _list([_model(name) for name in models]))
    handler = {"/v1/chat/completions": _chat, "/v1/completions": _completions, "/v1/embeddings": _embeddings}.get(path)
    if handler is None:
        raise Refusal(404, f"Invalid URL ({method} {path})", "unknown_url")
    _expect(method, "POST", path)
    request = _read(body)
    _known(request["model"], models)
    return handler(request, hashlib.sha256(body).hexdigest()[:24])


def _expect(method: str, wanted: str, path: str) -> None:
    if method != wanted:
        raise Refusal(
            405, f"Not allowed to {method} on {path} (HINT: perhaps you meant {wanted}?)", "method_not_allowed"
        )


def _read(body: bytes) -> Json:
    try:
        request = json.loads(body)
    except ValueError:
        message = "We could not parse the JSON body of your request."
        raise Refusal(400, message, None) from None
    if not isinstance(request, dict):
        raise Refusal(400, "The body of your request is not a JSON object.", None)
    if not isinstance(request.get("model"), str):
        raise Refusal(400, "you must provide a model parameter", "missing_required_parameter", "model")
    return request


def _known(model: str, models: tuple[str, ...]) -> str:
    if model not in models and not model.startswith("fake:"):
        raise Refusal(
            404, f"The model `{model}` does not exist or you do not have access to it.", "model_not_found", "model"
        )
    return model


def _model(name: str) -> Json:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "fake"}


def _list(data: list[Json]) -> Json:
    return {"object": "list", "data": data}


def _text_of(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content if isinstance(part, dict))
    return ""


def _bounded(text: str, request: Json) -> tuple[str, str]:
    """The text after `stop` and the cap on tokens, and the finish reason."""
    stops = request.get("stop") or []
    for stop in [stops] if isinstance(stops, str) else stops:
        text = text.split(stop, 1)[0]
    cap = request.get("max_completion_tokens") or request.get("max_tokens")
    pieces = words(text)
    return ("".join(pieces[:cap]), "length") if cap and len(pieces) > cap else (text, "stop")


def _usage(prompt: int, completion: int) -> Json:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _wants_usage(request: Json) -> bool:
    return bool((request.get("stream_options") or {}).get("include_usage"))


# --- chat ----------------------------------------------------------------------------------------------------------


def _chat(request: Json, digest: str) -> Answer:
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(m, dict) for m in messages):
        raise Refusal(400, "'messages' must be a non-empty array of objects.", "invalid_value", "messages")
    choices = [_choice(request, messages, index) for index in range(request.get("n") or 1)]
    prompt = sum(4 + len(words(_text_of(m.get("content")))) for m in messages) + 3
    usage = _usage(prompt, sum(_cost(choice["message"]) for choice in choices))
    head = {"id": f"chatcmpl-{digest}", "created": CREATED, "model": request["model"]}
    if not request.get("stream"):
        body = {
            **head,
            "object": "chat.completion",
            "choices": choices,
            "usage": usage,
            "system_fingerprint": "fp_fake",
        }
        return Answer(body=body)
    head["object"] = "chat.completion.chunk"
    deltas = [(choice["index"], delta) for choice in choices for delta in _deltas(choice["message"])]
    events = [_chunk(head, index, delta) for index, delta in deltas]
    events += [_chunk(head, choice["index"], {}, choice["finish_reason"]) for choice in choices]
    if _wants_usage(request):
        events = [{**event, "usage": None} for event in events]
        events.append({**head, "choices": [], "usage": usage})
    return Answer(events=events)


def _choice(request: Json, messages: list[Json], index: int) -> Json:
    message: Json = {"role": "assistant", "content": None, "refusal": None}
    if calls := _tool_calls(request, messages, index):
        message["tool_calls"] = calls
        return {"index": index, "message": message, "logprobs": None, "finish_reason": "tool_calls"}
    message["content"], reason = _bounded(_speech(request, messages, index), request)
    return {"index": index, "message": message, "logprobs": None, "finish_reason": reason}


def _asked(messages: list[Json]) -> str:
    return next((_text_of(m.get("content")) for m in reversed(messages) if m.get("role") == "user"), "")


def _speech(request: Json, messages: list[Json], index: int) -> str:
    asked = _asked(messages)
    form = request.get("response_format") or {}
    if form.get("type") == "json_schema":
        schema = form["json_schema"].get("schema", {})
        return json.dumps(fit(schema, asked, schema), ensure_ascii=False)
    if form.get("type") == "json_object":
        return json.dumps({"answer": asked}, ensure_ascii=False)
    if messages[-1].get("role") == "tool":
        return f"The tool said: {_text_of(messages[-1].get('content'))}"
    return f"You said: {asked}" + (f" ({index})" if index else "")


def _tool_calls(request: Json, messages: list[Json], index: int) -> list[Json]:
    tools = [tool["function"] for tool in request.get("tools") or [] if tool.get("type") == "function"]
    choice = request.get("tool_choice", "auto")
    if isinstance(choice, dict):
        tools = [tool for tool in tools if tool["name"] == choice["function"]["name"]]
    if choice == "none" or messages[-1].get("role") == "tool":
        return []
    if request.get("parallel_tool_calls") is False:
        tools = tools[:1]
    asked = _asked(messages)
    calls = []
    for place, tool in enumerate(tools):
        schema = tool.get("parameters") or {"type": "object"}
        arguments = json.dumps(fit(schema, asked, schema), ensure_ascii=False)
        function = {"name": tool["name"], "arguments": arguments}
        calls.append({"id": f"call_{index}_{place}_{tool['name']}", "type": "function", "function": function})
    return calls


def _cost(message: Json) -> int:
    calls = message.get("tool_calls", [])
    return len(words(message["content"] or "")) + sum(5 + len(words(c["function"]["arguments"])) for c in calls)


def _deltas(message: Json) -> list[Json]:
    deltas: list[Json] = [
        {"role": "assistant", "content": "" if message["content"] is not None else None, "refusal": None}
    ]
    deltas += [{"content": word} for word in words(message["content"] or "")]
    for place, call in enumerate(message.get("tool_calls", [])):
        function = call["function"]
        deltas.append({"tool_calls": [{"index": place, **call, "function": {**function, "arguments": ""}}]})
        pieces = sevens(function["arguments"])
        deltas += [{"tool_calls": [{"index": place, "function": {"arguments": piece}}]} for piece in pieces]
    return deltas


def _chunk(head: Json, index: int, delta: Json, reason: str | None = None) -> Json:
    return {**head, "choices": [{"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}]}


# --- completions and embeddings --------------------------------------------------------------------------------------


def _inputs(value: object, name: str) -> list[str | list[int]]:
    """One input or many, each a text or a list of token ids."""
    if isinstance(value, str) and value:
        return [value]
    if isinstance(value, list) and value:
        if all(isinstance(item, int) and not isinstance(item, bool) for item in value):
            return [value]
        if all(isinstance(item, str | list) for item in value):
            return value
    raise Refusal(400, f"'{name}' must be a string, an array of strings or an array of tokens.", "invalid_value", name)


def _size(item: str | list[int]) -> int:
    return len(words(item)) if isinstance(item, str) else len(item)


def _completions(request: Json, digest: str) -> Answer:
    prompts = _inputs(request.get("prompt"), "prompt")
    choices: list[Json] = []
    for prompt in prompts:
        shown = prompt if isinstance(prompt, str) else f"{len(prompt)} tokens"
        for _ in range(request.get("n") or 1):
            text, reason = _bounded(f" after: {shown}", request)
            choices.append({"index": len(choices), "text": text, "logprobs": None, "finish_reason": reason})
    usage = _usage(sum(map(_size, prompts)), sum(len(words(choice["text"])) for choice in choices))
    head = {"id": f"cmpl-{digest}", "object": "text_completion", "created": CREATED, "model": request["model"]}
    if not request.get("stream"):
        return Answer(body={**head, "choices": choices, "usage": usage})
    events: list[Json] = []
    for choice in choices:
        pieces = [{**choice, "text": word, "finish_reason": None} for word in words(choice["text"])]
        events += [{**head, "choices": [piece]} for piece in [*pieces, {**choice, "text": ""}]]
    if _wants_usage(request):
        events = [{**event, "usage": None} for event in events]
        events.append({**head, "choices": [], "usage": usage})
    return Answer(events=events)


def _embeddings(request: Json, _digest: str) -> Answer:
    inputs = _inputs(request.get("input"), "input")
    dimensions = request.get("dimensions") or DIMENSIONS
    encoded = request.get("encoding_format") == "base64"
    data = []
    for index, item in enumerate(inputs):
        packed = vector(json.dumps(item), dimensions)
        value = base64.b64encode(packed).decode() if encoded else list(struct.unpack(f"<{dimensions}f", packed))
        data.append({"object": "embedding", "index": index, "embedding": value})
    tokens = sum(map(_size, inputs))
    return Answer(
        body={**_list(data), "model": request["model"], "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}
    )


def vector(text: str, dimensions: int) -> bytes:
    """A unit vector of `dimensions` 32-bit floats in little-endian order, derived from `text`."""
    numbers = [
        int.from_bytes(hashlib.sha256(f"{at}:{text}".encode()).digest()[:4]) / 2**31 - 1 for at in range(dimensions)
    ]
    length = math.sqrt(sum(number * number for number in numbers)) or 1.0
    return struct.pack(f"<{dimensions}f", *(number / length for number in numbers))
