"""A caller of Google's Gemini API."""

import base64
from collections.abc import Iterable

from google.genai import types
from tests.upstream.mind import Asked, Call, Image, Json, Result, Turn

from .reply import Given, Reply, Usage, events

CANNOT = {"parallel", "user"}
HEADERS = {"x-goog-api-key": "unused"}


def path(asked: Asked) -> str:
    verb = "streamGenerateContent?alt=sse" if asked.stream else "generateContent"
    return f"/v1beta/models/{asked.model}:{verb}"


def write(asked: Asked) -> Json:
    body: Json = {"contents": [turn.raw if isinstance(turn, Given) else _content(turn) for turn in asked.turns]}
    if asked.system:
        body["systemInstruction"] = {"parts": [{"text": text} for text in asked.system]}
    if asked.tools:
        functions = [
            {"name": t.name, "description": t.description, "parametersJsonSchema": t.parameters} for t in asked.tools
        ]
        body["tools"] = [{"functionDeclarations": functions}]
    if asked.choice != "auto":
        mode = {"none": "NONE"}.get(asked.choice, "ANY")
        named = {} if asked.choice in ("any", "none") else {"allowedFunctionNames": [asked.choice]}
        body["toolConfig"] = {"functionCallingConfig": {"mode": mode, **named}}
    config: Json = {}
    if asked.schema is not None or asked.any_json:
        config["responseMimeType"] = "application/json"
    if asked.schema is not None:
        config["responseJsonSchema"] = asked.schema
    if asked.thinks:
        config["thinkingConfig"] = {"includeThoughts": True, "thinkingBudget": 1_024}
    if asked.stop:
        config["stopSequences"] = asked.stop
    for name, words in (
        ("cap", "maxOutputTokens"), ("temperature", "temperature"), ("top_p", "topP"), ("top_k", "topK"), ("seed", "seed"),
    ):  # fmt: skip
        if getattr(asked, name) is not None:
            config[words] = getattr(asked, name)
    return {**body, "generationConfig": config}


def _content(turn: Turn) -> Json:
    parts = [_result(result) for result in turn.results]
    parts += [{"text": turn.text}] if turn.text else []
    parts += [{"inlineData": _blob(image)} for image in turn.images]
    return {"role": "user" if turn.role == "user" else "model", "parts": parts}


def _blob(image: Image) -> Json:
    # As google-genai writes bytes: URL-safe.
    return {"mimeType": image.media_type, "data": base64.urlsafe_b64encode(image.data).decode()}


def _result(result: Result) -> Json:
    response = {"error": result.text} if result.failed else {"output": result.text}
    told: Json = {"id": result.id, "name": result.name, "response": response}
    if result.images:
        told["parts"] = [{"inlineData": _blob(image)} for image in result.images]
    return {"functionResponse": told}


_REASONS = {"STOP": "stop", "MAX_TOKENS": "length"}


def read(body: Json) -> Reply:
    types.GenerateContentResponse.model_validate(body)
    candidate = body["candidates"][0]
    assert candidate["content"]["role"] == "model"
    return _reply(candidate["content"]["parts"], candidate["finishReason"], body["usageMetadata"])


def _reply(parts: list[Json], finish: str, usage: Json) -> Reply:
    called = [part["functionCall"] for part in parts if "functionCall" in part]
    calls = [Call(call.get("id"), call["name"], call.get("args", {})) for call in called]
    prompt, spoken = usage["promptTokenCount"], usage["candidatesTokenCount"]
    thinking = usage.get("thoughtsTokenCount")
    assert usage["totalTokenCount"] == prompt + spoken + (thinking or 0)
    return Reply(
        text="".join(part.get("text", "") for part in parts if not part.get("thought")),
        thinking="".join(part.get("text", "") for part in parts if part.get("thought")),
        calls=calls,
        reason="tools" if calls and finish == "STOP" else _REASONS[finish],
        usage=Usage(prompt, usage.get("cachedContentTokenCount"), spoken + (thinking or 0), thinking),
        raw={"role": "model", "parts": parts},
    )


def read_stream(body: bytes) -> Reply:
    return read_responses(events(body))


def read_responses(responses: Iterable[Json]) -> Reply:
    """What the parts of a stream say, whatever is around them."""
    parts: list[Json] = []
    finish, usage = None, {}
    for event in responses:
        if "error" in event:
            text = "".join(part.get("text", "") for part in parts if not part.get("thought"))
            return Reply(text=text, error=event["error"]["message"])
        types.GenerateContentResponse.model_validate(event)
        usage = event.get("usageMetadata", usage)
        for candidate in event.get("candidates", []):
            assert finish is None, "nothing comes after the end"
            parts += candidate.get("content", {}).get("parts", [])
            finish = candidate.get("finishReason")
    assert finish is not None, "a stream ends with a reason"
    # The documented way back: the parts as they came, or joined; an empty one is kept for its signature.
    return _reply(parts, finish, usage)


def error(body: Json) -> str:
    assert body["error"].keys() >= {"code", "message", "status"}
    return body["error"]["message"]


# --- embeddings ----------------------------------------------------------------------------------------------------


def embed(model: str, texts: list[str]) -> tuple[str, Json]:
    requests = [{"model": f"models/{model}", "content": {"parts": [{"text": text}]}} for text in texts]
    return f"/v1beta/models/{model}:batchEmbedContents", {"requests": requests}


def vectors(body: Json) -> list[list[float]]:
    return [item["values"] for item in body["embeddings"]]
