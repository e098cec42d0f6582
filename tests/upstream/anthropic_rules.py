"""What Anthropic refuses beyond types.

https://platform.claude.com/docs/en/api/messages, .../build-with-claude/extended-thinking, .../structured-outputs
"""

from typing import Any

from .answers import Refusal
from .forms import ANTHROPIC
from .mind import Json, sign

_LEAST_BUDGET = 1_024
# What the official SDK moves into descriptions (lib/_parse/_transform.py), but for `pattern`, which the guide has.
_UNSUPPORTED = (
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "minItems",
    "maxItems", "uniqueItems", "minProperties", "maxProperties",
)  # fmt: skip


def refusal(message: str, status: int = 400) -> Refusal:
    """An error in Anthropic's shape."""
    return Refusal(status, message, form=ANTHROPIC)


def judge(request: Json) -> None:
    """Refuses what Anthropic refuses beyond types."""
    _judge_sampling(request)
    form = (request.get("output_config") or {}).get("format")
    if form is not None:
        _closed(form["schema"], "output_config.format.schema")
    names = [tool["name"] for tool in request.get("tools", [])]
    if len(set(names)) < len(names):
        raise refusal("tools: Tool names must be unique.")
    if not request["messages"]:
        raise refusal("messages: at least one message is required")
    for at, message in enumerate(request["messages"]):
        blocks = message["content"] if isinstance(message["content"], list) else [message]
        _judge_blocks(blocks, message["role"], at)
    _judge_results(request["messages"])
    if thinks(request):
        _judge_thoughts(request["messages"])


def _judge_sampling(request: Json) -> None:
    thinking = request.get("thinking") or {}
    if not 0 <= request.get("temperature", 1) <= 1:
        raise refusal("temperature: range: 0..1")
    if {"temperature", "top_p"} <= request.keys():
        raise refusal("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")
    if request["max_tokens"] < 1:
        raise refusal("max_tokens: Input should be greater than or equal to 1")
    if thinking.get("type") == "enabled":
        if thinking["budget_tokens"] < _LEAST_BUDGET:
            raise refusal("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
        if thinking["budget_tokens"] >= request["max_tokens"]:
            raise refusal("`max_tokens` must be greater than `thinking.budget_tokens`.")
    if thinks(request):
        if request.get("temperature", 1) != 1 or "top_k" in request:
            raise refusal("`temperature` may only be set to 1 when thinking is enabled.")
        if (request.get("tool_choice") or {}).get("type") in ("any", "tool"):
            raise refusal("Thinking may not be enabled when tool_choice forces tool use.")
        if request["messages"][-1]["role"] == "assistant":
            raise refusal("When thinking is enabled, the final message must not be an assistant's.")


def _closed(schema: Any, place: str) -> None:
    if isinstance(schema, list):
        for at, inner in enumerate(schema):
            _closed(inner, f"{place}.{at}")
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        raise refusal(f"{place}: For 'object' type, 'additionalProperties' must be explicitly set to false")
    for name in _UNSUPPORTED:
        # `minItems` may be 0 or 1.
        if name in schema and (name, schema[name]) not in (("minItems", 0), ("minItems", 1)):
            raise refusal(f"{place}: For '{schema.get('type')}' type, property '{name}' is not supported")
    for name, inner in schema.items():
        if name not in ("enum", "const", "default", "required"):
            _closed(list(inner.values()) if name in ("properties", "$defs") else inner, f"{place}.{name}")


def _judge_blocks(blocks: list[Json], role: str, at: int) -> None:
    mine = {"user": {"text", "image", "document", "tool_result"}, "assistant": {"text", "tool_use", "thinking", "redacted_thinking"}}  # fmt: skip
    for place, block in enumerate(blocks):
        kind = block.get("type", "text")
        if kind not in mine[role]:
            raise refusal(f"messages.{at}.content.{place}: `{kind}` blocks are not permitted in {role} messages")
        text = block.get("text", block.get("content") if "role" in block else None)
        if kind == "text" and isinstance(text, str) and not text.strip():
            raise refusal("messages: text content blocks must contain non-whitespace text")
        if kind == "thinking" and block["signature"] != sign(block["thinking"]):
            raise refusal(f"messages.{at}.content.{place}: Invalid `signature` in `thinking` block")
        if kind == "redacted_thinking":
            raise refusal(f"messages.{at}.content.{place}: Invalid `data` in `redacted_thinking` block")


def _blocks(message: Json, kind: str) -> list[Json]:
    return [block for block in message["content"] if isinstance(block, dict) and block.get("type") == kind]


def _judge_results(messages: list[Json]) -> None:
    for at, message in enumerate(messages):
        waiting = {block["id"] for block in _blocks(message, "tool_use")}
        after = messages[at + 1] if at + 1 < len(messages) else {"role": "user", "content": []}
        answered = {block["tool_use_id"] for block in _blocks(after, "tool_result")}
        if waiting - answered:
            raise refusal(
                f"messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{', '.join(sorted(waiting - answered))}"
            )
        asked = {block["id"] for block in _blocks(messages[at - 1], "tool_use")} if at else set()
        unasked = {block["tool_use_id"] for block in _blocks(message, "tool_result")} - asked
        if unasked:
            raise refusal(f"messages.{at}: unexpected `tool_use_id` found in `tool_result` blocks: {unasked.pop()}")
        kinds = [block.get("type") for block in message["content"] if isinstance(block, dict)]
        if "tool_result" in kinds and "tool_result" in kinds[kinds.count("tool_result") :]:
            raise refusal(f"messages.{at}: `tool_result` blocks must come first")


def _judge_thoughts(messages: list[Json]) -> None:
    """In the turn that is under way, what was called must have been thought of before."""
    for message in reversed(messages):
        if message["role"] == "user" and not _blocks(message, "tool_result"):
            return
        if message["role"] == "assistant" and _blocks(message, "tool_use"):
            first = message["content"][0]["type"]
            if first not in ("thinking", "redacted_thinking"):
                raise refusal(f"Expected `thinking` or `redacted_thinking`, but found `{first}`.")


def thinks(request: Json) -> bool:
    """Whether the model thinks first."""
    return (request.get("thinking") or {}).get("type") in ("enabled", "adaptive")
