"""Anthropic's Messages: reads a request as strictly as Anthropic does, and writes the answer as it does.

Fields and types are those of the newest official SDK (`params`). Rules beyond types:
https://platform.claude.com/docs/en/api/messages, .../build-with-claude/extended-thinking, .../structured-outputs.
"""

import base64
import json
from typing import Any

from anthropic.types import message_count_tokens_params, message_create_params

from .answers import Answer, Refusal
from .forms import ANTHROPIC
from .mind import Asked, Call, Image, Json, Result, Said, Thought, Tool, count, say, sign
from .params import check
from .words import sevens, words

_BEARER_VERSION = "2026-10-21"
"""From this version on keys come as a bearer's, and sampling is refused (seen at the SDK, which speaks it)."""
_VERSIONS = ("2023-06-01", _BEARER_VERSION)
_SAMPLING = ("temperature", "top_p", "top_k")
_LEAST_BUDGET = 1_024


def answer(method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
    """Answers `POST /v1/messages` and its `count_tokens`."""
    if method != "POST" or path not in ("/v1/messages", "/v1/messages/count_tokens"):
        raise _refusal(f"Not Found: {method} {path}", 404)
    version = _version(headers)
    request = _json(body)
    if path.endswith("count_tokens"):
        _typed(message_count_tokens_params.MessageCountTokensParams, request)
        return Answer(body={"input_tokens": count(read(request))}, form=ANTHROPIC)
    kind = "Streaming" if request.get("stream") else "NonStreaming"
    # The newest types have no sampling any more; older versions of the API take it.
    rest = request if version >= _BEARER_VERSION else {n: v for n, v in request.items() if n not in _SAMPLING}
    _typed(getattr(message_create_params, f"MessageCreateParams{kind}"), rest)
    _judge(request)
    asked = read(request)
    said = say(asked)
    if asked.stream:
        return Answer(events=_events(asked, said), form=ANTHROPIC)
    return Answer(body=_message(asked, said), form=ANTHROPIC)


def _refusal(message: str, status: int = 400) -> Refusal:
    return Refusal(status, message, form=ANTHROPIC)


def _version(headers: dict[str, str]) -> str:
    version = headers.get("anthropic-version")
    if version is None:
        raise _refusal("anthropic-version: header is required")
    if version not in _VERSIONS:
        raise _refusal(f'anthropic-version: "{version}" is not a valid version')
    if "x-api-key" not in headers and not (
        version == _BEARER_VERSION and headers.get("authorization", "").startswith("Bearer ")
    ):
        raise _refusal("x-api-key header is required", 401)
    return version


def _json(body: bytes) -> Json:
    try:
        request = json.loads(body)
    except ValueError:
        raise _refusal("The request body is not valid JSON") from None
    if not isinstance(request, dict):
        raise _refusal("The request body is not a JSON object")
    return request


def _typed(type_: Any, request: Json) -> None:
    if wrong := check(type_)(request):
        raise _refusal(wrong)


# --- rules beyond types --------------------------------------------------------------------------------------------


def _judge(request: Json) -> None:
    _judge_sampling(request)
    form = (request.get("output_config") or {}).get("format")
    if form is not None:
        _closed(form["schema"], "output_config.format.schema")
    names = [tool["name"] for tool in request.get("tools", [])]
    if len(set(names)) < len(names):
        raise _refusal("tools: Tool names must be unique.")
    if not request["messages"]:
        raise _refusal("messages: at least one message is required")
    for at, message in enumerate(request["messages"]):
        blocks = message["content"] if isinstance(message["content"], list) else [message]
        _judge_blocks(blocks, message["role"], at)
    _judge_results(request["messages"])
    if _thinks(request):
        _judge_thoughts(request["messages"])


def _judge_sampling(request: Json) -> None:
    thinking = request.get("thinking") or {}
    if not 0 <= request.get("temperature", 1) <= 1:
        raise _refusal("temperature: range: 0..1")
    if {"temperature", "top_p"} <= request.keys():
        raise _refusal("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")
    if request["max_tokens"] < 1:
        raise _refusal("max_tokens: Input should be greater than or equal to 1")
    if thinking.get("type") == "enabled":
        if thinking["budget_tokens"] < _LEAST_BUDGET:
            raise _refusal("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
        if thinking["budget_tokens"] >= request["max_tokens"]:
            raise _refusal("`max_tokens` must be greater than `thinking.budget_tokens`.")
    if _thinks(request):
        if request.get("temperature", 1) != 1 or "top_k" in request:
            raise _refusal("`temperature` may only be set to 1 when thinking is enabled.")
        if (request.get("tool_choice") or {}).get("type") in ("any", "tool"):
            raise _refusal("Thinking may not be enabled when tool_choice forces tool use.")
        if request["messages"][-1]["role"] == "assistant":
            raise _refusal("When thinking is enabled, the final message must not be an assistant's.")


def _closed(schema: Any, place: str) -> None:
    if isinstance(schema, list):
        for at, inner in enumerate(schema):
            _closed(inner, f"{place}.{at}")
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        raise _refusal(f"{place}: For 'object' type, 'additionalProperties' must be explicitly set to false")
    for name in ("minimum", "maximum", "minLength", "maxLength", "multipleOf"):
        if name in schema:
            raise _refusal(f"{place}: For '{schema.get('type')}' type, property '{name}' is not supported")
    for name, inner in schema.items():
        if name not in ("enum", "const", "default", "required"):
            _closed(list(inner.values()) if name in ("properties", "$defs") else inner, f"{place}.{name}")


def _judge_blocks(blocks: list[Json], role: str, at: int) -> None:
    mine = {"user": {"text", "image", "document", "tool_result"}, "assistant": {"text", "tool_use", "thinking", "redacted_thinking"}}  # fmt: skip
    for place, block in enumerate(blocks):
        kind = block.get("type", "text")
        if kind not in mine[role]:
            raise _refusal(f"messages.{at}.content.{place}: `{kind}` blocks are not permitted in {role} messages")
        text = block.get("text", block.get("content") if "role" in block else None)
        if kind == "text" and isinstance(text, str) and not text.strip():
            raise _refusal("messages: text content blocks must contain non-whitespace text")
        if kind == "thinking" and block["signature"] != sign(block["thinking"]):
            raise _refusal(f"messages.{at}.content.{place}: Invalid `signature` in `thinking` block")
        if kind == "redacted_thinking":
            raise _refusal(f"messages.{at}.content.{place}: Invalid `data` in `redacted_thinking` block")


def _blocks(message: Json, kind: str) -> list[Json]:
    return [block for block in message["content"] if isinstance(block, dict) and block.get("type") == kind]


def _judge_results(messages: list[Json]) -> None:
    for at, message in enumerate(messages):
        waiting = {block["id"] for block in _blocks(message, "tool_use")}
        after = messages[at + 1] if at + 1 < len(messages) else {"role": "user", "content": []}
        answered = {block["tool_use_id"] for block in _blocks(after, "tool_result")}
        if waiting - answered:
            raise _refusal(
                f"messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{', '.join(sorted(waiting - answered))}"
            )
        asked = {block["id"] for block in _blocks(messages[at - 1], "tool_use")} if at else set()
        unasked = {block["tool_use_id"] for block in _blocks(message, "tool_result")} - asked
        if unasked:
            raise _refusal(f"messages.{at}: unexpected `tool_use_id` found in `tool_result` blocks: {unasked.pop()}")
        kinds = [block.get("type") for block in message["content"] if isinstance(block, dict)]
        if "tool_result" in kinds and "tool_result" in kinds[kinds.count("tool_result") :]:
            raise _refusal(f"messages.{at}: `tool_result` blocks must come first")


def _judge_thoughts(messages: list[Json]) -> None:
    """In the turn that is under way, what was called must have been thought of before."""
    for message in reversed(messages):
        if message["role"] == "user" and not _blocks(message, "tool_result"):
            return
        if message["role"] == "assistant" and _blocks(message, "tool_use"):
            first = message["content"][0]["type"]
            if first not in ("thinking", "redacted_thinking"):
                raise _refusal(f"Expected `thinking` or `redacted_thinking`, but found `{first}`.")


def _thinks(request: Json) -> bool:
    return (request.get("thinking") or {}).get("type") in ("enabled", "adaptive")


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
        thinks=_thinks(request),
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
                case "image":
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
