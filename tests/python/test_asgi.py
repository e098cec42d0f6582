"""`hoosh.asgi` under other servers than our own: hypercorn as a program, and mounted in hosts on trio and on asyncio."""

import asyncio
import contextlib
import gc
import json
import os
import re
import signal
import socket
import subprocess
import sys
from functools import partial

import fastapi
import hypercorn
import hypercorn.asyncio
import hypercorn.trio
import openai
import pytest
import starlette.applications
import starlette.routing
import trio
import uvicorn
from tests.python.conftest import provider

from hoosh import Config
from hoosh.asgi import Asgi
from hoosh.embedded import listen

MESSAGES = [{"role": "user", "content": "Say hello"}]


def client(url, **more):
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0, **more)


def named(upstream):
    # Its models are named, so that it is not asked for them, and each plan meets the request that it is meant for.
    return provider(upstream) + 'models = ["fake-chat"]\n'


async def chat_stream_models_and_an_error(url):
    async with client(url) as sdk:
        whole = await sdk.chat.completions.create(model="fake-chat", messages=MESSAGES)
        stream = await sdk.chat.completions.create(model="fake-chat", messages=MESSAGES, stream=True)
        words = [chunk.choices[0].delta.content or "" async for chunk in stream]
        assert "".join(words) == whole.choices[0].message.content == "You said: Say hello"
        assert [model.id async for model in sdk.models.list()] == ["fake-chat"]
        with pytest.raises(openai.NotFoundError) as caught:
            await sdk.chat.completions.create(model="other", messages=MESSAGES)
        assert caught.value.code == "model_not_found"


async def leaving_a_stream_stops_its_upstream(url, upstream):
    upstream.plan(stall="body", stall_after=3)
    async with client(url) as sdk:
        stream = await sdk.chat.completions.create(model="fake-chat", messages=MESSAGES, stream=True)
        await stream.__anext__()
        await stream.close()
        with trio.fail_after(5):
            await upstream.requests[-1].closed.wait()
    assert upstream.requests[-1].cancelled


@pytest.mark.parametrize("worker", ["trio", "asyncio"])
async def test_hypercorn_serves_the_configuration_of_its_folder_until_sigterm(upstream, tmp_path, worker):
    (tmp_path / "hoosh.toml").write_text(named(upstream))
    command = [sys.executable, "-m", "hypercorn", "-k", worker, "-b", "127.0.0.1:0", "hoosh.asgi:app"]
    environment = {name: value for name, value in os.environ.items() if name != "HOOSH_CONFIG"}
    async with trio.open_nursery() as nursery:
        run = partial(trio.run_process, command, cwd=tmp_path, env=environment, check=False)
        process = await nursery.start(partial(run, stdin=subprocess.PIPE, stderr=subprocess.PIPE))
        try:
            with trio.fail_after(30):
                said = b""
                while not (found := re.search(rb"Running on (http://[\d.:]+)", said)):
                    said += (more := await process.stderr.receive_some())
                    assert more, said
            url = found[1].decode()
            await chat_stream_models_and_an_error(url)
            await leaving_a_stream_stops_its_upstream(url, upstream)
        finally:
            process.send_signal(signal.SIGTERM)
            with trio.CancelScope(shield=True), trio.move_on_after(20) as waiting:
                await process.wait()
            nursery.cancel_scope.cancel()
    assert not waiting.cancelled_caught
    assert process.returncode == 0


# --- mounted -----------------------------------------------------------------------------------------------------------


def starlette_host(app, lifespan):
    return starlette.applications.Starlette(routes=[starlette.routing.Mount("/ai", app=app)], lifespan=lifespan)


def fastapi_host(app, lifespan):
    host = fastapi.FastAPI(lifespan=lifespan)
    host.mount("/ai", app)
    return host


def listener():
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    return sock


def hypercorn_config(sock):
    config = hypercorn.Config()
    config.bind = [f"fd://{sock.dup().detach()}"]  # its own, because it closes it
    config.accesslog = config.errorlog = None
    config.graceful_timeout = 1
    return config


@contextlib.asynccontextmanager
async def hypercorn_on_trio(host, sock):
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(hypercorn.trio.serve, host, hypercorn_config(sock), shutdown_trigger=stop.wait))
        yield
        stop.set()


@contextlib.contextmanager
def collecting_here():
    """Garbage of this thread's clients is not collected by the server's.

    SDKs leave async generators of a stream behind. Collected elsewhere, the second of two that hang together may be
    closed there while trio, told of the first, closes it here: "async generator already executing".
    """
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect()


@contextlib.asynccontextmanager
async def hypercorn_on_asyncio(host, sock):
    stop = trio.Event()

    async def serve():
        async def stopped():
            while not stop.is_set():
                await asyncio.sleep(0.01)

        await hypercorn.asyncio.serve(host, hypercorn_config(sock), shutdown_trigger=stopped)

    with collecting_here():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, asyncio.run, serve())
            yield
            stop.set()


@contextlib.asynccontextmanager
async def uvicorn_on_asyncio(host, sock):
    server = uvicorn.Server(uvicorn.Config(host, log_level="critical", timeout_graceful_shutdown=1))
    with collecting_here():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, lambda: asyncio.run(server.serve(sockets=[sock])))
            yield
            server.should_exit = True


@contextlib.asynccontextmanager
async def hoosh_itself(app, sock):
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(sock.dup()))]
        await nursery.start(listen, app, listeners, stop)
        yield
        stop.set()


SERVERS = [hypercorn_on_trio, hypercorn_on_asyncio, uvicorn_on_asyncio]


@pytest.mark.parametrize("runs", ["in its lifespan", "beside it"])
@pytest.mark.parametrize("mount", [starlette_host, fastapi_host])
@pytest.mark.parametrize("serve", SERVERS)
async def test_mounted_below_a_prefix(upstream, serve, mount, runs):
    app = Asgi(Config.parse(named(upstream), {}))
    seen = []

    @contextlib.asynccontextmanager
    async def lifespan(host):
        seen.append("started")
        async with app.running() if runs == "in its lifespan" else contextlib.nullcontext():
            yield
        seen.append("ended")

    with trio.fail_after(30), listener() as sock:
        url = f"http://127.0.0.1:{sock.getsockname()[1]}/ai"
        async with serve(mount(app, lifespan), sock):
            await chat_stream_models_and_an_error(url)
            await leaving_a_stream_stops_its_upstream(url, upstream)
            # Its own loop runs, so that rows are stored.
            while len(app.driver.store.rows()) < 3:
                await trio.sleep(0.01)
    assert [row["ending"] for row in app.driver.store.rows()] == ["completed", "completed", "caller_gone"]
    assert seen == ["started", "ended"]


async def test_a_send_that_raises_is_a_caller_that_left(upstream):
    """As ASGI has it from 2.4 on; the caller's leaving may not be told in another way."""
    app = Asgi(Config.parse(named(upstream), {}))
    body = json.dumps({"model": "fake-chat", "messages": MESSAGES, "stream": True}).encode()
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive():
        return messages.pop() if messages else await trio.sleep_forever()

    async def send(message):
        if message["type"] == "http.response.body":
            raise BrokenPipeError

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "query_string": b"", "headers": headers}
    upstream.plan(stall="body", stall_after=3)
    async with app.running():
        with trio.fail_after(5):
            await app(scope, receive, send)
            await upstream.requests[-1].closed.wait()
            while not app.driver.store.rows():
                await trio.sleep(0.01)
    assert app.driver.store.rows()[0]["ending"] == "caller_gone"


# --- the end of an answer ----------------------------------------------------------------------------------------------


class Late:
    """An upstream whose streams say `[DONE]` and end when they are `told` to, on connections that it keeps."""

    def __init__(self):
        self.connections = 0
        self.told = trio.Event()

    async def serve(self, stream):
        self.connections += 1
        got = b""
        async for data in stream:
            got += data
            if not got.endswith(b"}"):  # a request's end: none is longer than a read
                continue
            got = b""
            chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
            chunk["choices"] = [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}]
            events = b"data: %b\n\ndata: [DONE]\n\n" % json.dumps(chunk).encode()
            head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            await stream.send_all(head + b"%x\r\n%b\r\n" % (len(events), events))
            await self.told.wait()
            await stream.send_all(b"0\r\n\r\n")


@contextlib.asynccontextmanager
async def late_upstream():
    """Gives the upstream and the configuration that names it."""
    late = Late()
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, late.serve, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        kind = 'type = "openai_compatible"\nmodels = ["fake-chat"]\n'
        yield late, f'[[providers]]\nname = "late"\nbase_url = "http://127.0.0.1:{port}"\n{kind}'
        nursery.cancel_scope.cancel()


BODY = json.dumps({"model": "fake-chat", "messages": MESSAGES, "stream": True}).encode()
STREAM = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
STREAM += b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


async def told(stream, words, end):
    """Ask with `words`; the answer, which ends with `end`."""
    await stream.send_all(words)
    got = b""
    while not got.endswith(end):
        got += (data := await stream.receive_some())
        assert data, got
    return got


@pytest.mark.parametrize("serve", [*SERVERS, hoosh_itself])
async def test_an_upstream_may_end_behind_its_last_word_and_is_asked_again(serve):
    """The server says that the caller is gone once the answer is complete; that is no leaving."""
    async with late_upstream() as (late, text):
        app = Asgi(Config.parse(text, {}))
        with trio.fail_after(15), listener() as sock:
            async with serve(app, sock), await trio.open_tcp_stream(*sock.getsockname()) as stream:
                for _ in range(20):
                    late.told = trio.Event()
                    assert b"[DONE]" in await told(stream, STREAM, b"\r\n0\r\n\r\n")
                    # The caller's connection is free meanwhile.
                    assert b" 200 " in await told(stream, b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n", b"}")
                    late.told.set()
                    # Kept: told by the list of what is idle, because the exchange is over, and booked, a moment before.
                    while not app.driver.connections._idle:
                        await trio.sleep(0.002)
                while len(app.driver.store.rows()) < 20:
                    await trio.sleep(0.002)
        assert {row["ending"] for row in app.driver.store.rows()} == {"completed"}
        assert late.connections == 1


async def test_an_upstream_that_never_ends_holds_up_no_drain():
    async with late_upstream() as (_, text):
        app = Asgi(Config.parse(text, {}))
        # Far less than the drain may take: the exchange ends by itself.
        with trio.fail_after(10), listener() as sock:
            async with hoosh_itself(app, sock), await trio.open_tcp_stream(*sock.getsockname()) as stream:
                await told(stream, STREAM, b"\r\n0\r\n\r\n")
    assert [row["ending"] for row in app.driver.store.rows()] == ["completed"]
