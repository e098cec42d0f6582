"""Anthropic's Messages: reads a request as strictly as Anthropic does, and writes the answer as it does.

Fields and types are those of the newest official SDK (`params`); rules beyond types are in `anthropic_rules`.
"""

import base64
import json
from typing import Any

from anthropic.types import message_count_tokens_params, message_create_params

from .answers import Answer
from .anthropic_rules import judge, refusal, thinks
from .forms import ANTHROPIC
from .mind import Asked, Call, Image, Json, Result, Said, Thought, Tool, count, say
from .params import check
from .words import sevens, words

_BEARER_VERSION = "2026-10-21"
"""From this version on keys come as a bearer's, and sampling is refused (seen at the SDK, which speaks it)."""
_VERSIONS = ("2023-06-01", _BEARER_VERSION)
_SAMPLING = ("temperature", "top_p", "top_k")


def answer(method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
    """Answers `POST /v1/messages` and its `count_tokens`."""
    if method != "POST" or path not in ("/v1/messages", "/v1/messages/count_tokens"):
        raise refusal(f"Not Found: {method} {path}", 404)
    version = _version(headers)
    request = _json(body)
    if path.endswith("count_tokens"):
        _typed(message_count_tokens_params.MessageCountTokensParams, request)
        return Answer(body={"input_tokens": count(read(request))}, form=ANTHROPIC)
    kind = "Streaming" if request.get("stream") else "NonStreaming"
    # The newest types have no sampling any more; older versions of the API take it.
    rest = request if version >= _BEARER_VERSION else {n: v for n, v in request.items() if n not in _SAMPLING}
    _typed(getattr(message_create_params, f"MessageCreateParams{kind}"), rest)
    judge(request)
    asked = read(request)
    said = say(asked)
    if asked.stream:
        return Answer(events=_events(asked, said), form=ANTHROPIC, asked=asked)
    return Answer(body=_message(asked, said), form=ANTHROPIC, asked=asked)


def _version(headers: dict[str, str]) -> str:
    version = headers.get("anthropic-version")
    if version is None:
        raise refusal("anthropic-version: header is required")
    if version not in _VERSIONS:
        raise refusal(f'anthropic-version: "{version}" is not a valid version')
    if "x-api-key" not in headers and not (
        version == _BEARER_VERSION and headers.get("authorization", "").startswith("Bearer ")
    ):
        raise refusal("x-api-key header is required", 401)
    return version


def _json(body: bytes) -> Json:
    try:
        request = json.loads(body)
    except ValueError:
        raise refusal("The request body is not valid JSON") from None
    if not isinstance(request, dict):
        raise refusal("The request body is not a JSON object")
    return request


def _typed(type_: Any, request: Json) -> None:
    if wrong := check(type_)(request):
        raise refusal(wrong)


# --- reading -------------------------------------------------------------------------------------------------------


def read(request: Json) -> Asked:
    """What it asks."""
    choice = request.get("tool_choice") or {}
    system = request.get("system") or []
    asked = Asked(
        model=request["model"],
        turns=[],
        system=[system] if isinstance(system, str) else [block["text"] for block in system],
        tools=[Tool(t["name"], t.get("description"), t["input_schema"]) for t in request.get("tools", [])],
        choice=choice["name"] if choice.get("type") == "tool" else choice.get("type", "auto"),
        parallel=not choice.get("disable_parallel_tool_use", False),
        schema=((request.get("output_config") or {}).get("format") or {}).get("schema"),
        thinks=thinks(request),
        shows=thinks(request) and request["thinking"].get("display") != "omitted",
        stop=list(request.get("stop_sequences", [])),
        cap=request.get("max_tokens"),
        temperature=request.get("temperature"),
        top_p=request.get("top_p"),
        top_k=request.get("top_k"),
        user=(request.get("metadata") or {}).get("user_id"),
        stream=bool(request.get("stream")),
    )
    for message in request["messages"]:
        turn = asked.add(message["role"])
        content = message["content"]
        for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            match block["type"]:
                case "text":
                    turn.text += block["text"]
                case "image" | "document":
                    turn.images.append(_image(block))
                case "thinking":
                    turn.thoughts.append(Thought(block["thinking"], block["signature"]))
                case "tool_use":
                    turn.calls.append(Call(block["id"], block["name"], block["input"]))
                case "tool_result":
                    turn.results.append(_result(block))
    return asked


def _image(block: Json) -> Image:
    source = block["source"]
    if source["type"] != "base64":
        return Image(source["type"], source.get("url", "").encode())
    return Image(source["media_type"], base64.b64decode(source["data"], validate=True))


def _result(block: Json) -> Result:
    content = block.get("content", "")
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    text = "".join(part["text"] for part in parts if part["type"] == "text")
    images = tuple(_image(part) for part in parts if part["type"] == "image")
    return Result(block["tool_use_id"], None, text, bool(block.get("is_error")), images)


# --- writing -------------------------------------------------------------------------------------------------------

_REASONS = {"stop": "end_turn", "sequence": "stop_sequence", "length": "max_tokens", "tools": "tool_use"}


def _content(said: Said) -> list[Json]:
    blocks: list[Json] = []
    if said.thought:
        blocks.append({"type": "thinking", "thinking": said.thought.text, "signature": said.thought.signature})
    if said.text:
        blocks.append({"type": "text", "text": said.text, "citations": None})
    blocks += [{"type": "tool_use", "id": f"toolu_{c.id}", "name": c.name, "input": c.arguments} for c in said.calls]
    return blocks


def _message(asked: Asked, said: Said) -> Json:
    return {
        "id": "msg_fake",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": _content(said),
        "stop_reason": _REASONS[said.reason],
        "stop_sequence": said.sequence,
        "usage": {
            **_prompt(said),
            "output_tokens": said.usage.completion,
            "service_tier": "standard",
            **_details(said),
        },
    }


def _prompt(said: Said) -> Json:
    usage = said.usage
    return {
        "input_tokens": usage.prompt - usage.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached,
    }


def _details(said: Said) -> Json:
    return {"output_tokens_details": {"thinking_tokens": said.usage.thinking}} if said.thought else {}


def _events(asked: Asked, said: Said) -> list[Json]:
    begun = {**_message(asked, said), "content": [], "stop_reason": None, "stop_sequence": None}
    # The first count of what is said is of its first token.
    begun["usage"] = {**_prompt(said), "output_tokens": 1, "service_tier": "standard"}
    events: list[Json] = [{"type": "message_start", "message": begun}]
    for index, block in enumerate(_content(said)):
        events.append({"type": "content_block_start", "index": index, "content_block": _opened(block)})
        if not index:
            events.append({"type": "ping"})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in _deltas(block)]
        events.append({"type": "content_block_stop", "index": index})
    delta = {"stop_reason": _REASONS[said.reason], "stop_sequence": said.sequence}
    usage = {**_prompt(said), "output_tokens": said.usage.completion, **_details(said)}
    return [*events, {"type": "message_delta", "delta": delta, "usage": usage}, {"type": "message_stop"}]


def _opened(block: Json) -> Json:
    empty: Json = {"thinking": {"thinking": "", "signature": ""}, "text": {"text": ""}, "tool_use": {"input": {}}}
    return {**block, **empty[block["type"]]}


def _deltas(block: Json) -> list[Json]:
    match block["type"]:
        case "thinking":
            thoughts = [{"type": "thinking_delta", "thinking": word} for word in words(block["thinking"])]
            return [*thoughts, {"type": "signature_delta", "signature": block["signature"]}]
        case "text":
            return [{"type": "text_delta", "text": word} for word in words(block["text"])]
    pieces = ["", *sevens(json.dumps(block["input"], ensure_ascii=False))]
    return [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
