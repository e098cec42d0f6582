"""Turns an answer and a plan into the very bytes that are written, and how it ends then. No socket here."""

import json
import time
from dataclasses import dataclass, replace
from email.utils import formatdate
from http import HTTPStatus

from .answers import Answer, Json, error
from .forms import OPENAI, Form, dump
from .lines import spoilt, written
from .plan import Plan

_HTML = b"<!DOCTYPE html><html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>"
_AT_ONCE = 8 << 10
"""Bytes of an endless stream that are written at once."""
_GARBAGE = b"\x16\x03\x01 this is no HTTP\x00\r\n\r\n"


@dataclass(frozen=True)
class Script:
    """What the server writes, each item in one write, and what it does to the connection after the last."""

    writes: list[bytes]
    end: str
    """`keep`, `close`, `reset` or `stall`."""
    again: bytes = b""
    """Written again and again before that, until the client leaves."""


@dataclass(frozen=True)
class _Said:
    """An answer after everything about its content was decided."""

    status: int
    headers: dict[str, str]
    pieces: list[bytes]
    stream: bool = False


def script(answer: Answer, plan: Plan) -> Script:
    """The bytes of `answer` under `plan`. Delays, drips and stale connections are the server's to carry out."""
    if plan.stall == "head":
        return Script([], "stall")
    if plan.raw is not None:
        return _cut(_slices([plan.raw], plan.split), plan.raw_end, plan)
    if plan.garbage_head:
        return Script([_GARBAGE], "close")
    return _framed(_said(answer, plan), plan)


def _said(answer: Answer, plan: Plan) -> _Said:
    answer = _replaced(answer, plan)
    headers = {answer.form.request_id: "req_upstream", **answer.headers}
    if answer.form is OPENAI:
        headers["openai-processing-ms"] = "1"
    if plan.html:
        said = _Said(plan.status or 200, headers | {"content-type": "text/html; charset=utf-8"}, [_HTML])
    elif plan.empty:
        said = _Said(plan.status or 200, headers, [])
    elif answer.events is not None:
        headers["content-type"] = answer.form.content_type
        said = _Said(200, headers, _events(answer.events, plan, answer.form), stream=True)
    elif answer.raw is not None:
        said = _Said(answer.status, headers, [answer.raw])
    else:
        headers["content-type"] = "application/json"
        said = _Said(answer.status, headers, [spoilt(dump(_changed(answer.body or {}, plan)), plan)])
    if plan.body is not None:
        said = replace(said, pieces=[plan.body.encode()], stream=False)
    return replace(said, headers=_headers(said.headers, plan))


def _replaced(answer: Answer, plan: Plan) -> Answer:
    """The answer, or what the plan says instead of it."""
    if plan.redirect is not None:
        return Answer(plan.status or 307, {}, headers={"location": plan.redirect}, form=answer.form)
    if plan.status is not None:
        words = HTTPStatus(plan.status).phrase if plan.status in HTTPStatus.__members__.values() else "Error"
        code = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}.get(plan.status)
        return error(plan.status, f"{words} (as planned)", code, form=answer.form)
    return answer


def _headers(headers: dict[str, str], plan: Plan) -> dict[str, str]:
    if plan.content_type is not None:
        headers = headers | {"content-type": plan.content_type}
    if plan.retry_after is not None:
        after = str(plan.retry_after)
        if after.startswith("ms:"):
            headers = headers | {"retry-after-ms": after.removeprefix("ms:")}
        elif after.startswith("date+"):
            when = formatdate(time.time() + float(after.removeprefix("date+")), usegmt=True)
            headers = headers | {"retry-after": when}
        else:
            headers = headers | {"retry-after": after}
    return headers | {name.lower(): value for name, value in plan.headers.items()}


def _changed(body: Json, plan: Plan) -> Json:
    """A whole body as the plan has it."""
    if "error" in body:
        return body
    if plan.wrong_shape:
        return {"message": "ok", "result": [1, 2, 3]}
    if plan.no_usage:
        body = {name: value for name, value in body.items() if name != "usage"}
    if plan.no_finish_reason and "choices" in body:
        body = {**body, "choices": [{**choice, "finish_reason": None} for choice in body["choices"]]}
    return body if plan.usage is None else _counting(body, plan.usage)


def _counting(said: Json, count: object) -> Json:
    """With another count of each kind of tokens."""

    def each(value: object) -> object:
        if isinstance(value, dict):
            return {name: each(inner) for name, inner in value.items()}
        return count if isinstance(value, int) else value

    return {name: each(value) if name in ("usage", "usageMetadata") else value for name, value in said.items()}


# --- streams -------------------------------------------------------------------------------------------------------


def _events(events: list[Json], plan: Plan, form: Form) -> list[bytes]:
    """Each event as it is written; the last one is what the dialect closes with, unless the plan says otherwise."""
    if plan.wrong_shape:
        events = [{"message": "ok", "result": at} for at in range(3)]
    events = _edited(events, plan, form)
    pieces = []
    for at, event in enumerate(events):
        data = spoilt(dump(event), plan)
        if at == plan.malformed_event:
            data = data[: len(data) // 2]
        pieces.append(written(form, event, data, plan, at))
    if form.last is not None and not plan.no_done and plan.error_event is None:
        pieces.append(written(form, {}, form.last, plan, len(pieces)))
    if plan.error_event is not None and plan.error_form.startswith("bare"):
        pieces[-1] = json.dumps(events[-1], indent=2).encode() + (b"\n\n" if plan.error_form == "bare_ended" else b"\n")
    if plan.unended and pieces:
        pieces[-1] = _unended(pieces[-1])
    if plan.bom and pieces:
        pieces[0] = b"\xef\xbb\xbf" + pieces[0]
    return pieces


def _unended(event: bytes) -> bytes:
    """The event without its last line end, if that ends a blank line."""
    for eol in (b"\r\n", b"\n", b"\r"):
        if event.endswith(eol):
            return event.removesuffix(eol)
    return event


def _edited(events: list[Json], plan: Plan, form: Form) -> list[Json]:
    if plan.no_finish_reason:
        events = [_unfinished(event) for event in events]
    if plan.early_finish:
        events = _finished_early(events)
    if plan.no_usage:
        events = [event for event in events if event.get("choices") != []]
    if plan.dup_usage:
        events = _with_usage(events)
    if plan.falling_usage:
        events = [
            {**event, "usage": event.get("usage") or _usage(1_000 // (at + 1))} for at, event in enumerate(events)
        ]
    if plan.usage is not None:
        events = [_counting(event, plan.usage) for event in events]
    if plan.huge_line is not None and events:
        events = [_with_text(events[0], "x" * plan.huge_line), *events[1:]]
    if plan.error_event is not None:
        events = [*events[: plan.error_event], _failed(plan, form)]
    return events


def _failed(plan: Plan, form: Form) -> Json:
    words = "The server had an error while processing your request."
    if plan.error_form == "vllm":
        return {"object": "error", "message": words, "type": "InternalServerError", "param": None, "code": 500}
    return form.failed(words)


def _unfinished(event: Json) -> Json:
    if "candidates" in event:
        candidates = [{n: v for n, v in one.items() if n != "finishReason"} for one in event["candidates"]]
        return {**event, "candidates": candidates}
    return {**event, "choices": [{**choice, "finish_reason": None} for choice in event.get("choices", [])]}


def _finished_early(events: list[Json]) -> list[Json]:
    """As proxies that speak Gemini's begin a stream whose model thinks (Chevey339/kelivo#1003)."""
    empty = {"candidates": [{"content": {"parts": [], "role": "model"}, "finishReason": "STOP", "index": 0}]}
    return [empty, empty, *events]


def _with_usage(events: list[Json]) -> list[Json]:
    """Usage that grows with each chunk, as servers with "continuous usage" send it, and its own chunk twice."""
    counted, tokens = [], 0
    for event in events:
        if event.get("choices"):
            tokens += 1
            event = {**event, "usage": _usage(tokens)}
        counted.append(event)
        if event.get("choices") == []:
            counted.append(event)
    return counted


def _usage(completion: int) -> Json:
    return {"prompt_tokens": 1, "completion_tokens": completion, "total_tokens": completion + 1}


def _with_text(event: Json, text: str) -> Json:
    choice = event["choices"][0]
    said = {"delta": {**choice["delta"], "content": text}} if "delta" in choice else {"text": text}
    return {**event, "choices": [{**choice, **said}, *event["choices"][1:]]}


# --- framing and cuts ----------------------------------------------------------------------------------------------


def _framed(said: _Said, plan: Plan) -> Script:
    if plan.endless and said.stream:
        return _endless(said)
    pieces, end = said.pieces, "keep"
    framing = plan.framing if plan.framing != "auto" else ("chunked" if said.stream else "length")
    promised = sum(map(len, pieces))
    whole = True
    if plan.stall == "body":
        pieces, end, whole = _begun(said, plan.stall_after), "stall", False
    if plan.truncate is not None:
        pieces, end, whole = [b"".join(pieces)[: plan.truncate]], "close", False
    if plan.split_at is not None:
        body = b"".join(pieces)
        pieces = [body[: plan.split_at], body[plan.split_at :]]
    pieces = [piece for piece in _slices(pieces, plan.split) if piece]
    headers = dict(said.headers)
    match framing:
        case "length":
            headers["content-length"] = str(promised)
        case "chunked":
            headers["transfer-encoding"] = "chunked"
            pieces = [_chunk(piece) for piece in pieces]
            pieces += [b"0\r\n\r\n"] if whole else []
        case "close":
            headers["connection"] = "close"
            end = "close" if end == "keep" else end
    return _cut([_head(said.status, headers), *pieces], end, plan)


def _endless(said: _Said) -> Script:
    first, again = said.pieces[0], said.pieces[1] * (_AT_ONCE // len(said.pieces[1]) + 1)
    head = _head(said.status, said.headers | {"transfer-encoding": "chunked"})
    return Script([head, *map(_chunk, [first, again])], "close", _chunk(again))


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _begun(said: _Said, events: int) -> list[bytes]:
    """The first events of a stream; of a whole body one half, or nothing."""
    if said.stream:
        return said.pieces[:events]
    body = b"".join(said.pieces)
    return [body[: len(body) // 2]] if events else []


def _head(status: int, headers: dict[str, str]) -> bytes:
    phrase = HTTPStatus(status).phrase if status in HTTPStatus.__members__.values() else "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items() if value)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _slices(pieces: list[bytes], size: int | None) -> list[bytes]:
    if size is None:
        return pieces
    whole = b"".join(pieces)
    return [whole[at : at + size] for at in range(0, len(whole), size)]


def _cut(writes: list[bytes], end: str, plan: Plan) -> Script:
    """No more than the plan's count of bytes, and the ending that comes with it."""
    for limit, ending in ((plan.reset_after, "reset"), (plan.close_after, "close")):
        if limit is not None:
            kept: list[bytes] = []
            for piece in writes:
                kept.append(piece[: max(limit, 0)])
                limit -= len(piece)
            return Script([piece for piece in kept if piece], ending)
    return Script(writes, end)
