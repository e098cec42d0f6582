"""A caller of Ollama's own API."""

import base64
import json

import ollama._types as types
from tests.upstream.mind import Asked, Call, Json, Turn

from .reply import Given, Reply, Usage

CANNOT = {"audio", "document", "choice", "parallel", "user", "failed", "result_images"}
HEADERS: dict[str, str] = {}


def path(asked: Asked) -> str:
    return "/api/chat"


def write(asked: Asked) -> Json:
    messages: list[Json] = [{"role": "system", "content": text} for text in asked.system]
    for turn in asked.turns:
        messages += [turn.raw] if isinstance(turn, Given) else _messages(turn)
    body: Json = {"model": asked.model, "messages": messages}
    if asked.tools:
        functions = [{"name": t.name, "description": t.description, "parameters": t.parameters} for t in asked.tools]
        body["tools"] = [{"type": "function", "function": function} for function in functions]
    if asked.schema is not None or asked.any_json:
        body["format"] = asked.schema or "json"
    if asked.thinks:
        body["think"] = True
    options: Json = {"stop": asked.stop} if asked.stop else {}
    for name, words in (
        ("cap", "num_predict"), ("temperature", "temperature"), ("top_p", "top_p"), ("top_k", "top_k"), ("seed", "seed"),
    ):  # fmt: skip
        if getattr(asked, name) is not None:
            options[words] = getattr(asked, name)
    if not asked.stream:
        body["stream"] = False
    return {**body, "options": options}


def _messages(turn: Turn) -> list[Json]:
    told: list[Json] = [
        {"role": "tool", "tool_name": result.name, "content": result.text}
        # Where a turn's calls have ids they go back, as its server takes them.
        | ({"tool_call_id": result.id} if result.id else {})
        for result in turn.results
    ]
    if not turn.text and not turn.images:
        return told
    images = [base64.b64encode(image.data).decode() for image in turn.images]
    return [*told, {"role": turn.role, "content": turn.text, **({"images": images} if images else {})}]


_REASONS = {"stop": "stop", "length": "length"}


def read(body: Json) -> Reply:
    types.ChatResponse.model_validate(body)
    assert body["done"] is True
    message = body["message"]
    assert message["role"] == "assistant"
    calls = [
        Call(c.get("id"), c["function"]["name"], c["function"]["arguments"]) for c in message.get("tool_calls") or []
    ]
    return Reply(
        text=message.get("content") or "",
        thinking=message.get("thinking") or "",
        calls=calls,
        reason="tools" if calls and body["done_reason"] == "stop" else _REASONS[body["done_reason"]],
        usage=Usage(body["prompt_eval_count"], None, body["eval_count"], None),
        raw=message,
    )


def read_stream(body: bytes) -> Reply:
    whole: Json = {"role": "assistant", "content": ""}
    assert body.endswith(b"\n"), "each line is whole"
    last: Json = {}
    for line in body.decode().removesuffix("\n").split("\n"):
        assert line, "no line is blank: clients break on it"
        last = json.loads(line)
        if "error" in last:
            return Reply(text=whole["content"], error=last["error"])
        types.ChatResponse.model_validate(last)
        for name in ("content", "thinking"):
            if last["message"].get(name):
                whole[name] = whole.get(name, "") + last["message"][name]
        if last["message"].get("tool_calls"):
            whole["tool_calls"] = whole.get("tool_calls", []) + last["message"]["tool_calls"]
    return read({**last, "message": whole})


def error(body: Json) -> str:
    assert isinstance(body["error"], str)
    return body["error"]


# --- embeddings ----------------------------------------------------------------------------------------------------


def embed(model: str, texts: list[str]) -> tuple[str, Json]:
    return "/api/embed", {"model": model, "input": texts}


def vectors(body: Json) -> list[list[float]]:
    vectors: list[list[float]] = body["embeddings"]
    return vectors
