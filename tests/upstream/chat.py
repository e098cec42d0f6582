"""OpenAI's chat completions as OpenAI itself takes them: strictly. `answers` is the lenient one, as compatible servers are.

Fields and types are those of the newest official SDK (`params`). Thoughts are counted, and never shown.
"""

import base64
import json
from typing import Any

from openai.types.chat import completion_create_params

from .answers import CREATED, Answer, Refusal
from .forms import OPENAI
from .mind import Asked, Call, Image, Json, Result, Said, Tool, arguments, say
from .openai_rules import picture, request_of, strict, typed
from .words import sevens, words


def answer(method: str, _target: str, headers: dict[str, str], body: bytes) -> Answer:
    """Answers `POST /v1/chat/completions`."""
    if method != "POST":
        raise Refusal(405, f"Not allowed to {method} on /v1/chat/completions", "method_not_allowed")
    request = request_of(headers, body, OPENAI)
    kind = "Streaming" if request.get("stream") else "NonStreaming"
    typed(getattr(completion_create_params, f"CompletionCreateParams{kind}"), _given_back(request), OPENAI)
    _judge(request)
    asked = read(request)
    said = say(asked)
    if asked.stream:
        return Answer(events=_chunks(request, asked, said), asked=asked)
    return Answer(body=_whole(asked, said), asked=asked)


def _given_back(request: Json) -> Json:
    """The request without what OpenAI takes beyond its types: what the SDK's own idiom, to send an assistant's message
    back as it came, has in it; and the name of a tool, which OpenAI's cookbook gives with a result.
    """
    messages = request.get("messages")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        return request
    beyond = {"assistant": "annotations", "tool": "name"}
    bare = [{n: v for n, v in m.items() if n != beyond.get(m.get("role", ""))} for m in messages]
    return {**request, "messages": bare}


def _judge(request: Json) -> None:
    form = (request.get("response_format") or {}).get("json_schema") or {}
    if form.get("strict"):
        strict(form.get("schema"), "response_format", OPENAI)
    for tool in request.get("tools") or []:
        if tool["type"] == "function" and tool["function"].get("strict"):
            strict(tool["function"].get("parameters"), "tools.function.parameters", OPENAI)
    if not request["messages"]:
        raise Refusal(400, "Invalid 'messages': empty array.", "empty_array", "messages")
    if request.get("stream_options") and not request.get("stream"):
        raise Refusal(400, "The 'stream_options' parameter is only allowed when 'stream' is enabled.", None)
    waiting: set[str] = set()
    for at, message in enumerate(request["messages"]):
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                words = "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
                raise Refusal(400, f"Invalid parameter: {words}", None, f"messages.[{at}].role")
            waiting.discard(message["tool_call_id"])
            continue
        _all_answered(waiting)
        waiting = {call["id"] for call in message.get("tool_calls") or []}
    _all_answered(waiting)


def _all_answered(waiting: set[str]) -> None:
    if waiting:
        words = "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'."
        raise Refusal(400, f"{words} These had none: {', '.join(sorted(waiting))}", None, "messages")


def read(request: Json) -> Asked:
    """What it asks."""
    form = request.get("response_format") or {}
    choice = request.get("tool_choice") or "auto"
    stop = request.get("stop") or []
    asked = Asked(
        model=request["model"],
        turns=[],
        tools=[
            Tool(t["function"]["name"], t["function"].get("description"), t["function"].get("parameters") or {})
            for t in request.get("tools") or []
            if t["type"] == "function"
        ],
        choice=choice["function"]["name"] if isinstance(choice, dict) else choice.replace("required", "any"),
        parallel=request.get("parallel_tool_calls") is not False,
        schema=(form.get("json_schema") or {}).get("schema"),
        any_json=form.get("type") == "json_object",
        thinks=request.get("reasoning_effort") not in (None, "none"),
        stop=[stop] if isinstance(stop, str) else stop,
        cap=request.get("max_completion_tokens") or request.get("max_tokens"),
        temperature=request.get("temperature"),
        top_p=request.get("top_p"),
        seed=request.get("seed"),
        user=request.get("user"),
        stream=bool(request.get("stream")),
    )
    for message in request["messages"]:
        _read_message(asked, message)
    return asked


def _read_message(asked: Asked, message: Json) -> None:
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    text = content if isinstance(content, str) else "".join(part.get("text", "") for part in parts)
    match message["role"]:
        case "system" | "developer":
            asked.system += [text] if isinstance(content, str) else [part["text"] for part in parts]
        case "tool":
            asked.add("user").results.append(Result(message["tool_call_id"], None, text))
        case role:
            turn = asked.add(role)
            turn.text += text
            turn.images += [image for part in parts for image in _media(part)]
            for call in message.get("tool_calls") or []:
                function = call["function"]
                turn.calls.append(Call(call["id"], function["name"], arguments(function["arguments"])))


def _media(part: Json) -> list[Image]:
    match part["type"]:
        case "image_url":
            return [picture(part["image_url"]["url"], OPENAI)]
        case "file":
            return [picture(part["file"].get("file_data", ""), OPENAI)]
        case "input_audio":
            sound = part["input_audio"]
            return [Image(f"audio/{sound['format']}", base64.b64decode(sound["data"], validate=True))]
    return []


_REASONS = {"stop": "stop", "sequence": "stop", "length": "length", "tools": "tool_calls"}


def _calls(said: Said) -> list[Json]:
    return [
        {
            "id": f"call_{call.id}",
            "type": "function",
            "function": {"name": call.name, "arguments": json.dumps(call.arguments, ensure_ascii=False)},
        }
        for call in said.calls
    ]


def _usage(said: Said) -> Json:
    usage = said.usage
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": usage.thinking, "audio_tokens": 0},
    }


def _head(asked: Asked, kind: str) -> Json:
    return {"id": "chatcmpl-fake", "object": kind, "created": CREATED, "model": asked.model, "service_tier": "default"}


def _whole(asked: Asked, said: Said) -> Json:
    message: Json = {"role": "assistant", "content": said.text or None, "refusal": None, "annotations": []}
    if said.calls:
        message["tool_calls"] = _calls(said)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _REASONS[said.reason]}
    return {**_head(asked, "chat.completion"), "choices": [choice], "usage": _usage(said)}


def _chunks(request: Json, asked: Asked, said: Said) -> list[Json]:
    head = _head(asked, "chat.completion.chunk")

    def chunk(delta: Json, reason: str | None = None) -> Json:
        return {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]}

    deltas: list[Json] = [{"role": "assistant", "content": "" if said.text else None, "refusal": None}]
    deltas += [{"content": word} for word in words(said.text)]
    for at, call in enumerate(_calls(said)):
        function: Any = call["function"]
        deltas.append({"tool_calls": [{"index": at, **call, "function": {**function, "arguments": ""}}]})
        pieces = sevens(function["arguments"])
        deltas += [{"tool_calls": [{"index": at, "function": {"arguments": piece}}]} for piece in pieces]
    events = [*map(chunk, deltas), chunk({}, _REASONS[said.reason])]
    if (request.get("stream_options") or {}).get("include_usage"):
        events = [{**event, "usage": None} for event in events]
        events.append({**head, "choices": [], "usage": _usage(said)})
    return events
