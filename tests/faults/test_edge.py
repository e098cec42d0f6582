"""Manners of the native edge, over sockets: whoever misbehaves is ended, and others are served meanwhile."""

import contextlib
import json
import re
import socket

import pytest
import trio

from hoosh._native import test_engine as scripted
from tests.python.conftest import LISTENERS, each_listener, edge_serving, provider  # noqa: F401, a fixture
from tests.sameness.asks import CHATS, head, whole
from tests.sameness.wire import Ask, put
from tests.upstream import open_upstream

RESET = b"\1\0\0\0\0\0\0\0"
SECONDS = 30
ENGINE = '[[providers]]\nname = "mine"\ntype = "engine"\n'
CHAT = {"model": "fake-chat", "messages": [{"role": "user", "content": "Say hello"}]}
NAMED = 'models = ["fake-chat"]\n'
MODELS = head("GET", "/v1/models")


@pytest.fixture
async def upstream():
    async with open_upstream() as upstream:
        yield upstream


def text(upstream, *tables):
    return "".join(tables) + provider(upstream) + NAMED


def port_of(url):
    return int(url.rpartition(":")[2])


async def caller(port, *, little=False):
    """A connection; `little`: whose system takes little of what it does not read."""
    sock = trio.socket.socket()
    if little:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await sock.connect(("127.0.0.1", port))
    return trio.SocketStream(sock)


async def read(stream):
    """All that comes until the other side closes."""
    got = b""
    with contextlib.suppress(trio.BrokenResourceError):
        async for data in stream:
            got += data
    return got


async def is_served(port):
    """Somebody else is."""
    answers, _ = await put(port, Ask("another", (whole(CHATS, CHAT, "Connection: close"),)))
    return [answer.status for answer in answers] == [200]


def statuses(got):
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+)", got)]


def refused(got, status, code):
    assert statuses(got) == [status]
    assert json.loads(got.rpartition(b"\r\n\r\n")[2])["error"]["code"] == code


async def until(true):
    with trio.fail_after(SECONDS):
        while not true():
            await trio.sleep(0.01)


async def ended(app):
    """Nothing of a request is left."""
    await until(lambda: not app.driver.gateway.open_exchanges())


# --- slow callers and floods -------------------------------------------------------------------------------------------


async def test_many_slow_heads_are_refused_and_others_served(upstream):
    async with edge_serving(text(upstream)) as (url, app):
        with trio.fail_after(SECONDS):
            slow = [await caller(port_of(url)) for _ in range(200)]
            for at, stream in enumerate(slow):
                await stream.send_all(MODELS[: 1 + at % (len(MODELS) - 2)])
            assert await is_served(port_of(url))
            for stream in slow:
                refused(await read(stream), 408, "request_timeout")
                await stream.aclose()
        await ended(app)


async def test_many_slow_bodies_are_refused_and_others_served(serving, upstream):
    async with serving(text(upstream, "[deadlines]\nbody_secs = 1\n")) as (url, app):
        begun = whole(CHATS, CHAT)[:-10]
        with trio.fail_after(SECONDS):
            slow = [await caller(port_of(url)) for _ in range(100)]
            for stream in slow:
                await stream.send_all(begun)
            assert await is_served(port_of(url))
            for stream in slow:
                refused(await read(stream), 408, "request_timeout")
                await stream.aclose()
        await ended(app)
    assert [request.path for request in upstream.requests] == [CHATS]


@pytest.mark.parametrize(
    "flood",
    [b"A: " + b"b" * 100_000, b"A: b\r\n" * 1_000 + b"\r\n", b"A" * 100_000, b"Cookie: a=b\r\n" * 101 + b"\r\n"],
    ids=["long", "many", "a name", "one too many"],
)
async def test_floods_of_headers_are_refused_and_others_served(upstream, flood):
    async with edge_serving(text(upstream)) as (url, app):
        with trio.fail_after(SECONDS):
            many = [await caller(port_of(url)) for _ in range(50)]
            for stream in many:
                with contextlib.suppress(trio.BrokenResourceError):
                    await stream.send_all(MODELS[:-2] + flood)
            assert await is_served(port_of(url))
            for stream in many:
                refused(await read(stream), 431, "headers_too_large")
                await stream.aclose()
        await ended(app)


async def test_a_hundred_requests_at_once_are_answered_in_turn(serving, upstream):
    count = 100
    requests = [
        head("GET", f"/v1/models/{at}") if at % 2 else whole(CHATS, CHAT | {"n": 1 + at % 3, "stream": at % 4 == 0})
        for at in range(count)
    ]
    methods = tuple(request.partition(b" ")[0] for request in requests)
    async with serving(text(upstream)) as (url, app):
        answers, manner = await put(port_of(url), Ask("all", (b"".join(requests),), methods=methods), SECONDS)
        assert manner == "kept"
        assert [answer.status for answer in answers] == [404 if at % 2 else 200 for at in range(count)]
        assert all(f"'{at}'".encode() in answers[at].body for at in range(1, count, 2))
        assert all(answers[at].body.endswith(b"data: [DONE]\n\n") for at in range(0, count, 4))
        await ended(app)
    asked = [request.json()["n"] for request in upstream.requests]
    assert asked == [1 + at % 3 for at in range(0, count, 2)]


# --- as many connections as there may be ---------------------------------------------------------------------------------


async def idle(port):
    """A connection that was answered, and is kept."""
    stream = await caller(port)
    await stream.send_all(MODELS)
    got = b""
    while not re.search(rb"\]}$", got):
        got += await stream.receive_some()
    return stream


@pytest.mark.parametrize("threads", [1, 3])
async def test_an_idle_connection_makes_room_for_a_new_caller(upstream, threads):
    """The one that is idle for the longest, of the busiest thread."""
    async with edge_serving(text(upstream, f"[server]\nmax_connections = 6\nthreads = {threads}\n")) as (url, app):
        with trio.fail_after(SECONDS):
            kept = [await idle(port_of(url)) for _ in range(6)]
            for at in range(4):
                kept.append(await idle(port_of(url)))
                assert app.driver.edge.connections <= 6
                closed = [stream for stream in kept if await is_closed(stream)]
                assert len(closed) == 1
                assert closed == kept[:1] or threads > 1, at
                for stream in closed:
                    kept.remove(stream)


async def is_closed(stream):
    with trio.move_on_after(0.02):
        return not await stream.receive_some()
    return False


async def test_without_an_idle_one_a_new_caller_is_told_so(upstream):
    async with edge_serving(text(upstream, "[server]\nmax_connections = 3\n")) as (url, app):
        with trio.fail_after(SECONDS):
            busy = []
            for _ in range(3):
                upstream.plan(stall="head")
                busy.append(await caller(port_of(url)))
                await busy[-1].send_all(whole(CHATS, CHAT))
            await upstream.wait_for(3)
            refused(await read(await caller(port_of(url))), 503, "overloaded")
            await busy.pop().aclose()
            await until(lambda: app.driver.edge.connections < 3)
            assert await is_served(port_of(url))
            for stream in busy:
                await stream.aclose()
        await ended(app)


async def test_one_address_has_as_many_as_it_may_have(upstream):
    async with edge_serving(text(upstream, "[server]\nmax_connections_per_address = 3\n")) as (url, app):
        with trio.fail_after(SECONDS):
            kept = [await idle(port_of(url)) for _ in range(3)]
            refused(await read(await caller(port_of(url))), 503, "overloaded")
            await kept.pop().aclose()
            await until(lambda: app.driver.edge.connections < 3)
            assert await is_served(port_of(url))
            for stream in kept:
                await stream.send_all(MODELS)
                assert (await stream.receive_some()).startswith(b"HTTP/1.1 200")


# --- callers that leave, or take nothing -----------------------------------------------------------------------------------

STALL = "[deadlines]\ncaller_stall_secs = 1\n"
LARGE = CHAT | {"messages": [{"role": "user", "content": "x" * (12 << 20)}]}
LONG = CHAT | {"stream": True, "messages": [{"role": "user", "content": ("x" * 40_000 + " ") * 300}]}


@pytest.mark.parametrize("body", [LARGE, LONG], ids=["whole", "stream"])
async def test_a_caller_that_takes_nothing_is_cut_off_and_its_upstream_stopped(serving, upstream, body):
    async with serving(text(upstream, STALL)) as (url, app):
        with trio.fail_after(SECONDS):
            stuck = await caller(port_of(url), little=True)
            await stuck.send_all(whole(CHATS, body))
            await upstream.wait_for(1)
            assert await is_served(port_of(url))
            await until(
                lambda: upstream.requests[0].closed_at is not None or upstream.requests[0].answered_at is not None
            )
            await ended(app)
            with pytest.raises(trio.BrokenResourceError):
                while await stuck.receive_some():
                    pass
            assert await is_served(port_of(url))


async def test_the_edge_cuts_who_takes_nothing_of_an_answer_that_is_over(upstream):
    """The exchange has said its last word, and hyper's buffer and the system's hold it."""
    async with edge_serving(text(upstream, STALL)) as (url, app):
        with trio.fail_after(SECONDS):
            stuck = await caller(port_of(url), little=True)
            with pytest.raises(trio.BrokenResourceError):
                await stuck.send_all(
                    whole(CHATS, CHAT | {"messages": [{"role": "user", "content": "x" * 60_000}]}) * 500
                )
            await until(lambda: app.driver.edge.connections == 0)
        await ended(app)


HOW = ["end", "reset"]


async def leave(stream, how):
    if how == "reset":
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    await stream.aclose()


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("after", [0, 1, 3], ids=["before the head", "after an event", "after three"])
async def test_whoever_leaves_stops_the_upstream(serving, upstream, how, after):
    async with serving(text(upstream)) as (url, app):
        with trio.fail_after(SECONDS):
            upstream.plan(stall="body" if after else "head", stall_after=after)
            stream = await caller(port_of(url))
            await stream.send_all(whole(CHATS, CHAT | {"stream": True}))
            asked = await upstream.wait_for(1)
            got = b""
            while after and got.count(b"data: ") < after - 1:
                got += await stream.receive_some()
            await leave(stream, how)
            await asked.closed.wait()
            assert asked.cancelled
            await ended(app)
            await until(app.driver.store.rows)
            assert app.driver.store.rows()[0]["ending"] == "caller_gone"


@pytest.mark.parametrize("how", HOW)
async def test_whoever_leaves_a_pipeline_stops_the_upstream(upstream, how):
    """What was sent behind the request that is answered hides its end until something is written: a sign of life at the latest."""
    async with edge_serving(text(upstream, "[server]\nkeep_alive_secs = 1\n")) as (url, app):
        with trio.fail_after(SECONDS):
            upstream.plan(stall="body", stall_after=3)
            stream = await caller(port_of(url))
            await stream.send_all(whole(CHATS, CHAT | {"stream": True}) + MODELS)
            asked = await upstream.wait_for(1)
            await leave(stream, how)
            await asked.closed.wait()
            await ended(app)


async def test_whoever_leaves_within_its_own_body_leaves_nothing(serving, upstream):
    async with serving(text(upstream)) as (url, app):
        for how in HOW:
            stream = await caller(port_of(url))
            await stream.send_all(whole(CHATS, CHAT)[:-5])
            await until(app.driver.gateway.open_exchanges)
            await leave(stream, how)
            await ended(app)
        assert await is_served(port_of(url))
    assert len(upstream.requests) == 1


async def test_whoever_ends_its_side_and_waits_is_treated_alike(upstream):
    said = {}
    for name, serving in LISTENERS.items():
        async with serving(text(upstream)) as (url, app):
            with trio.fail_after(SECONDS):
                upstream.plan(delay_ms=300)
                before = len(upstream.requests)
                stream = await caller(port_of(url))
                await stream.send_all(whole(CHATS, CHAT))
                await upstream.wait_for(before + 1)
                await stream.send_eof()
                said[name] = statuses(await read(stream))
                await ended(app)
                await until(app.driver.store.rows)
                said[name] += [row["ending"] for row in app.driver.store.rows()]
    assert said["edge"] == said["hypercorn"]


# --- engines that panic ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["panic", "panic_in_call", "panic_in_drop"])
async def test_a_panic_ends_one_request(upstream, where):
    panics, gauge = scripted([("text", "a"), (where, ""), ("finish", "stop")])
    config = text(upstream, "[server]\nthreads = 1\n[retry]\nmax_attempts = 1\n") + ENGINE
    async with edge_serving(config, engines={"mine": panics}) as (url, app):
        with trio.fail_after(SECONDS):
            upstream.plan(stall="body", stall_after=3)
            beside = await caller(port_of(url))
            await beside.send_all(whole(CHATS, CHAT | {"stream": True}))
            assert b"data: " in await beside.receive_some()
            for stream in (False, True):
                body = CHAT | {"model": "mine/scripted", "stream": stream}
                answers, _ = await put(port_of(url), Ask("panics", (whole(CHATS, body, "Connection: close"),)))
                said = b"".join(answer.body for answer in answers)
                assert b'"error"' in said or (
                    where == "panic_in_drop" and (b"[DONE]" in said or b'"content":"a"' in said)
                ), said
            assert await is_served(port_of(url))
            assert not upstream.requests[0].cancelled
            await beside.aclose()
        await ended(app)
        assert gauge.alive() == 0


async def test_a_slow_reader_gets_all_of_the_last_answer(serving, upstream):
    """Also what the listener holds of it when the exchange is over and the connection is to be closed."""
    body = CHAT | {"messages": [{"role": "user", "content": "x" * 3_000_000}]}
    async with serving(text(upstream)) as (url, app):
        with trio.fail_after(SECONDS):
            stream = await caller(port_of(url), little=True)
            await stream.send_all(whole(CHATS, body, "Connection: close"))
            got, pause = b"", 0.05
            with contextlib.suppress(trio.BrokenResourceError):
                while data := await stream.receive_some(1 << 16):
                    got += data
                    if len(got) > 2_900_000:
                        await trio.sleep(pause)  # until the rest has been given to the socket, as far as that takes it
            head, _, answer = got.partition(b"\r\n\r\n")
            assert len(answer) == int(re.search(rb"content-length: (\d+)", head)[1])
            assert answer.endswith(b"}")
        await ended(app)
