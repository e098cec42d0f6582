"""OpenAI's Responses: reads a request as strictly as OpenAI does, keeps responses, and writes the answer as it does.

Fields and types are those of the newest official SDK (`params`). Rules beyond types:
https://platform.openai.com/docs/guides/function-calling, .../reasoning, .../structured-outputs.
"""

import base64
import hashlib
import json
from typing import Any

from openai.types.responses import response_create_params

from .answers import CREATED, Answer, Refusal
from .forms import RESPONSES
from .mind import Asked, Json, Result, Said, Thought, Tool, arguments, say, sign
from .mind import Call as Called
from .openai_rules import picture, request_of, strict, typed
from .words import sevens, words

_LEAST_OUTPUT = 16


class Responses:
    """The endpoint, and what it keeps: of each response the items before and in it."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[Json, list[Json]]] = {}

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        """Answers `/v1/responses` and what is below it."""
        path = target.partition("?")[0]
        _, _, name = path.removeprefix("/v1/").partition("/")
        if method in ("GET", "DELETE") and name:
            return self._kept(method, name)
        if method != "POST" or name:
            raise _refusal(f"Invalid URL ({method} {path})", "unknown_url", status=404)
        request = request_of(headers, body, RESPONSES)
        kind = "Streaming" if request.get("stream") else "NonStreaming"
        typed(getattr(response_create_params, f"ResponseCreateParams{kind}"), _filled(request), RESPONSES)
        before = self._before(request)
        items = [*before, *_items(request)]
        _judge(request, items)
        asked = read({**request, "input": items})
        said = say(asked)
        id_ = f"resp_{hashlib.sha256(body + str(len(self.kept)).encode()).hexdigest()[:24]}"
        response = _response(id_, request, asked, said)
        if request.get("store") is not False:
            self.kept[id_] = (response, [*items, *response["output"]])
        return Answer(events=_events(response) if asked.stream else None, body=response, form=RESPONSES, asked=asked)

    def _kept(self, method: str, name: str) -> Answer:
        id_, _, rest = name.partition("/")
        if id_ not in self.kept:
            raise _refusal(f"Response with id '{id_}' not found.", None, status=404)
        if method == "DELETE":
            del self.kept[id_]
            return Answer(body={"id": id_, "object": "response", "deleted": True}, form=RESPONSES)
        response, items = self.kept[id_]
        if rest == "input_items":
            return Answer(body={"object": "list", "data": items[::-1], "has_more": False}, form=RESPONSES)
        return Answer(body=response, form=RESPONSES)

    def _before(self, request: Json) -> list[Json]:
        id_ = request.get("previous_response_id")
        if id_ is None:
            return []
        if id_ not in self.kept:
            words = f"Previous response with id '{id_}' not found."
            raise _refusal(words, "previous_response_not_found", "previous_response_id")
        return self.kept[id_][1]


def _refusal(message: str, code: str | None, param: str | None = None, status: int = 400) -> Refusal:
    return Refusal(status, message, code, param, RESPONSES)


def _items(request: Json) -> list[Json]:
    given = request.get("input") or []
    return [{"role": "user", "content": given}] if isinstance(given, str) else given


def _filled(request: Json) -> Json:
    """The request with what OpenAI does not ask for, against its types: Codex sends an assistant's words without."""
    if not isinstance(request.get("input"), list):
        return request
    items = []
    for item in request["input"]:
        content = item.get("content") if isinstance(item, dict) and item.get("role") == "assistant" else None
        if isinstance(content, list):
            parts = [{"annotations": [], **part} for part in content]
            item = {"type": "message", "id": "msg", "status": "completed", **item, "content": parts}
        items.append(item)
    return {**request, "input": items}


# --- rules beyond types --------------------------------------------------------------------------------------------


def _judge(request: Json, items: list[Json]) -> None:
    if not items:
        raise _refusal(
            "One of 'input', 'previous_response_id' must be provided.", "missing_required_parameter", "input"
        )
    if (request.get("max_output_tokens") or _LEAST_OUTPUT) < _LEAST_OUTPUT:
        words = f"Invalid 'max_output_tokens': expected a value >= {_LEAST_OUTPUT}."
        raise _refusal(words, "integer_below_min_value", "max_output_tokens")
    form = (request.get("text") or {}).get("format") or {}
    if form.get("strict"):
        strict(form["schema"], "text.format.schema", RESPONSES)
    for tool in request.get("tools") or []:
        if tool["type"] == "function" and tool["strict"]:
            strict(tool["parameters"], "tools.parameters", RESPONSES)
    called = {item["call_id"] for item in items if item.get("type") == "function_call"}
    answered = {item["call_id"] for item in items if item.get("type") == "function_call_output"}
    for id_ in answered - called:
        raise _refusal(f"No tool call found for function call output with call_id {id_}.", None, "input")
    for id_ in called - answered:
        raise _refusal(f"No tool output found for function call {id_}.", None, "input")
    for at, item in enumerate(items):
        if item.get("type") == "reasoning":
            _unsealed(item.get("encrypted_content"))
            after = items[at + 1] if at + 1 < len(items) else {}
            if (
                after.get("type") not in ("function_call", "message", "reasoning")
                or after.get("role", "assistant") != "assistant"
            ):
                raise _refusal(f"Item '{item['id']}' of type 'reasoning' was provided without its required following item.", None, "input")  # fmt: skip


def _sealed(thought: Thought) -> str:
    return base64.b64encode(json.dumps([thought.text, thought.signature]).encode()).decode()


def _unsealed(sealed: str | None) -> Thought:
    try:
        text, signature = json.loads(base64.b64decode(sealed or "", validate=True))
    except ValueError:
        signature, text = None, ""
    if not text or signature != sign(text):
        raise _refusal("The encrypted content could not be verified.", "invalid_encrypted_content", "input")
    return Thought(text, signature)


# --- reading -------------------------------------------------------------------------------------------------------


def read(request: Json) -> Asked:
    """What it asks."""
    form = (request.get("text") or {}).get("format") or {}
    choice = request.get("tool_choice") or "auto"
    effort = (request.get("reasoning") or {}).get("effort")
    asked = Asked(
        model=request["model"],
        turns=[],
        system=[request["instructions"]] if request.get("instructions") else [],
        tools=[
            Tool(tool["name"], tool.get("description"), tool["parameters"])
            for tool in request.get("tools") or []
            if tool["type"] == "function"
        ],
        choice=choice.get("name", "any") if isinstance(choice, dict) else choice.replace("required", "any"),
        parallel=request.get("parallel_tool_calls") is not False,
        schema=form.get("schema"),
        any_json=form.get("type") == "json_object",
        thinks=bool(request.get("reasoning")) and effort != "none",
        shows=bool((request.get("reasoning") or {}).get("summary")),
        cap=request.get("max_output_tokens"),
        temperature=request.get("temperature"),
        top_p=request.get("top_p"),
        user=request.get("user"),
        stream=bool(request.get("stream")),
    )
    for item in _items(request):
        _read_item(asked, item)
    return asked


def _read_item(asked: Asked, item: Json) -> None:
    match item.get("type", "message"):
        case "message" if item["role"] in ("system", "developer"):
            content = item["content"]
            asked.system += [content] if isinstance(content, str) else [part["text"] for part in content]
        case "message":
            turn = asked.add(item["role"])
            turn.text += _texts(item["content"])
            for part in item["content"] if isinstance(item["content"], list) else []:
                if part["type"] in ("input_image", "input_file"):
                    turn.images.append(picture(part.get("image_url") or part.get("file_data") or "", RESPONSES))
        case "function_call":
            asked.add("assistant").calls.append(Called(item["call_id"], item["name"], arguments(item["arguments"])))
        case "function_call_output":
            output = item["output"]
            parts = output if isinstance(output, list) else []
            images = tuple(picture(part["image_url"], RESPONSES) for part in parts if part["type"] == "input_image")
            asked.add("user").results.append(Result(item["call_id"], None, _texts(output), False, images))
        case "reasoning":
            asked.add("assistant").thoughts.append(_unsealed(item.get("encrypted_content")))


def _texts(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


# --- writing -------------------------------------------------------------------------------------------------------


def _response(id_: str, request: Json, asked: Asked, said: Said) -> Json:
    short = said.reason == "length"
    usage = said.usage
    return {
        "id": id_, "object": "response", "created_at": CREATED, "status": "incomplete" if short else "completed",
        "error": None, "incomplete_details": {"reason": "max_output_tokens"} if short else None,
        "instructions": request.get("instructions"), "max_output_tokens": asked.cap, "model": asked.model,
        "output": _output(request, said), "parallel_tool_calls": asked.parallel,
        "previous_response_id": request.get("previous_response_id"), "reasoning": request.get("reasoning"),
        "store": request.get("store") is not False, "temperature": asked.temperature, "text": request.get("text"),
        "tool_choice": request.get("tool_choice") or "auto", "tools": request.get("tools") or [], "top_p": asked.top_p,
        "truncation": "disabled", "metadata": request.get("metadata") or {},
        "usage": {
            "input_tokens": usage.prompt,
            "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": 0},
            "output_tokens": usage.completion,
            "output_tokens_details": {"reasoning_tokens": usage.thinking},
            "total_tokens": usage.prompt + usage.completion,
        },
    }  # fmt: skip


def _output(request: Json, said: Said) -> list[Json]:
    items: list[Json] = []
    if said.thought:
        told = (request.get("reasoning") or {}).get("summary")
        summary = [{"type": "summary_text", "text": said.thought.text}] if told else []
        items.append(
            {"type": "reasoning", "id": "rs_fake", "summary": summary, "encrypted_content": _sealed(said.thought)}
        )
    if said.text:
        text = {"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}
        items.append(
            {"type": "message", "id": "msg_fake", "role": "assistant", "status": "completed", "content": [text]}
        )
    for call in said.calls:
        text = json.dumps(call.arguments, ensure_ascii=False)
        items.append({"type": "function_call", "id": f"fc_{call.id}", "call_id": f"call_{call.id}", "name": call.name,
                      "arguments": text, "status": "completed"})  # fmt: skip
    return items


def _events(response: Json) -> list[Json]:
    begun = {**response, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    events: list[Json] = [{"type": f"response.{word}", "response": begun} for word in ("created", "in_progress")]
    for index, item in enumerate(response["output"]):
        at = {"output_index": index, "item_id": item["id"]}
        events.append({"type": "response.output_item.added", "output_index": index, "item": _opened(item)})
        events += [{**event, **at} for event in _inside(item)]
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    events.append({"type": f"response.{response['status']}", "response": response})
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def _opened(item: Json) -> Json:
    empty: Json = {
        "reasoning": {"summary": []},
        "message": {"content": [], "status": "in_progress"},
        "function_call": {"arguments": "", "status": "in_progress"},
    }
    return {**item, **empty[item["type"]]}


def _inside(item: Json) -> list[Json]:
    match item["type"]:
        case "reasoning":
            return [event for at, part in enumerate(item["summary"]) for event in _summary(at, part)]
        case "message":
            text = item["content"][0]
            place = {"content_index": 0}
            deltas = [
                {"type": "response.output_text.delta", **place, "delta": word, "logprobs": []}
                for word in words(text["text"])
            ]
            return [
                {"type": "response.content_part.added", **place, "part": {**text, "text": ""}},
                *deltas,
                {"type": "response.output_text.done", **place, "text": text["text"], "logprobs": []},
                {"type": "response.content_part.done", **place, "part": text},
            ]
    kind = "response.function_call_arguments"
    pieces = [{"type": f"{kind}.delta", "delta": piece} for piece in sevens(item["arguments"])]
    return [*pieces, {"type": f"{kind}.done", "name": item["name"], "arguments": item["arguments"]}]


def _summary(at: int, part: Json) -> list[Json]:
    kind, place = "response.reasoning_summary", {"summary_index": at}
    deltas = [{"type": f"{kind}_text.delta", **place, "delta": word} for word in words(part["text"])]
    return [
        {"type": f"{kind}_part.added", **place, "part": {**part, "text": ""}},
        *deltas,
        {"type": f"{kind}_text.done", **place, "text": part["text"]},
        {"type": f"{kind}_part.done", **place, "part": part},
    ]
