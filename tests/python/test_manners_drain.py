"""The way down: SIGTERM loses no request that began, and tells whoever has no time left."""

import contextlib
import json
import re
import signal

import httpx2
import pytest
import trio
from tests.python.conftest import provider
from tests.python.test_server import program
from tests.python.test_wire import HEAD

CHAT = {"model": "fake-chat", "messages": [{"role": "user", "content": "Say hello"}]}
STREAMS = 100


def written(upstream, tmp_path, server):
    file = tmp_path / "hoosh.toml"
    file.write_text(f'[server]\n{server}\n{provider(upstream)}models = ["fake-chat"]\n')
    return file


async def begin(http, nursery, port, count, answers):
    """So many streams, each of which has its first event when this returns."""
    begun = 0
    all_begun = trio.Event()

    async def one():
        nonlocal begun
        async with http.stream(
            "POST", f"http://127.0.0.1:{port}/v1/chat/completions", json=CHAT | {"stream": True}
        ) as answer:
            assert answer.status_code == 200
            text = ""
            async for line in answer.aiter_lines():
                if not text:
                    begun += 1
                    if begun == count:
                        all_begun.set()
                text += line + "\n"
            answers.append(text)

    for _ in range(count):
        nursery.start_soon(one)
    await all_begun.wait()


def client():
    return httpx2.AsyncClient(timeout=60, limits=httpx2.Limits(max_connections=None))


@pytest.mark.parametrize("signals", [1, 2])
async def test_a_hundred_streams_end_whole_or_are_told(upstream, tmp_path, signals):
    file = written(upstream, tmp_path, f"drain_secs = {20 if signals == 1 else 60}")
    answers = []
    async with program(file, "--port", "0") as (process, port, _), client() as http:
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                for _ in range(STREAMS):
                    # One signal: they need a second or two more. Two: they would never end.
                    upstream.plan(
                        **({"drip_ms": 300, "split": 200} if signals == 1 else {"stall": "body", "stall_after": 3})
                    )
                await begin(http, nursery, port, STREAMS, answers)
                process.send_signal(signal.SIGTERM)
                await trio.sleep(0.2)
                if signals == 2:
                    process.send_signal(signal.SIGTERM)
                with trio.fail_after(20 if signals == 1 else 5):
                    assert await process.wait() == 0
    assert len(answers) == STREAMS
    if signals == 1:
        assert all(answer.endswith("data: [DONE]\n\n") for answer in answers)
    else:
        assert all(last_code(answer) == "draining" for answer in answers)


def last_code(text):
    return json.loads(text.rstrip().rpartition("\n")[2].removeprefix("data: "))["error"]["code"]


async def test_beyond_the_deadline_each_is_told(upstream, tmp_path):
    file = written(upstream, tmp_path, "drain_secs = 1")
    answers = []
    async with program(file, "--port", "0") as (process, port, _), client() as http:
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                for _ in range(20):
                    upstream.plan(stall="body", stall_after=3)
                await begin(http, nursery, port, 20, answers)
                process.send_signal(signal.SIGTERM)
                with trio.fail_after(6):
                    assert await process.wait() == 0
    assert [last_code(answer) for answer in answers] == ["draining"] * 20


async def test_readiness_goes_before_the_rest(upstream, tmp_path):
    file = written(upstream, tmp_path, "settle_secs = 2")
    async with (
        program(file, "--port", "0") as (process, port, _),
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        assert (await http.get("/v1/health/ready")).status_code == 200
        process.send_signal(signal.SIGTERM)
        with trio.fail_after(2):
            while (await http.get("/v1/health/ready")).status_code != 503:
                await trio.sleep(0.01)
        async with httpx2.AsyncClient() as other:  # over a new connection
            assert (await other.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=CHAT)).status_code == 200
        with trio.fail_after(6):
            assert await process.wait() == 0


async def read_answer(stream):
    """One whole answer, or what came of it before the connection was closed."""
    said = b""
    with contextlib.suppress(trio.BrokenResourceError):
        while more := await stream.receive_some():
            said += more
            head, _, body = said.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            if length and len(body) >= int(length[1]):
                break
    return said


async def test_a_request_on_a_kept_connection_is_refused_whole_or_not_read(upstream, tmp_path):
    file = written(upstream, tmp_path, "drain_secs = 5")
    body = json.dumps(CHAT).encode()
    request = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    async with program(file, "--port", "0") as (process, port, _), client() as http, trio.open_nursery() as nursery:
        kept = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(20)]
        for stream in kept:
            await stream.send_all(request)
        for stream in kept:
            assert (await read_answer(stream)).startswith(b"HTTP/1.1 200")
        answers = []
        upstream.plan(stall="body", stall_after=3)  # holds the process open
        await begin(http, nursery, port, 1, answers)
        process.send_signal(signal.SIGTERM)
        seen = set()
        for stream in kept:
            said = b""
            with contextlib.suppress(trio.BrokenResourceError):
                await stream.send_all(request)
                said = await read_answer(stream)
            seen.add(said[:12])
            # Those sent before the signal was seen are answered; nothing is cut in the middle.
            assert said == b"" or (said[:12] in (b"HTTP/1.1 200", b"HTTP/1.1 503") and said.endswith(b"}")), said
            await trio.sleep(0.02)
        assert b"HTTP/1.1 200" not in seen or len(seen) > 1, "at the latest after 0.4 s nothing new is let in"
        process.send_signal(signal.SIGTERM)
        with trio.fail_after(6):
            assert await process.wait() == 0
        with trio.fail_after(5):
            while not answers:
                await trio.sleep(0.01)
        assert last_code(answers[0]) == "draining"
        for stream in kept:
            await stream.aclose()
