"""The wire guard over real sockets of both listeners: refusals in the caller's shape, in their turn, and nothing else changed."""

import json
import socket

import pytest
import trio
from tests.python.conftest import provider

import hoosh.embedded
import hoosh.wire
from hoosh._driver.connections import RESET

HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHAT = b'{"model":"fake-chat","messages":[{"role":"user","content":"hi"}]}'
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MODELS = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


async def talk(url, *parts, pause=0.0, eof=False):
    """Write the parts, and that there is no more (`eof`), then read to the end, which must come."""
    stream = await trio.open_tcp_stream("127.0.0.1", int(url.rpartition(":")[2]))
    got = b""
    with trio.fail_after(10):
        async with stream, trio.open_nursery() as nursery:

            async def write():
                try:
                    for part in parts:
                        await stream.send_all(part)
                        await trio.sleep(pause)
                    if eof:
                        await stream.send_eof()
                except trio.BrokenResourceError:
                    pass  # refused, and the rest is not wanted

            nursery.start_soon(write)
            async for data in stream:
                got += data
    return answers(got)


def answers(got):
    """(status, headers, body) of each answer; all of hoosh's short answers have a length."""
    found = []
    while got:
        head, _, got = got.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        size = int(headers.get("content-length", 0))
        found.append((int(first.split()[1]), headers, got[:size]))
        got = got[size:]
    return found


def refused(answer, status, code):
    assert (answer[0], json.loads(answer[2])["error"]["code"]) == (status, code)
    assert answer[1]["connection"] == "close"
    assert answer[1]["x-request-id"]


HEADS = {
    "bare_lf": (b"GET /v1/models HTTP/1.1\nHost: a\n\n", 400, "malformed_request"),
    "folded": (b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nB: c\r\n d\r\n\r\n", 400, "malformed_request"),
    "space_before_colon": (b"GET /v1/models HTTP/1.1\r\nHost : a\r\n\r\n", 400, "malformed_request"),
    "nul": (b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nB: \0\r\n\r\n", 400, "malformed_request"),
    "no_host": (b"GET /v1/models HTTP/1.1\r\n\r\n", 400, "malformed_request"),
    "bad_host": (b"GET /v1/models HTTP/1.1\r\nHost: a/..\\@b?x#\r\n\r\n", 400, "malformed_request"),
    "absolute": (b"GET http://b/v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "malformed_request"),
    "lengths": (HEAD + b"Content-Length: 4, 4\r\n\r\n{}  ", 400, "malformed_request"),
    "both": (HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "malformed_request"),
    "coding": (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, "unsupported_transfer_coding"),
    "old_coding": (HEAD.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n", 400, "malformed_request"),
    "h2c": (MODELS[:-2] + b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", 400, "malformed_request"),
    "http2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), 505, "http_version_not_supported"),
    "long": (MODELS[:-2] + b"A: " + b"b" * 70_000 + b"\r\n\r\n", 431, "headers_too_large"),
    "many": (MODELS[:-2] + b"A: b\r\n" * 101 + b"\r\n", 431, "headers_too_large"),
    "expect": (MODELS[:-2] + b"Expect: wonders\r\n\r\n", 417, "expectation_failed"),
    "tls": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "malformed_request"),
}


@pytest.mark.parametrize(("sent", "status", "code"), HEADS.values(), ids=HEADS)
async def test_heads_are_refused_in_the_callers_shape(serving, upstream, sent, status, code):
    async with serving(provider(upstream)) as (url, _):
        (answer,) = await talk(url, sent)
        refused(answer, status, code)
        first, second = await talk(url, MODELS + sent)
        assert first[0] == 200
        refused(second, status, code)


@pytest.mark.parametrize(
    "body",
    [b"+2\r\n{}\r\n", b"2\r\n{}0\r\n\r\n", b"2\n{}\n0\n\n", b"2;\0\r\n{}", b"0\r\nA : b\r\n\r\n"],
    ids=["plus", "no_crlf", "bare_lf", "extension", "trailer"],
)
async def test_chunks_are_refused_in_the_callers_shape(serving, upstream, body):
    async with serving(provider(upstream)) as (url, app):
        refused((await talk(url, CHUNKED + body))[0], 400, "malformed_request")
        first, second = await talk(url, MODELS + CHUNKED + body)
        assert first[0] == 200
        refused(second, 400, "malformed_request")
        assert not upstream.requests or upstream.requests[-1].path != "/v1/chat/completions"
        with trio.fail_after(5):
            while app.driver.gateway.open_exchanges():
                await trio.sleep(0.01)


async def test_a_slow_head_is_refused(serving, upstream, monkeypatch):
    monkeypatch.setattr(hoosh.wire, "HEAD_SECONDS", 0.2)
    async with serving(provider(upstream)) as (url, _):
        (answer,) = await talk(url, MODELS[:20])
        refused(answer, 408, "request_timeout")


async def test_pipelining_and_any_split_are_served(serving, upstream):
    chat = HEAD + b"Content-Length: %d\r\n\r\n" % len(CHAT) + CHAT
    chunks = CHUNKED + b"%x ;a=b\r\n%b\r\n0\r\nSum: 1\r\n\r\n" % (len(CHAT), CHAT)
    every = b"\r\n" + MODELS + chat + chunks + LAST
    async with serving(provider(upstream)) as (url, _):
        assert [answer[0] for answer in await talk(url, every)] == [200, 200, 200, 200]
        assert [answer[0] for answer in await talk(url, *[every[at : at + 1] for at in range(len(every))])] == [200] * 4
        assert [request.body for request in upstream.requests if request.method == "POST"] == [CHAT] * 4


@pytest.mark.parametrize("pause", [0.0, 0.1], ids=["at once", "later"])
async def test_what_follows_the_last_request_is_not_read(serving, upstream, pause):
    chat = HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(CHAT) + CHAT
    async with serving(provider(upstream) + 'models = ["fake-chat"]\n') as (url, _):
        for more in (MODELS, b"\r\n", b"nonsense\n"):
            upstream.plan(delay_ms=200)
            parts = [chat, more] if pause else [chat + more]
            ((status, _, body),) = await talk(url, *parts, pause=pause)
            assert (status, json.loads(body)["object"]) == (200, "chat.completion")


@pytest.mark.parametrize(
    "cut",
    [HEAD + b"Content-Length: 999\r\n\r\n" + CHAT, CHUNKED, CHUNKED + b"9\r\n{", CHUNKED + b"2\r\n{}\r\n0\r\n"],
    ids=["length", "no chunk", "in a chunk", "no end"],
)
async def test_a_body_that_is_cut_off_is_refused_in_the_callers_shape(serving, upstream, cut):
    async with serving(provider(upstream)) as (url, app):
        first, second = await talk(url, MODELS + cut, eof=True)
        assert first[0] == 200
        refused(second, 400, "incomplete_body")
        with trio.fail_after(5):
            while app.driver.gateway.open_exchanges():
                await trio.sleep(0.01)
    assert "/v1/chat/completions" not in {request.path for request in upstream.requests}


EXPECT = b"Expect: 100-continue\r\nConnection: close\r\n"
CONTINUED = {
    "good": (HEAD, b"", [100, 200]),
    "no_key": (HEAD, b"", [401]),
    "unknown_path": (HEAD.replace(b"/chat/", b"/cat/"), b"", [404]),
    "wrong_type": (HEAD.replace(b"/json", b"/xml"), b"", [415]),
    "too_large": (HEAD, b"Content-Length: 99999999\r\n", [413]),
    "old": (HEAD.replace(b"HTTP/1.1", b"HTTP/1.0"), b"", [200]),
}


@pytest.mark.parametrize(("head", "length", "statuses"), CONTINUED.values(), ids=CONTINUED)
async def test_only_a_body_that_is_wanted_is_awaited_with_continue(serving, upstream, head, length, statuses):
    length = length or b"Content-Length: %d\r\n" % len(CHAT)
    key = b"" if statuses == [401] else b"Authorization: Bearer right\r\n"
    async with serving('[auth]\ntokens = ["right"]\n' + provider(upstream)) as (url, _):
        # Refused at its head, it is answered without its body.
        body = [CHAT] if 200 in statuses else []
        found = await talk(url, head + key + EXPECT + length + b"\r\n", *body, pause=0.1)
        assert [answer[0] for answer in found] == statuses


async def test_no_header_of_a_callers_own_stands_for_an_expectation(serving, upstream):
    own = HEAD + b"Hoosh-Expect: 100-continue\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(CHAT)
    async with serving(provider(upstream)) as (url, _):
        assert [answer[0] for answer in await talk(url, own, CHAT, pause=0.1)] == [200]


async def test_a_websocket_handshake_is_a_request_like_any_other(serving, upstream):
    key = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
    ask = b"Upgrade: websocket\r\nConnection: upgrade\r\n" + key
    async with serving(provider(upstream)) as (url, _):
        unknown = MODELS.replace(b"/models", b"/realtime")
        first, second, third = await talk(url, MODELS[:-2] + ask + unknown[:-2] + ask + LAST)
        assert (first[0], third[0]) == (200, 200)
        assert (second[0], json.loads(second[2])["error"]["code"]) == (404, "unknown_url")


@pytest.mark.parametrize("how", ["end", "reset"])
@pytest.mark.parametrize("asked", [b"", MODELS, MODELS + MODELS[:20]], ids=["nothing", "a request", "half a head"])
async def test_a_connection_whose_peer_is_gone_is_closed_at_once(serving, upstream, monkeypatch, asked, how):
    wires = []

    class Seen(hoosh.wire.GuardedStream):
        def __init__(self, *given):
            super().__init__(*given)
            wires.append(self)

    monkeypatch.setattr(hoosh.embedded, "GuardedStream", Seen)
    async with serving(provider(upstream)) as (url, app):
        with trio.fail_after(10):
            stream = await trio.open_tcp_stream("127.0.0.1", int(url.rpartition(":")[2]))
            if asked:
                await stream.send_all(asked)
                assert (await stream.receive_some()).startswith(b"HTTP/1.1 200")
            while app.driver.edge is not None and not app.driver.edge.connections:
                await trio.sleep(0.01)
            if how == "reset":
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            await stream.aclose()
            if app.driver.edge is not None:
                while app.driver.edge.connections:
                    await trio.sleep(0.01)
            else:
                while not wires or wires[0].socket.fileno() >= 0:
                    await trio.sleep(0.01)


async def test_who_asks_and_ends_is_answered_in_turn_and_left(serving, upstream):
    async with serving(provider(upstream)) as (url, _):
        assert [answer[0] for answer in await talk(url, MODELS + MODELS + b"nonsense\r\n\r\n", eof=True)] == [
            200,
            200,
            400,
        ]
        assert await talk(url, eof=True) == []
