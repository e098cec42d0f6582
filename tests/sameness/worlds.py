"""The requests, by the configuration that they are put to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hoosh._driver.hooks import Hooks
from hoosh.errors import InvalidRequest
from tests.python.hosted import Told

from .asks import CHAT, CHATS, FORM, FORMED, chunked, expecting, get, head, pipelined, post, whole, zipped
from .wire import Ask

MODELS = 'models = ["fake*", "whisper-1", "gpt-image-1", "tts-1", "r"]\n'


@dataclass(frozen=True)
class World:
    """A configuration, what `Asgi` is given beside it, and what is asked, one after the other."""

    asks: list[Ask]
    config: str = ""
    provider: str = MODELS
    """More of the one provider `one`."""
    more: str = ""
    """More providers; `{url}` is the upstream's."""
    given: Callable[[], dict[str, Any]] = dict


PATHS = [
    CHATS, "/v1/completions", "/v1/embeddings", "/v1/moderations", "/v1/rerank", "/v2/rerank", "/v1/images/generations",
    "/v1/images/edits", "/v1/audio/speech", "/v1/audio/transcriptions", "/v1/files", "/v1/files/file-1",
    "/v1/files/file-1/content", "/v1/models", "/v1/models/fake-chat", "/v1/models/none", "/v1/health", "/v1/health/ready",
    "/v1/health/providers", "/v1/providers", "/v1/cache/stats", "/v1/cache", "/v1/costs", "/v1/tokens/check",
    "/v1/tokens/reserve", "/v1/tokens/report", "/v1/tokens/pools", "/v1/explain", "/v1/nothing", "/", "/metrics", "/favicon.ico",
]  # fmt: skip
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"]

TARGETS = [
    "/v1/models?a=b", "/v1/models?", "/v1/models?a=%zz&b=\"<>", "/v1/models/", "/v1/models/?", "//v1/models", "/v1//models",
    "/v1/./models", "/v1/../v1/models", "/v1/%6dodels", "/v1%2Fmodels", "/v1/models/one%2Ffake-chat", "/v1/models/one/fake-chat",
    "/v1/models/one%2ffake-chat", "/v1/models/fake%2Dchat", "/v1/models/%C3%A9", "/v1/models/%ff", "/v1/models/%", "/v1/models/%2",
    "/v1/models/%zz", "/v1/models/%00", "/v1/models/%0d%0aset-cookie:%20a", "/v1/models/a%20b", "/v1/models/a+b", "/v1/models/%2e%2e",
    "/v1/models/a;b=c", "/v1/models/a:b@c", "/v1/models/%2525", "/v1/models/a%3Fb", "/v1/models/a%23b", "/v1/models/%7Ea~",
    "/v1/models/[a]", "/v1/models/{a}|^`", "/v1/models/" + "a" * 2_000, "/V1/MODELS", "/v1/files?purpose=a&limit=2", "/v1/files?a=%2",
]  # fmt: skip

PORT = World(
    [
        *(get(path, method=method) for path in PATHS for method in METHODS),
        *(get(target) for target in TARGETS),
        get("/v1/models", version="1.0"),
        get("/v1/models", version="1.0", host=None, name="HTTP/1.0 without a host"),
        get("/v1/models", "Connection: keep-alive", version="1.0"),
        get("/v1/health", "Connection: close"),
        get("/v1/health", "Connection: Close, TE"),
        get("/v1/health", "Connection: keep-alive"),
        get("/v1/health", "Keep-Alive: timeout=5"),
        get("/v1/health", "Accept-Encoding: gzip, br"),
        get("/v1/health", "If-None-Match: *", "Range: bytes=0-1"),
        get("/v1/health", "X-Request-Id: mine"),
        get("/v1/health", "X-Request-Id: mine", "X-Request-Id: other"),
        get("/v1/health", "X-Request-Id: é"),
        get("/v1/health", "X-Request-Id:"),
        get("/v1/health", "X-Request-Id: " + "a" * 129, name="an id that is too long"),
        get("/v1/health", "Cookie: a=b", "Cookie: c=d", "X-Empty:", "x-utf8: Grüße 😀"),
        get("/v1/realtime", "Upgrade: websocket", "Connection: upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=="),
        get("/v1/models", "Upgrade: websocket", "Connection: Upgrade"),
        get("/v1/models", "Upgrade: TLS/1.0"),
        get("/v1/models", "TE: trailers"),
        get("/v1/models", "Hoosh-Expect: 100-continue", "Hoosh-Upgrade: a"),
        Ask("a body with GET", (whole("/v1/models", b"{}", method="GET"),)),
        Ask("a long body with GET", (whole("/v1/models", b"a" * 200_000, method="GET"),), unread=True),
        Ask("a body with HEAD", (whole("/v1/models", b"{}", method="HEAD"),)),
        Ask("a body with DELETE", (whole("/v1/cache", b"{}", method="DELETE"),)),
        Ask("a body for a path that is none", (whole("/v1/nothing", b"a" * 50_000),)),
        get("/v1/models", "Content-Length: 0", name="an empty body with GET"),
        Ask("GET in chunks", (head("GET", "/v1/models", "Transfer-Encoding: chunked") + b"2\r\n{}\r\n0\r\n\r\n",)),
        Ask("GET that expects", (head("GET", "/v1/models", "Expect: 100-continue"),)),
        Ask("GET that expects, with a body", (head("GET", "/v1/models", "Expect: 100-continue", "Content-Length: 2"), b"{}"), unread=True),
        pipelined("ten at once", *[head("GET", f"/v1/models?{at}") for at in range(10)]),
        pipelined("HEAD and GET in turn", *[head(method, "/v1/health") for method in ("HEAD", "GET") * 3]),
        pipelined("good behind wrong", head("GET", "/v1/nothing"), head("GET", "/v1/health")),
        get("/metrics", name="what was counted"),
    ],
    '[cache]\nenabled = true\n[[budgets]]\nname = "b"\ncapacity = 1000000\n',
)  # fmt: skip

RIGHT = "Authorization: Bearer right"
KEYS = """
[server]
cors_origins = ["https://app.example"]
[[auth.tokens]]
token = "right"
name = "team"
rate_limit_rpm = 1000
rate_limit_tpm = 1000000
[[auth.tokens]]
token = "scoped"
name = "scoped"
models = ["other"]
budget = "small"
[[budgets]]
name = "small"
capacity = 10
[[budgets]]
name = "large"
capacity = 1_000_000
"""
ASKED = "Access-Control-Request-Method: POST"

KEYED = World(
    [
        *(get(path, method=method) for path in ("/v1/models", "/v1/health", "/v1/nothing", "/metrics") for method in ("GET", "HEAD", "OPTIONS")),
        *(get(path, RIGHT) for path in PATHS),
        *(get(path, "Authorization: Bearer scoped") for path in PATHS),
        *(get("/v1/models", f"Authorization: {value}") for value in (
            "Bearer wrong", "bearer right", "BEARER right", "Bearer  right", "Bearer right ", "Bearer", "right", "Basic cmlnaHQ=",
            "Bearer right, Bearer wrong", "Bearer réght", "Bearer right\t", "",
        )),
        get("/v1/models", RIGHT, "Authorization: Bearer wrong"),
        get("/v1/models", "Authorization: Bearer wrong", RIGHT),
        get("/v1/models", "Authorization:", RIGHT),
        get("/v1/models", "X-Api-Key: right"),
        get("/v1/models", RIGHT, "Origin: https://app.example"),
        get("/v1/models", "Origin: https://app.example"),
        get("/v1/models", RIGHT, "Origin: https://evil.example"),
        get("/v1/models", RIGHT, "Origin: https://app.example", "Origin: https://evil.example"),
        get(CHATS, "Origin: https://app.example", ASKED, "Access-Control-Request-Headers: authorization, x-stainless-os, x-no", method="OPTIONS"),
        get(CHATS, "Origin: https://app.example", ASKED, "Access-Control-Request-Headers: authorization", "Access-Control-Request-Headers: content-type", method="OPTIONS"),
        get(CHATS, "Origin: https://app.example", method="OPTIONS"),
        get(CHATS, "Origin: https://evil.example", ASKED, method="OPTIONS"),
        get("/v1/nothing", "Origin: https://app.example", ASKED, method="OPTIONS"),
        post("a chat", CHAT, RIGHT),
        post("a chat for a page", CHAT, RIGHT, "Origin: https://app.example"),
        post("a stream for a page", CHAT | {"stream": True}, RIGHT, "Origin: https://app.example"),
        post("no key"),
        post("two keys", CHAT, RIGHT, "Authorization: Bearer scoped"),
        post("two keys, the other first", CHAT, "Authorization: Bearer scoped", RIGHT),
        post("not its model", CHAT, "Authorization: Bearer scoped"),
        post("a budget", CHAT, RIGHT, "X-Hoosh-Pool: large"),
        post("two budgets", CHAT, RIGHT, "X-Hoosh-Pool: large", "X-Hoosh-Pool: small"),
        post("a spent budget", CHAT | {"max_tokens": 100}, RIGHT, "X-Hoosh-Pool: small"),
        post("an unknown budget", CHAT | {"pool": "none"}, RIGHT),
        post("two priorities", CHAT, RIGHT, "X-Hoosh-Priority: low", "X-Hoosh-Priority: nonsense"),
        post("a priority that is none", CHAT, RIGHT, "X-Hoosh-Priority: nonsense", "X-Hoosh-Priority: low"),
        post("two kinds", CHAT, RIGHT, "Content-Type: text/plain"),
        post("two kinds, the other first", CHAT, RIGHT, "Content-Type: application/json", kind=("Content-Type: text/plain",)),
        post("a provider for what passes", {"input": "a"}, RIGHT, "X-Hoosh-Provider: one", "X-Hoosh-Provider: two", to="/v1/moderations"),
        post("a check of tokens", {"pool": "large", "tokens": 10}, RIGHT, to="/v1/tokens/check"),
        post("more than there is", {"pool": "small", "tokens": 100}, RIGHT, to="/v1/tokens/check"),
        post("tokens, reserved", {"pool": "large", "tokens": 10}, RIGHT, to="/v1/tokens/reserve"),
        post("a report of nothing", {"id": "00000000-0000-4000-8000-000000000000", "tokens": 1}, RIGHT, to="/v1/tokens/report"),
        post("an explanation", {"body": CHAT}, RIGHT, to="/v1/explain"),
        post("an explanation of a refusal", {"body": {"model": "nobody"}, "key": "scoped"}, RIGHT, to="/v1/explain"),
        expecting("expects, without a key", unread=True),
        expecting("expects, with one", CHAT, RIGHT),
        get("/v1/costs", RIGHT),
        get("/v1/tokens/pools", RIGHT),
        get("/v1/health/providers", RIGHT),
        get("/metrics", RIGHT),
    ],
    KEYS,
)  # fmt: skip

TOOL = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
LARGE = CHAT | {"messages": [{"role": "user", "content": "é" * 1_000_000}]}
STREAM = CHAT | {"stream": True}
USAGE = STREAM | {"stream_options": {"include_usage": True}}
SHORT = {"max_tokens": 3}


def named(model, **more):
    return CHAT | {"model": model} | more


def faulty(name, fields):
    """Asked of a provider of its own, so that no breaker of another's is in its way."""
    at = FAULTY.setdefault(name, f"f{len(FAULTY)}")
    return post(name, fields | {"model": f"{at}/{fields['model']}"})


OTHER = (
    '[[providers]]\nname = "{name}"\ntype = "openai_compatible"\nbase_url = "{{url}}/{name}/v1"\nmodels = ["fake:*"]\n'
)
FAULTY: dict[str, str] = {}
CHATTING = World(
    [
        post("a chat"),
        post("a stream", STREAM),
        post("a stream with usage", USAGE),
        post("as HTTP/1.0", version="1.0"),
        post("a stream as HTTP/1.0", STREAM, version="1.0"),
        post("as HTTP/1.0, kept", CHAT, "Connection: keep-alive", version="1.0"),
        post("and closed", CHAT, "Connection: close"),
        post("a stream, and closed", STREAM, "Connection: close"),
        post("three choices", CHAT | {"n": 3}),
        post("tools", CHAT | {"tools": [TOOL]}),
        post("tools in a stream", STREAM | {"tools": [TOOL]}),
        post("letters", CHAT | {"messages": [{"role": "user", "content": "Grüße 😀 \u2028"}]}),
        post("a cap", CHAT | SHORT),
        post("a completion", {"model": "fake-instruct", "prompt": "Say"}, to="/v1/completions"),
        post("a completion in a stream", {"model": "fake-instruct", "prompt": "Say", "stream": True}, to="/v1/completions"),
        post("vectors", {"model": "fake-embed", "input": ["a", "b", "c", "d", "e"]}, to="/v1/embeddings"),
        post("vectors in base64", {"model": "fake-embed", "input": "a", "encoding_format": "base64"}, to="/v1/embeddings"),
        post("by its provider", named("one/fake-chat")),
        post("a model that is none", named("nobody")),
        post("no body", b""),
        post("an empty object", {}),
        post("no JSON", b"{"),
        post("a BOM", b"\xef\xbb\xbf{}"),
        post("a key twice", b'{"model":"a","model":"b"}'),
        post("wrong kind", CHAT, kind=("Content-Type: text/plain",)),
        post("no kind", CHAT, kind=()),
        post("kind with parameters", CHAT, kind=('Content-Type: Application/JSON; charset="utf-8"',)),
        post("zipped", zipped(CHAT), "Content-Encoding: gzip"),
        post("no length", CHAT, kind=("Content-Type: application/json",), method="POST"),
        Ask("POST without a body", (head("POST", CHATS, "Content-Type: application/json"),)),
        chunked("in chunks"),
        chunked("in chunks with extensions and trailers", CHAT, extension=b';a="b"', trailer=b"Sum: 1\r\n"),
        chunked("in chunks of a byte", CHAT, size=1),
        chunked("a stream in chunks", STREAM),
        chunked("too much in chunks", b" " * 3_100_000, size=100_000, unread=True),
        chunked("expects in chunks", CHAT, "Expect: 100-continue"),
        expecting("expects"),
        expecting("expects in a stream", STREAM),
        expecting("expects, too large", CHAT, length=99_999_999, unread=True),
        expecting("expects, wrong kind", CHAT, kind=("Content-Type: text/plain",), unread=True),
        expecting("expects, no such path", CHAT, to="/v1/nothing", unread=True),
        Ask("too large, and written all the same", (whole(CHATS, b" " * 4_000_000),), unread=True),
        Ask("too large, never written", (head("POST", CHATS, "Content-Type: application/json", "Content-Length: 99999999"),), unread=True),
        post("two million bytes", LARGE),
        chunked("two million bytes in chunks", LARGE, size=65_536),
        expecting("two million bytes that are expected", LARGE),
        post("an answer of five million bytes", named("fake:huge_line=5000000", stream=True)),
        post("an answer of many events", named("fake:bom,comments", stream=True, messages=[{"role": "user", "content": "word " * 500}])),
        post("a whole answer of five million bytes", CHAT | {"n": 128, "messages": [{"role": "user", "content": "x" * 40_000}]}),
        faulty("no [DONE]", named("fake:no_done", stream=True)),
        post("CR for LF", named("fake:eol=cr", stream=True)),
        faulty("an error in a stream", named("fake:error_event=3", stream=True)),
        faulty("an event that is none", named("fake:malformed_event=3", stream=True)),
        faulty("cut in a stream", named("fake:truncate=700,framing=length", stream=True)),
        faulty("cut in an answer", named("fake:truncate=100,framing=length")),
        post("until the upstream closes", named("fake:framing=close")),
        post("in pieces", named("fake:split=3")),
        faulty("reset", named("fake:reset_after=0")),
        faulty("no HTTP", named("fake:garbage_head")),
        faulty("a page", named("fake:html")),
        faulty("nothing", named("fake:empty")),
        faulty("elsewhere", named('fake:redirect="http://127.0.0.1:1/"')),
        *(faulty(f"a {status} upstream", named(f"fake:status={status}")) for status in (400, 404, 408, 409, 413, 418, 422, 500, 503)),
        faulty("throttled", named("fake:status=429,retry_after=1")),
        post("asked once", CHAT, "Idempotency-Key: k"),
        post("asked once, again", CHAT, "Idempotency-Key: k"),
        post("asked once, with two keys", CHAT, "Idempotency-Key: k", "Idempotency-Key: l"),
        post("asked once, for something else", STREAM, "Idempotency-Key: k"),
        post("asked once, in a stream", STREAM, "Idempotency-Key: s"),
        post("asked once, in a stream, again", STREAM, "Idempotency-Key: s"),
        post("a key that is too long", CHAT, "Idempotency-Key: " + "k" * 256),
        pipelined("chats at once", *[whole(CHATS, CHAT | {"seed": at, "stream": at % 2 == 1}) for at in range(6)]),
        pipelined("good behind refused", whole(CHATS, b"{"), whole(CHATS, CHAT), whole(CHATS, {}), head("GET", "/v1/health")),
        pipelined("good behind a body that nobody reads", whole("/v1/nothing", CHAT), head("GET", "/v1/health")),
        post("sorting", {"model": "r", "query": "q", "documents": ["a", "b"]}, to="/v1/rerank"),
        post("a picture", {"model": "gpt-image-1", "prompt": "a cat"}, to="/v1/images/generations"),
        post("a picture in events", {"model": "gpt-image-1", "prompt": "a cat", "stream": True}, to="/v1/images/generations"),
        post("speech", {"model": "tts-1", "voice": "alloy", "input": "hello"}, to="/v1/audio/speech"),
        post("speech in events", {"model": "tts-1", "voice": "alloy", "input": "hello", "stream_format": "sse"}, to="/v1/audio/speech"),
        post("judged", {"input": ["a", "b"]}, to="/v1/moderations"),
        post("heard", FORM % b"RIFF", to="/v1/audio/transcriptions", kind=FORMED),
        post("heard at length", FORM % (b"RIFF" * 200_000), to="/v1/audio/transcriptions", kind=FORMED),
        chunked("heard in chunks", FORM % (b"RIFF" * 200_000), to="/v1/audio/transcriptions", kind=FORMED, size=10_000),
        expecting("heard, expected", FORM % b"RIFF", to="/v1/audio/transcriptions", kind=FORMED),
        post("a form that is none", b"--b\n", to="/v1/audio/transcriptions", kind=FORMED),
        post("a form without a boundary", FORM % b"", to="/v1/audio/transcriptions", kind=("Content-Type: multipart/form-data",)),
        post("a file", FORM.replace(b'name="model"\r\n\r\nwhisper-1', b'name="purpose"\r\n\r\nbatch') % b"{}", to="/v1/files", kind=FORMED),
        get("/v1/files?purpose=batch&provider=one"),
        get("/v1/files/file-44136fa355b3678a"),
        get("/v1/files/file-44136fa355b3678a/content"),
        get("/v1/files/file-44136fa355b3678a", method="DELETE"),
        get("/v1/files/file-44136fa355b3678a"),
        post("with headers", CHAT, "OpenAI-Organization: org", "OpenAI-Organization: other", "X-Note: Grüße", "Cookie: a=b"),
        post("headers of the upstream", CHAT, plans=({"headers": {"openai-processing-ms": "7", "set-cookie": "a=b", "x-note": "é"}},)),
        post("an informational answer before", CHAT, plans=({"raw": b'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 158\r\n\r\n{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hello there"},"finish_reason":"stop"}]}'[:-1] + b"}"},)),
        get("/v1/health/providers"),
        get("/v1/costs"),
        get("/metrics"),
    ],
    '[server]\nmax_body_bytes = 3000000\npass_request_headers = ["openai-organization", "x-note"]\npass_response_headers = ["openai-processing-ms", "x-note"]\n'
    "[limits]\nmax_inputs = 2\n[retry]\nmax_attempts = 2\nbase_delay_ms = 1\nmax_delay_ms = 2\nbudget_percent = 100\nmin_per_sec = 1000\n",
    more="".join(OTHER.format(name=name) for name in FAULTY.values()),
)  # fmt: skip

CACHED = World(
    [
        *(post(f"{name} {again}", fields, *headers) for name, fields, headers in [
            ("a chat", CHAT, ()), ("a stream", STREAM, ()), ("a stream with usage", USAGE, ()),
            ("no cache", CHAT, ("Cache-Control: no-cache",)), ("no store", CHAT, ("Cache-Control: no-store",)),
            ("two words on it", CHAT, ("Cache-Control: max-age=100", "Cache-Control: no-cache")),
            ("tools", CHAT | {"tools": [TOOL]}, ()), ("tools in a stream", STREAM | {"tools": [TOOL]}, ()),
            ("another", CHAT | {"seed": 1}, ()), ("kept from HTTP/1.0", CHAT | {"seed": 2}, ("Connection: close",)),
            ("stored elsewhere", CHAT | {"store": True}, ()), ("large", LARGE, ()), ("a large stream", LARGE | {"stream": True}, ()),
        ] for again in (1, 2)),
        pipelined("hits at once", *[whole(CHATS, CHAT | {"stream": at % 2 == 1}) for at in range(20)]),
        get("/v1/cache/stats"),
        get("/v1/cache", method="DELETE"),
        post("a chat after", CHAT),
        get("/v1/cache/stats"),
        get("/metrics"),
    ],
    '[cache]\nenabled = true\nmode = "always"\n',
)  # fmt: skip

PAGES = World(
    [
        *(get(path, *headers, host=host, method=method)
          for path in ("/v1/models", "/v1/health")
          for method in ("GET", "OPTIONS")
          for host in ("localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:8", "evil.example", "named.example", "127.0.0.1.evil.example")
          for headers in ((), ("Origin: http://localhost",), ("Origin: null",), ("Origin: https://evil.example", ASKED))),
        get("/v1/models", "Origin: http://localhost", "Origin: https://evil.example"),
        get("/v1/models", "Origin: https://evil.example", "Origin: http://localhost"),
        get("/v1/models", "Origin: https://evil.example", version="1.0", host=None),
    ],
    '[server]\nallowed_hosts = ["named.example"]\n',
)  # fmt: skip

PREFIXED = World(
    [get(target) for target in ("/ai/v1/models", "/ai/v1/models?a", "/ai", "/ai/", "/aiv1/models", "/v1/models", "/AI/v1/models",
                                "/%61i/v1/models", "/ai//v1/models", "/ai/v1/models/one%2Ffake-chat", "/ai/ai/v1/models")]
    + [Ask("a chat below it", (whole("/ai" + CHATS, CHAT),)), Ask("a chat beside it", (whole(CHATS, CHAT),))],
    given=lambda: {"prefix": "/ai"},
)  # fmt: skip


def spoken(*words, **more):
    """A chat with the engine of `mine`, which does what the last message says."""
    return {"model": "mine/m", "messages": [{"role": "user", "content": " ".join(words)}], **more}


def both(name, fields):
    return [post(name, fields), post(f"{name}, in a stream", fields | {"stream": True})]


ENGINES = World(
    [
        *both("words", spoken("say", "hello", "there")),
        *both("words with usage", spoken("say", "Grüße", "😀") | {"stream_options": {"include_usage": True}}),
        *both("everything", spoken("everything", tools=[TOOL])),
        *both("likely words", spoken("likely", logprobs=True, top_logprobs=1)),
        *both("fields", spoken("fields", temperature=0.5, seed=3, max_tokens=9, user="u", n=2)),
        *both("a refusal", spoken("refuse")),
        *both("a completion", {"model": "mine/m", "prompt": "a"}),
        post("a prompt completed", {"model": "mine/m", "prompt": "a"}, to="/v1/completions"),
        post("vectors", {"model": "mine/e", "input": ["a", "bc"]}, to="/v1/embeddings"),
        post("vectors in base64", {"model": "mine/e", "input": "a", "encoding_format": "base64"}, to="/v1/embeddings"),
        post("vectors of what makes none", {"model": "mine/m", "input": "a"}, to="/v1/embeddings"),
        pipelined("at once", *[whole(CHATS, spoken("say", str(at), stream=at % 2 == 0)) for at in range(6)]),
        *both("a failure", spoken("fail")),
        *both("a failure within", spoken("fail", "a", "b")),
        *both("bytes for words", spoken("bytes")),
        *both("half a character", spoken("surrogate")),
        *both("no such deed", spoken("nonsense_that_is_none")),
        *both("looked at", named("hooked/fake-chat")),
        *both("declined", named("hooked/fake-chat", user="decline")),
        *both("a hook that fails", named("hooked/fake-chat", user="fail")),
        *both("looked at, of an upstream that fails", named("hooked/fake:status=500")),
        *both("looked at, of an upstream that refuses", named("hooked/fake:status=400")),
        *both("looked at, and cut", named("hooked/fake:truncate=700,framing=length")),
        get("/v1/models"),
        get("/v1/providers"),
        get("/v1/health/providers"),
        get("/metrics"),
    ],
    "[retry]\nmax_attempts = 1\n",
    more='[[providers]]\nname = "mine"\ntype = "engine"\n' + OTHER.format(name="hooked").replace('"fake:*"', '"fake*"'),
    given=lambda: {"engines": {"mine": Told()}, "hooks": {"hooked": Hooks(auth, on_request, on_answer)}},
)  # fmt: skip


def auth(request):
    return {"authorization": f"Signed {len(request.content)}"}


def on_request(request):
    if request.body.get("user") == "decline":
        raise InvalidRequest("not this", status=422, param="user")
    if request.body.get("user") == "fail":
        raise ValueError("canary")
    request.headers["x-team"] = "team"
    request.body["seed"] = 7


async def on_answer(answer):
    for choice in answer.body["choices"]:
        said = choice["delta"] if answer.streams else choice["message"]
        if said.get("content"):
            said["content"] = said["content"].upper()


WORLDS = {
    "port": PORT, "keyed": KEYED, "chatting": CHATTING, "cached": CACHED, "pages": PAGES, "prefixed": PREFIXED, "engines": ENGINES,
}  # fmt: skip
