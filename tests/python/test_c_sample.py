"""What the cases cannot say of the gateway in C: bytes that are no HTTP, and neighbours that behave oddly."""

import json
import shutil
import subprocess
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest
import trio
from tests.cases.drivers import ROOT, c_program
from tests.python.conftest import PROVIDER
from tests.python.test_wire import CHUNKED, HEAD, LAST, answers, talk

NOBODY = "http://127.0.0.1:9"
ASK = HEAD + b"Content-Length: 64\r\n\r\n"
CHAT = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'.ljust(64)
STREAM = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}'
ANSWER = (
    b'{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant",'
    b'"content":"Hello."},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}'
)
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER)
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


def config(url, more=""):
    return more + PROVIDER.format(name="one", url=url, priority=1) + 'models = ["m"]\n'


@asynccontextmanager
async def program(url, folder, more=""):
    """The program in front of `url`: gives its own URL, and its ledger."""
    async with c_program(config(url, more), folder) as driver:
        yield f"http://127.0.0.1:{driver.port}", driver.rows


@asynccontextmanager
async def upstream_that(serve):
    """An upstream of which `serve` holds every connection: gives its URL."""
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        yield f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def head_of(stream):
    """Reads a request up to its body, or to the end of the connection: the bytes so far."""
    got = b""
    while b"\r\n\r\n" not in got:
        got += (data := await stream.receive_some())
        if not data:
            break
    return got


REFUSED = {
    "no_http": b"nonsense\r\n\r\n",
    "line_feeds": b"GET /v1/models HTTP/1.1\nHost: a\n\n",
    "nul": b"GET /v1/models HTTP/1.1\r\nA: \0\r\n\r\n",
    "folded": b"GET /v1/models HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
    "target": b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "long": b"GET /v1/models HTTP/1.1\r\nA: ".ljust(65_536, b"a") + b"a",
    "many": b"GET /v1/models HTTP/1.1\r\n" + b"A: b\r\n" * 101 + b"\r\n",
    "two_lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
    "both": HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "old_coding": HEAD.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n",
    "length": HEAD + b"Content-Length: 99999999999999999999\r\n\r\n",
    "chunk_sign": CHUNKED + b"+4\r\nabcd\r\n",
    "chunk_prefix": CHUNKED + b"0x4\r\nabcd\r\n",
    "chunk_size": CHUNKED + b"ffffffffffffffffff\r\n",
    "chunk_end": CHUNKED + b"4\r\nabcde\r\n",
}


@pytest.mark.parametrize("sent", REFUSED.values(), ids=REFUSED)
async def test_what_it_cannot_read_is_an_exchange_that_was_refused(tmp_path, sent):
    async with program(NOBODY, tmp_path) as (url, _):
        (answer,) = await talk(url, sent)
        status, headers, body = answer
        assert (status, json.loads(body)["error"]["code"]) == (400, "malformed_request")
        assert headers["connection"] == "close"
        assert headers["x-request-id"]


async def test_a_connection_serves_request_after_request(tmp_path):
    """HEAD is GET without the body, a small request that is refused is read to its end, the last one says so in a list."""
    head = b"HEAD /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"
    wrong = b"POST /v1/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nabcd"
    last = LAST.replace(b"close", b"keep-alive, Close")
    async with program(NOBODY, tmp_path) as (url, _):
        stream = await trio.open_tcp_stream("127.0.0.1", int(url.rpartition(":")[2]))
        with trio.fail_after(10):
            async with stream:
                await stream.send_all(head + wrong + last)
                got = b"".join([data async for data in stream])
        first, _, rest = got.partition(b"\r\n\r\n")
        assert [status for status, _, _ in answers(rest)] == [404, 200]
        assert first.startswith(b"HTTP/1.1 200")
        assert b"\r\ncontent-length: %d" % len(answers(rest)[1][2]) in first


async def test_a_caller_that_still_sends_gets_its_refusal(tmp_path):
    body = b" " * (8 << 20)
    sent = b"POST /v1/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with program(NOBODY, tmp_path) as (url, _):
        (answer,) = await talk(url, sent, body)
        assert answer[0] == 404
        assert answer[1]["connection"] == "close"


async def test_every_address_of_a_name_is_tried(tmp_path, upstream):
    """`localhost` is `::1` first on many machines, where nobody listens."""
    upstream.plan(raw=WHOLE)
    async with program(upstream.url.replace("127.0.0.1", "localhost"), tmp_path) as (url, _):
        ((status, _, body),) = await talk(url, ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + CHAT)
        assert (status, body) == (200, ANSWER)


async def test_when_one_connection_died_in_the_pool_the_others_are_not_tried(tmp_path, upstream):
    more = "[retry]\nmax_attempts = 2\n"
    async with program(upstream.url, tmp_path, more) as (url, rows):
        upstream.plan(raw=WHOLE, stale="next", after_requests=3)
        upstream.plan(raw=WHOLE, stale="next", after_requests=3)
        upstream.plan(raw=WHOLE, stale="next", after_requests=3)
        ask = ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + CHAT
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(talk, url, ask)
        upstream.plan(raw=WHOLE)
        ((status, _, _),) = await talk(url, ask)
        assert status == 200
        assert upstream.requests[-1].connection == 3
        with trio.fail_after(5):
            while len(rows()) < 4:
                await trio.sleep(0.01)
        assert rows()[-1]["attempts"] == 2


async def test_a_connection_that_died_in_the_pool_is_told_as_used_before(tmp_path, upstream):
    upstream.plan(raw=WHOLE, stale="next")
    upstream.plan(raw=WHOLE)
    async with program(upstream.url, tmp_path) as (url, rows):
        found = await talk(url, ASK + CHAT + ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + CHAT)
        assert [status for status, _, _ in found] == [200, 200]
        while len(rows()) < 2:
            await trio.sleep(0.01)
        # Not billed: a stale connection's upstream has not worked.
        assert [(row["attempts"], row["input_tokens"]) for row in rows()] == [(1, 9), (2, 9)]


async def test_an_answer_to_a_request_that_is_still_written_is_read(tmp_path):
    async def serve(stream):
        await head_of(stream)
        await stream.send_all(b'HTTP/1.1 400 No\r\nContent-Length: 38\r\n\r\n{"error":{"message":"x","type":"y"  }}')
        await trio.sleep_forever()

    body = CHAT.replace(b"hi", b"hi " * (2 << 20))
    sent = HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with upstream_that(serve) as upstream, program(upstream, tmp_path) as (url, _):
        ((status, _, answer),) = await talk(url, sent + body)
        assert (status, json.loads(answer)["error"]["message"]) == (400, "x")


async def test_a_caller_that_leaves_stops_its_upstream(tmp_path):
    asked, left = trio.Event(), trio.Event()

    async def serve(stream):
        await head_of(stream)
        asked.set()
        await stream.send_all(EVENTS)
        with suppress(trio.BrokenResourceError):
            while await stream.receive_some():
                pass
        left.set()

    async with upstream_that(serve) as upstream, program(upstream, tmp_path) as (url, rows):
        with trio.fail_after(10):
            caller = await trio.open_tcp_stream("127.0.0.1", int(url.rpartition(":")[2]))
            await caller.send_all(HEAD + b"Content-Length: %d\r\n\r\n" % len(STREAM) + STREAM)
            await asked.wait()
            await caller.aclose()
            await left.wait()
            while not rows():
                await trio.sleep(0.01)
        assert rows()[0]["ending"] == "caller_gone"


def event(text):
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return b"data: " + json.dumps(chunk | {"choices": [choice]}).encode() + b"\n\n"


async def test_a_caller_that_takes_nothing_stops_the_reading_of_its_upstream(tmp_path):
    sent, piece, total = 0, event("x" * 1000) * 64, 256 << 20

    async def serve(stream):
        nonlocal sent
        await head_of(stream)
        await stream.send_all(EVENTS)
        with suppress(trio.BrokenResourceError):
            while sent < total:
                await stream.send_all(piece)
                sent += len(piece)

    stall = "[deadlines]\ncaller_stall_secs = 1\n"
    async with upstream_that(serve) as upstream, program(upstream, tmp_path, stall) as (url, rows):
        with trio.fail_after(20):
            caller = await trio.open_tcp_stream("127.0.0.1", int(url.rpartition(":")[2]))
            await caller.send_all(HEAD + b"Content-Length: %d\r\n\r\n" % len(STREAM) + STREAM)
            while not rows():
                await trio.sleep(0.01)
            await caller.aclose()
    # What the kernels of both sides buffer is theirs; without back-pressure it would be all.
    assert sent < total // 4


async def test_a_slow_caller_gets_every_byte_of_a_long_stream(tmp_path):
    pieces = [event(f"{n:>1000}") for n in range(4000)]
    end = event("").replace(b"null", b'"stop"') + b"data: [DONE]\n\n"

    async def serve(stream):
        await head_of(stream)
        await stream.send_all(EVENTS + b"".join(pieces) + end)
        await stream.send_eof()
        await trio.sleep_forever()

    sent = HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(STREAM) + STREAM
    async with upstream_that(serve) as upstream, program(upstream, tmp_path) as (url, rows):
        with trio.fail_after(30):
            async with await trio.open_tcp_stream("127.0.0.1", int(url.rpartition(":")[2])) as caller:
                await caller.send_all(sent)
                got = bytearray()
                while data := await caller.receive_some(3000):
                    got += data
                    await trio.lowlevel.checkpoint()
            while not rows():
                await trio.sleep(0.01)
    head, _, body = bytes(got).partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head
    assert unchunked(body) == b"".join(pieces) + end
    assert rows()[0]["ending"] == "completed"


def unchunked(body):
    whole = b""
    while True:
        size, _, body = body.partition(b"\r\n")
        if int(size, 16) == 0:
            assert body == b"\r\n"
            return whole
        whole, body = whole + body[: int(size, 16)], body[int(size, 16) + 2 :]


@pytest.mark.parametrize(("compiler", "standard"), [("cc", "c99"), ("cc", "c11"), ("c++", "c++11"), ("c++", "c++17")])
def test_the_header_is_fit_for(compiler, standard, tmp_path):
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler} here")
    source = tmp_path / ("use.c" if compiler == "cc" else "use.cpp")
    source.write_text('#include "hoosh.h"\nint main(void) { return hoosh_abi_version() != HOOSH_ABI_VERSION; }\n')
    strict = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", f"-I{ROOT / 'include'}"]
    done = subprocess.run([compiler, f"-std={standard}", *strict, source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
