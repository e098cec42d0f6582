"""How each dialect writes an error, and an event of a stream."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
Frame = Callable[[Json, bytes, bytes], bytes]
"""An event, its JSON (which a fault may have cut), and the end of a line, as they are written."""


@dataclass(frozen=True)
class Form:
    """What a dialect says around what is said."""

    error: Callable[[int, str, str | None, str | None], Json]
    """The body of an error: status, words, code and parameter where it has them."""
    frame: Frame
    failed: Callable[[str], Json]
    """The event by which a stream tells that it failed."""
    last: bytes | None = None
    """What closes a stream beside its events."""
    content_type: str = "text/event-stream; charset=utf-8"
    request_id: str = "x-request-id"
    """The header by which a request is known at the provider."""


def _data(_event: Json, data: bytes, eol: bytes) -> bytes:
    return b"data: " + data + eol + eol


def _named(event: Json, data: bytes, eol: bytes) -> bytes:
    return b"event: " + str(event.get("type", "message")).encode() + eol + b"data: " + data + eol + eol


def _openai_error(status: int, message: str, code: str | None, param: str | None) -> Json:
    kinds = {429: "rate_limit_error", 403: "permission_error"}
    kind = kinds.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


# https://platform.claude.com/docs/en/api/errors
_ANTHROPIC_KINDS = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    413: "request_too_large", 429: "rate_limit_error", 529: "overloaded_error",
}  # fmt: skip


def _anthropic_error(status: int, message: str, _code: str | None, _param: str | None) -> Json:
    kind = _ANTHROPIC_KINDS.get(status, "api_error" if status >= 500 else "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_upstream"}


# https://ai.google.dev/gemini-api/docs/troubleshooting and google.rpc.Code
_GOOGLE_STATUSES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip


def _gemini_error(status: int, message: str, _code: str | None, _param: str | None) -> Json:
    return {"error": {"code": status, "message": message, "status": _GOOGLE_STATUSES.get(status, "UNKNOWN")}}


def _ollama_error(_status: int, message: str, _code: str | None, _param: str | None) -> Json:
    return {"error": message}


FAILED = {"message": None, "type": "server_error", "param": None, "code": None}

OPENAI = Form(_openai_error, _data, lambda words: {"error": {**FAILED, "message": words}}, last=b"[DONE]")
ANTHROPIC = Form(
    _anthropic_error,
    _named,
    lambda words: {"type": "error", "error": {"type": "overloaded_error", "message": words}},
    request_id="request-id",
)
# Google ends its lines as HTTP does.
GEMINI = Form(
    _gemini_error,
    lambda event, data, _eol: _data(event, data, b"\r\n"),
    lambda words: _gemini_error(503, words, None, None),
    content_type="text/event-stream",
)
OLLAMA = Form(
    _ollama_error,
    lambda _event, data, _eol: data + b"\n",
    lambda words: {"error": words},
    content_type="application/x-ndjson",
)
RESPONSES = Form(
    _openai_error,
    _named,
    lambda words: {"type": "error", "code": "server_error", "message": words, "param": None, "sequence_number": 99},
)


def dump(value: Json) -> bytes:
    """JSON in as few bytes as it takes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
