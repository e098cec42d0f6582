"""Faults of the caller, in three columns: what plain hypercorn lets through, `hoosh serve` refuses, with the edge and without (docs/wire.md)."""

import json
import socket
import time

import pytest

from tests.faults import processes

CONFIG = """
[server]
max_body_bytes = 100_000
[deadlines]
body_secs = 1
caller_stall_secs = 2
[[providers]]
name = "one"
type = "openai_compatible"
base_url = "{url}/v1"
models = ["fake*"]
"""
CHAT = b'{"model":"fake-chat","messages":[{"role":"user","content":"hi"}]}'
POST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
GET = b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def upstream():
    with processes.upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module", params=processes.FORMS)
def hoosh(request, upstream, tmp_path_factory):
    file = tmp_path_factory.mktemp("callers") / "hoosh.toml"
    file.write_text(CONFIG.format(url=upstream.url), encoding="utf-8")
    with processes.gateway(request.param, file) as hoosh:
        hoosh.form = request.param
        yield hoosh
        assert hoosh.stop() == 0


QUIET_SECONDS = 0.2
"""After something came: nothing more will."""


def talk(hoosh, *parts, pause=0.0, seconds=8.0):
    """Writes the parts; all that comes until the other side closes or nothing more does, and whether it closed."""
    with socket.create_connection(("127.0.0.1", hoosh.port)) as sock:
        try:
            for part in parts:
                sock.sendall(part)
                time.sleep(pause)
        except OSError:
            pass  # refused, and the rest is not wanted
        sock.settimeout(seconds)
        got = b""
        try:
            while data := sock.recv(65536):
                got += data
                sock.settimeout(QUIET_SECONDS)
        except TimeoutError:
            return got, False
        except OSError:
            pass
        return got, True


def statuses(got):
    return [int(line.split()[1]) for line in got.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


def code_of(got):
    return json.loads(got.rpartition(b"\r\n\r\n")[2])["error"]["code"]


# F8: what the request says, then the statuses that plain hypercorn and `hoosh serve` answer.
SMUGGLING = {
    "length and chunks": (
        POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(CHAT), CHAT),
        [200], [400],
    ),
    "two lengths": (POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", [400], [400]),
    "a list of lengths": (POST + b"Content-Length: %d, %d\r\n\r\n" % (len(CHAT), len(CHAT)) + CHAT, [200], [400]),
    "a signed length": (POST + b"Content-Length: +2\r\n\r\n{}", [400], [400]),
    "an unknown coding": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", [501], [501]),
    "chunks in HTTP/1.0": (
        CHUNKED.replace(b"1.1", b"1.0", 1) + b"%x\r\n%b\r\n0\r\n\r\n" % (len(CHAT), CHAT), [200], [400],
    ),
    "a bare LF": (b"GET /v1/models HTTP/1.1\nHost: 127.0.0.1\n\n", [200], [400]),
    "a folded header": (GET + b"A: b\r\n c\r\n\r\n", [200], [400]),
    "a space before the colon": (GET + b"A : b\r\n\r\n", [400], [400]),
    "a NUL": (GET + b"A: \0\r\n\r\n", [400], [400]),
    "no host": (b"GET /v1/models HTTP/1.1\r\n\r\n", [400], [400]),
    "two hosts": (GET + b"Host: b\r\n\r\n", [400], [400]),
    "another's address as the target": (GET.replace(b"/v1", b"http://b/v1") + b"\r\n", [404], [400]),
    "h2c": (GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", [101], [400]),
    "HTTP/2 at once": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), [], [505]),
    "a thousand headers": (GET + b"A: b\r\n" * 1000 + b"\r\n", [200], [431]),
    "a long header": (GET + b"A: " + b"b" * 70_000 + b"\r\n\r\n", [431], [431]),
    "a chunk size with a sign": (CHUNKED + b"+2\r\n{}\r\n0\r\n\r\n", [400], [400]),
    "a chunk that ends too late": (CHUNKED + b"2\r\n{}x0\r\n\r\n", [400], [400]),
}  # fmt: skip


@pytest.mark.parametrize(("sent", "plain", "serve"), SMUGGLING.values(), ids=SMUGGLING)
def test_f8_framing_that_two_readers_read_in_two_ways(hoosh, sent, plain, serve):
    got, closed = talk(hoosh, sent, seconds=1)
    expected = plain if hoosh.form == "hypercorn" else serve
    assert statuses(got)[: len(expected)] == expected
    if hoosh.form != "hypercorn":
        assert closed, "what follows a refused head must not be read as the next request"
        assert b"x-request-id" in got.lower()


def test_f4_a_head_that_stops_midway(hoosh):
    started = time.monotonic()
    got, closed = talk(hoosh, GET[:20], seconds=20)
    assert closed
    assert time.monotonic() - started < 15
    assert statuses(got) == ([408] if hoosh.form != "hypercorn" else [])


@pytest.mark.parametrize("drip", [False, True], ids=["stops", "drips"])
def test_f5_a_body_that_does_not_come(hoosh, upstream, drip):
    before = len(upstream.requests())
    head = POST + b"Content-Length: %d\r\n\r\n" % len(CHAT)
    parts = [CHAT[at : at + 1] for at in range(12)] if drip else [CHAT[:12]]
    got, _ = talk(hoosh, head, *parts, pause=0.15 if drip else 0, seconds=4)
    assert statuses(got) == [408]
    assert code_of(got) == "request_timeout"
    assert len(upstream.requests()) == before


def test_f5_a_body_that_is_cut_off_is_no_end_of_body(hoosh, upstream):
    before = len(upstream.requests())
    with socket.create_connection(("127.0.0.1", hoosh.port)) as sock:
        sock.sendall(POST + b"Content-Length: 999\r\n\r\n" + CHAT)
        time.sleep(0.1)
    time.sleep(0.2)
    assert len(upstream.requests()) == before


@pytest.mark.parametrize(
    ("size", "status"), [(100_000, 400), (100_001, 413)], ids=["as large as allowed", "larger by one"]
)
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
def test_f6_a_body_that_is_too_large(hoosh, size, status, chunked):
    body = b" " * size
    framed = b"%x\r\n%b\r\n0\r\n\r\n" % (size, body) if chunked else body
    head = POST + (b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"Content-Length: %d\r\n\r\n" % size)
    got, _ = talk(hoosh, head, framed, seconds=2)
    assert statuses(got) == [status]
    if status == 413:
        assert b"max_body_bytes" in got


JSON = {
    "deep": b'{"model":"fake-chat","messages":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "a key twice": b'{"model":"fake-chat","model":"other","messages":[{"role":"user","content":"hi"}]}',
    "NaN": b'{"model":"fake-chat","temperature":NaN,"messages":[{"role":"user","content":"hi"}]}',
    "BOM": b"\xef\xbb\xbf" + CHAT,
    "no UTF-8": CHAT.replace(b"hi", b"\xff\xfe"),
    "no object": b"[1]",
    "cut": CHAT[:-4],
    "nothing": b"",
}


@pytest.mark.parametrize("body", JSON.values(), ids=JSON)
def test_f7_json_that_is_none(hoosh, upstream, body):
    before = len(upstream.requests())
    got, _ = talk(hoosh, POST + b"Content-Length: %d\r\n\r\n" % len(body) + body, seconds=1)
    assert statuses(got) == [400]
    assert code_of(got) in ("invalid_json", "duplicate_parameter", "invalid_value")
    assert len(upstream.requests()) == before


def test_f10_a_second_request_behind_one_that_is_refused_early(hoosh):
    """Refused at its head, its body is read past or the connection ends; it is never taken for a request."""
    inner = GET.replace(b"/v1/models", b"/smuggled") + b"\r\n"
    got, _ = talk(hoosh, POST + b"Content-Length: 99999999\r\n\r\n" + inner, seconds=1)
    assert statuses(got) == [413]


@pytest.mark.parametrize("after", [0, 1, 3], ids=["before the head", "after an event", "after three"])
def test_f1_f2_a_caller_that_leaves_stops_its_upstream(hoosh, upstream, after):
    name = f"fake:stall={'head' if not after else 'body'},stall_after={after}"
    body = json.dumps({"model": name, "stream": True, "messages": [{"role": "user", "content": "hi there"}]}).encode()
    with socket.create_connection(("127.0.0.1", hoosh.port)) as sock:
        sock.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        mine = wait(lambda: [r for r in upstream.requests() if name in r["body"] and not r["cancelled"]])[-1]
        assert not mine["cancelled"]
    wait(lambda: all(r["cancelled"] for r in upstream.requests() if name in r["body"]))


def test_f3_a_caller_that_takes_nothing_is_cut_off(hoosh, upstream):
    name = "fake:drip_ms=0"
    body = json.dumps({"model": name, "messages": [{"role": "user", "content": "x" * 90_000}], "n": 128}).encode()
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", hoosh.port))
        sock.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        time.sleep(0.1)
        # Others are served meanwhile.
        chat = POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(CHAT) + CHAT
        assert statuses(talk(hoosh, chat)[0]) == [200]
        if hoosh.form != "hypercorn":  # plain hypercorn has no word for it (docs/wire.md)
            wait(lambda: is_cut(sock), seconds=15)


def is_cut(sock):
    """Whether the other side has reset the connection, whose bytes stay unread."""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0


def wait(true, seconds=10.0):
    until = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < until, "it did not come to pass"
        time.sleep(0.02)
    return found
