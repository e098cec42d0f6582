"""The driver's way to an upstream, over sockets, in a trio and in an asyncio host."""

import contextlib
import gc
import ssl

import anyio
import pytest
import trio
import trustme
from tests.upstream import open_upstream

import hoosh
from hoosh import errors
from hoosh._driver import connections

HELLO = [{"role": "user", "content": "Say hello"}]
LONG = [{"role": "user", "content": "x" * (16 << 20)}]
"""More than the buffers of two sockets hold."""
BODY = b'{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant",' + (
    b'"content":"Hello."},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}'
)  # fmt: skip
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
LENGTH = b"content-length: %d\r\n" % len(BODY)


def config(*urls, attempts=1):
    """Providers `0`, `1`, … whose models are named, so that the gateway does not ask for them itself."""
    return f"[retry]\nmax_attempts = {attempts}\n" + "".join(
        f'[[providers]]\nname = "{at}"\ntype = "openai_compatible"\nbase_url = "{url}"\nmodels = ["fake-chat"]\n'
        for at, url in enumerate(urls)
    )


async def eventually(true):
    with anyio.fail_after(10):
        while not true():
            await anyio.sleep(0.005)


async def row(gateway):
    await eventually(lambda: gateway.ledger)
    return gateway.ledger[-1]


async def ask(gateway, messages=HELLO):
    answer = await gateway.chat(model="fake-chat", messages=messages)
    return answer["choices"][0]["message"]["content"]


async def code_of(gateway, messages=HELLO):
    with pytest.raises(errors.HooshError) as caught:
        await ask(gateway, messages)
    return caught.value.code


# --- what was sent ---------------------------------------------------------------------------------------------------


async def test_an_answer_may_come_before_a_long_request_is_written(upstream, on):
    upstream.plan(early=True, status=400)

    async def work():
        async with hoosh.Gateway(config(upstream.url)) as gateway:
            assert await code_of(gateway, LONG) == "upstream_refused"
            # What is left of the request must not be read as the next one.
            assert await ask(gateway)

    await on(work)
    assert [request.connection for request in upstream.requests] == [0, 1]


@pytest.mark.parametrize(
    ("messages", "plan", "source"),
    [
        (HELLO, {"reset_after": 0}, "bound"),
        (LONG, {"reset_after": 0}, "bound"),
        (LONG, {"reset_after": 0, "early": True}, "none"),
    ],
    ids=["written", "long and written", "not written"],
)
async def test_only_what_was_written_whole_may_have_been_worked_on(upstream, on, messages, plan, source):
    upstream.plan(**plan)

    async def work():
        async with hoosh.Gateway(config(upstream.url)) as gateway:
            assert await code_of(gateway, messages) == "upstream_error"
            return await row(gateway)

    found = await on(work)
    assert (found["usage_source"], found["attempts"]) == (source, 1)


async def test_an_answer_that_is_followed_by_a_reset_still_counts(upstream, on):
    upstream.plan(early=True, status=400, reset_after=1 << 20)

    async def work():
        async with hoosh.Gateway(config(upstream.url)) as gateway:
            return await code_of(gateway, LONG)

    assert await on(work) == "upstream_refused"


# --- no connection ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["nowhere.invalid", "x" * 70 + ".invalid"])
async def test_a_host_that_cannot_be_found_is_unreachable(on, host):
    async def work():
        async with hoosh.Gateway(config(f"http://{host}:1")) as gateway:
            return await code_of(gateway)

    assert await on(work) == "upstream_unreachable"


async def test_an_upstream_with_an_ipv6_address(on):
    async with open_upstream(host="::1") as upstream:

        async def work():
            async with hoosh.Gateway(config(upstream.url)) as gateway:
                assert await ask(gateway)

        await on(work)
        assert upstream.requests[0].header("host") == f"[::1]:{upstream.port}"


@pytest.fixture
async def tls(upstream):
    """An address that speaks TLS for `upstream`, the authority that vouches for it, and the sizes of what came out there."""
    carried = []
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)

    async def carry(stream):
        async with await trio.open_tcp_stream("127.0.0.1", upstream.port) as behind, trio.open_nursery() as nursery:

            async def pump(source, sink, sizes):
                with contextlib.suppress(trio.BrokenResourceError):
                    async for data in source:
                        await sink.send_all(data)
                        sizes.append(len(data))
                nursery.cancel_scope.cancel()

            nursery.start_soon(pump, stream, behind, [])
            nursery.start_soon(pump, behind, stream, carried)

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_ssl_over_tcp_listeners(0, context, host="127.0.0.1", https_compatible=True)
        nursery.start_soon(trio.serve_listeners, carry, listeners)
        yield listeners[0].transport_listener.socket.getsockname()[1], authority, carried
        nursery.cancel_scope.cancel()


async def test_tls_with_a_known_authority(upstream, tls, on, monkeypatch):
    port, authority, _ = tls
    with authority.cert_pem.tempfile() as file:
        monkeypatch.setenv("SSL_CERT_FILE", file)

        async def work():
            async with hoosh.Gateway(config(f"https://localhost:{port}")) as gateway:
                assert await ask(gateway) == await ask(gateway)
                assert await ask(gateway, [{"role": "user", "content": "x" * (1 << 20)}])

        await on(work)
    assert {request.connection for request in upstream.requests} == {0}


@pytest.mark.parametrize("wrong", ["authority", "name", "no tls"])
async def test_tls_that_fails_is_unreachable(upstream, tls, on, monkeypatch, wrong):
    port, authority, _ = tls
    trusted = trustme.CA() if wrong == "authority" else authority
    url = {"authority": f"https://localhost:{port}", "name": f"https://127.0.0.1:{port}"}.get(
        wrong, upstream.url.replace("http:", "https:")
    )
    with trusted.cert_pem.tempfile() as file:
        monkeypatch.setenv("SSL_CERT_FILE", file)

        async def work():
            async with hoosh.Gateway(config(url)) as gateway:
                return await code_of(gateway)

        assert await on(work) == "upstream_unreachable"
    assert not upstream.requests


# --- connections that are used again, or must not be -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "end", "again"),
    [
        pytest.param(OK + LENGTH + b"\r\n" + BODY, "keep", True, id="length"),
        pytest.param(
            OK + b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\nx-trailer: 1\r\n\r\n" % (len(BODY), BODY),
            "keep", True, id="chunks and a trailer",
        ),
        pytest.param(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + OK + LENGTH + b"\r\n" + BODY,
            "keep", True, id="informational heads",
        ),
        pytest.param(OK + LENGTH + b"x-long: " + b"x" * (70 << 10) + b"\r\n\r\n" + BODY, "keep", True, id="long head"),
        pytest.param(OK + LENGTH + b"connection: close\r\n\r\n" + BODY, "keep", False, id="connection: close"),
        pytest.param(OK.replace(b"1.1", b"1.0") + LENGTH + b"\r\n" + BODY, "keep", False, id="HTTP/1.0"),
        pytest.param(OK + b"\r\n" + BODY, "close", False, id="until close"),
        pytest.param(OK + LENGTH + b"\r\n" + BODY + OK + LENGTH + b"\r\n" + BODY, "keep", False, id="two answers"),
    ],
)  # fmt: skip
async def test_a_connection_is_used_again_only_when_it_may_be(upstream, on, raw, end, again):
    upstream.plan(raw=raw, raw_end=end)

    async def work():
        async with hoosh.Gateway(config(upstream.url)) as gateway:
            assert await ask(gateway) == "Hello."
            assert await ask(gateway) == "You said: Say hello"

    await on(work)
    assert [request.connection for request in upstream.requests] == [0, 0 if again else 1]


def of_size(size):
    """An answer of `size` bytes, head included."""
    head = OK + b"content-length: %06d\r\n\r\n"
    length = size - len(head % 0)
    return head % length + BODY.ljust(length)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("size", [16 << 10, 64 << 10, 256 << 10], ids=["a record", "a read", "a delivery"])
async def test_a_second_answer_behind_the_first_is_nobodys(upstream, tls, on, monkeypatch, scheme, size):
    """Not even where a record of TLS, a read, or what asyncio reads at once ends with the first."""
    port, authority, carried = tls
    url = upstream.url if scheme == "http" else f"https://localhost:{port}"
    raw = of_size(size) + OK + LENGTH + b"\r\n" + BODY
    upstream.plan(raw=raw)

    def out():
        return (upstream.requests[0].sent if scheme == "http" else sum(carried)) >= len(raw)

    with authority.cert_pem.tempfile() as file:
        monkeypatch.setenv("SSL_CERT_FILE", file)

        async def work():
            async with hoosh.Gateway(config(url)) as gateway:
                assert await ask(gateway) == "Hello."
                await eventually(out)  # what is still to be written when a connection is taken again, nobody can see
                assert await ask(gateway) == "You said: Say hello"

        await on(work)
    assert [request.connection for request in upstream.requests] == [0, 1]


@pytest.mark.parametrize(
    ("raw", "end", "code"),
    [
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "keep", "upstream_malformed", id="no HTTP"),
        pytest.param(OK + b"x: " + b"x" * (200 << 10), "keep", "upstream_malformed", id="endless head"),
        pytest.param(OK + b"transfer-encoding: chunked\r\n\r\nzz\r\n", "keep", "upstream_malformed", id="no chunk"),
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n", "keep", "upstream_malformed", id="101"),
        pytest.param(OK[:30], "close", "upstream_error", id="cut in the head"),
        pytest.param(OK + LENGTH + b"\r\n" + BODY[:9], "close", "upstream_truncated", id="cut in the body"),
        pytest.param(
            OK + b"transfer-encoding: chunked\r\n\r\n9\r\n" + BODY[:9],
            "reset",
            "upstream_truncated",
            id="cut in a chunk",
        ),
    ],
)
async def test_what_breaks_off_or_is_no_http_is_told_apart(upstream, on, raw, end, code):
    upstream.plan(raw=raw, raw_end=end)

    async def work():
        async with hoosh.Gateway(config(upstream.url)) as gateway:
            return await code_of(gateway)

    assert await on(work) == code
    with trio.fail_after(5):
        await upstream.requests[0].closed.wait()


async def test_a_connection_that_its_upstream_closed_meanwhile_is_not_used(upstream, on):
    upstream.plan(stale="idle")

    async def work():
        async with hoosh.Gateway(config(upstream.url)) as gateway:
            assert await ask(gateway)
            await eventually(lambda: upstream.open == 0)
            assert await ask(gateway)

    await on(work)
    assert [request.connection for request in upstream.requests] == [0, 1]


async def test_a_request_that_a_connection_died_under_is_sent_again_and_charged_once(upstream, on):
    upstream.plan(stale="next")

    async def work():
        async with hoosh.Gateway(config(upstream.url, attempts=2)) as gateway:
            assert await ask(gateway)
            assert await ask(gateway)
            await eventually(lambda: len(gateway.ledger) == 2)
            return gateway.ledger

    first, second = await on(work)
    assert (second["attempts"], second["usage_source"]) == (2, "reported")
    assert second["input_tokens"] == first["input_tokens"]
    assert [request.connection for request in upstream.requests] == [0, 1]


async def test_when_one_connection_proves_stale_the_others_are_not_tried(upstream, on):
    async def work():
        async with hoosh.Gateway(config(upstream.url, attempts=2)) as gateway:
            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    upstream.plan(after_requests=3, stale="next")
                    tasks.start_soon(ask, gateway)
            assert await ask(gateway)
            await eventually(lambda: len(gateway.ledger) == 4)
            return gateway.ledger[-1]["attempts"]

    assert await on(work) == 2
    assert upstream.requests[-1].connection == 3


async def test_idle_connections_are_bounded_in_all(on, monkeypatch):
    monkeypatch.setattr(connections, "KEPT_CONNECTIONS", 3)
    async with open_upstream() as one, open_upstream(host="::1") as two:

        async def work():
            async with hoosh.Gateway(config(one.url, two.url)) as gateway, anyio.create_task_group() as tasks:

                async def each(provider):
                    await gateway.chat(model=f"{provider}/fake-chat", messages=HELLO)

                for _ in range(4):
                    one.plan(after_requests=4)
                    two.plan(after_requests=4)
                    tasks.start_soon(each, 0)
                    tasks.start_soon(each, 1)
                await eventually(lambda: one.connections + two.connections == 8)
                await eventually(lambda: one.open + two.open == 3)

        await on(work)


async def test_idle_connections_are_bounded_in_age(upstream, on, monkeypatch):
    monkeypatch.setattr(connections, "KEPT_S", 0.02)

    async def work():
        async with hoosh.Gateway(config(upstream.url)) as gateway:
            assert await ask(gateway)
            await eventually(lambda: upstream.open == 0)

    await on(work)


# --- leaving -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheme", "messages", "plan"),
    [
        pytest.param("https", HELLO, {"stall": "accept"}, id="in the TLS handshake"),
        pytest.param("http", LONG, {"stall": "accept"}, id="while writing"),
        pytest.param("http", HELLO, {"stall": "head"}, id="before the head"),
        pytest.param("http", HELLO, {"stall": "body", "stall_after": 1}, id="in the body"),
    ],
)
async def test_leaving_closes_the_connection_wherever_it_stands(upstream, on, scheme, messages, plan):
    upstream.plan(**plan)

    async def work():
        async with hoosh.Gateway(config(upstream.url.replace("http", scheme))) as gateway:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask, gateway, messages)
                await eventually(lambda: upstream.requests or upstream.open)
                # Now it waits for ever, soon if not at once.
                await anyio.sleep(0.05)
                assert upstream.open == 1
                tasks.cancel_scope.cancel()
            await eventually(lambda: upstream.open == 0)

    await on(work)


async def test_leaving_a_stream_closes_its_connection(upstream, on):
    upstream.plan(stall="body", stall_after=3)

    async def work():
        async with hoosh.Gateway(config(upstream.url)) as gateway:
            async with gateway.stream(model="fake-chat", messages=HELLO) as chunks:
                await chunks.__anext__()
            await eventually(lambda: upstream.open == 0)
            assert await ask(gateway)

    await on(work)
    assert [request.connection for request in upstream.requests] == [0, 1]


async def test_nothing_waits_for_the_garbage_collector(upstream, on):
    """Places and reservations are free when an exchange is over, however it ended."""

    async def left(gateway, messages, plan):
        upstream.plan(**plan)
        count = len(upstream.requests) + 1
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, gateway, messages)
            await eventually(lambda: len(upstream.requests) == count)
            tasks.cancel_scope.cancel()

    async def work():
        async with hoosh.Gateway(config(upstream.url)) as gateway:
            gc.disable()
            try:
                await gateway.chat(model="fake-chat", messages=HELLO)
                async with gateway.stream(model="fake-chat", messages=HELLO) as chunks:
                    assert len([chunk async for chunk in chunks])
                upstream.plan(stall="body", stall_after=3)
                async with gateway.stream(model="fake-chat", messages=HELLO) as chunks:
                    await chunks.__anext__()
                await left(gateway, HELLO, {"stall": "head"})
                await left(gateway, LONG, {"stall": "head", "early": True})
                upstream.plan(reset_after=0)
                await code_of(gateway)
                await eventually(lambda: len(gateway.ledger) == 6)
                assert gateway._driver.gateway.open_exchanges() == 0
            finally:
                gc.enable()
            return [row["ending"] for row in gateway.ledger]

    assert await on(work) == ["completed"] * 2 + ["dropped"] * 3 + ["refused"]


# --- several event loops -------------------------------------------------------------------------------------------------


async def test_gateways_in_several_threads(upstream):
    def work():
        with hoosh.SyncGateway(config(upstream.url)) as gateway:
            for _ in range(5):
                assert gateway.chat(model="fake-chat", messages=HELLO)["choices"]
            with gateway.stream(model="fake-chat", messages=HELLO) as chunks:
                assert len(list(chunks)) > 3

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(trio.to_thread.run_sync, work)
    assert len(upstream.requests) == 18
