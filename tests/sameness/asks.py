"""How requests are written."""

import gzip
import json

from .wire import Ask

MESSAGES = [{"role": "user", "content": "Say hello"}]
CHAT = {"model": "fake-chat", "messages": MESSAGES}
JSON = ("Content-Type: application/json",)
CHATS = "/v1/chat/completions"
FORM = (
    b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    b"%b\r\n--b--\r\n"
)
FORMED = ("Content-Type: multipart/form-data; boundary=b",)


def head(method, target, *headers, version="1.1", host="localhost"):
    lines = [f"{method} {target} HTTP/{version}", *([f"Host: {host}"] if host else []), *headers, "", ""]
    return "\r\n".join(lines).encode()


def get(target, *headers, method="GET", name=None, **more):
    return Ask(name or f"{method} {target} {' '.join(headers)}".strip(), (head(method, target, *headers, **more),))


def written(fields):
    return fields if isinstance(fields, bytes) else json.dumps(fields, ensure_ascii=False).encode()


def whole(target, fields, *headers, method="POST", kind=JSON, **more):
    """A request with a length, as bytes."""
    body = written(fields)
    return head(method, target, *kind, *headers, f"Content-Length: {len(body)}", **more) + body


def post(name, fields=CHAT, *headers, to=CHATS, plans=(), **more):
    return Ask(name, (whole(to, fields, *headers, **more),), plans=plans)


def chunked(
    name, fields=CHAT, *headers, to=CHATS, kind=JSON, size=7, trailer=b"", extension=b"", plans=(), unread=False
):
    """The same in chunks."""
    body = written(fields)
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    framed = b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces)
    start = head("POST", to, *kind, *headers, "Transfer-Encoding: chunked")
    return Ask(name, (start + framed + b"0\r\n" + trailer + b"\r\n",), plans, unread=unread)


def expecting(name, fields=CHAT, *headers, to=CHATS, kind=JSON, length=None, unread=False, **more):
    """One that waits for `100 Continue`, or for an answer, before it writes its body."""
    body = written(fields)
    size = len(body) if length is None else length
    start = head("POST", to, *kind, *headers, f"Content-Length: {size}", "Expect: 100-continue", **more)
    return Ask(name, (start, body), unread=unread)


def pipelined(name, *requests, plans=()):
    """Several on one connection, written at once."""
    return Ask(name, (b"".join(requests),), plans, tuple(request.partition(b" ")[0] for request in requests))


def zipped(fields):
    return gzip.compress(written(fields), mtime=0)
