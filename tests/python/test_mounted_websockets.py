"""Websockets of mounted applications, through the port of either listener."""

import json

import pytest
import trio
from tests.python.conftest import provider
from tests.python.mounting import KEYS, mount, records
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)

pytestmark = pytest.mark.usefixtures("told", "soon")


class Websocket:
    """A websocket's caller."""

    def __init__(self, stream, target, headers=()):
        self.stream, self.wire, self.events = stream, WSConnection(ConnectionType.CLIENT), []
        self.first = self.wire.send(Request(host="localhost", target=target, extra_headers=list(headers)))

    async def say(self, event):
        await self.stream.send_all(self.wire.send(event))

    async def hear(self):
        while not self.events:
            with trio.fail_after(10):
                data = await self.stream.receive_some()
            self.wire.receive_data(data or None)
            self.events.extend(self.wire.events())
        return self.events.pop(0)


async def opened(url, target, headers=()):
    stream = await trio.open_tcp_stream("127.0.0.1", int(url.rpartition(":")[2]))
    socket = Websocket(stream, target, headers)
    await stream.send_all(socket.first)
    return socket


KEYED = [(b"authorization", b"Bearer right")]


async def test_a_websocket_is_carried(serving, upstream, told):
    async with serving(KEYS + mount() + provider(upstream)) as (url, app):
        socket = await opened(url, "/tools/ws", KEYED)
        assert isinstance(await socket.hear(), AcceptConnection)
        assert json.loads((await socket.hear()).data)["key"]
        for words in ("one", "x" * 100_000):
            await socket.say(TextMessage(data=words))
            heard = ""
            while len(heard) < len(words):
                heard += (await socket.hear()).data
            assert heard == words
        await socket.say(TextMessage(data="bye"))
        closed = await socket.hear()
        assert isinstance(closed, CloseConnection)
        assert closed.code == 4000
        await socket.stream.send_all(socket.wire.send(closed.response()))
        await socket.stream.aclose()
        row = (await records(app))[0]
        assert (row["status"], row["ending"]) == (101, "completed")


async def test_a_websocket_whose_caller_is_gone_is_over(serving, upstream, told):
    async with serving(mount() + provider(upstream)) as (url, app):
        socket = await opened(url, "/tools/ws")
        await socket.hear()
        await socket.stream.aclose()
        with trio.fail_after(10):
            await told.left.wait()
        await records(app)


async def test_a_websocket_is_refused_as_a_request_is(serving, upstream):
    async with serving(KEYS + mount() + provider(upstream)) as (url, _):
        socket = await opened(url, "/tools/ws")
        refused = await socket.hear()
        assert isinstance(refused, RejectConnection)
        assert refused.status_code == 401
        assert isinstance(body := await socket.hear(), RejectData)
        assert b"invalid_api_key" in body.data
        await socket.stream.aclose()
        socket = await opened(url, "/tools/ws/no", KEYED)
        assert (await socket.hear()).status_code == 403
        await socket.stream.aclose()


async def test_a_websocket_whose_application_fails_is_closed_with_1011(serving, upstream):
    async with serving(mount() + provider(upstream)) as (url, _):
        socket = await opened(url, "/tools/ws")
        assert isinstance(await socket.hear(), AcceptConnection)
        await socket.hear()
        await socket.say(TextMessage(data="raise"))
        closed = await socket.hear()
        assert (type(closed), closed.code) == (CloseConnection, 1011)
        await socket.stream.aclose()
