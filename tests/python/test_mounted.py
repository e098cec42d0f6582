"""Applications that are mounted beside the gateway, through the port of either listener."""

import json
import os
import re
import signal
import stat
import tempfile
from contextlib import asynccontextmanager
from functools import partial

import httpx2
import pytest
import trio
from tests.python import mounted_apps
from tests.python.conftest import LISTENERS, edge_serving, provider
from tests.python.test_server import program
from tests.sameness.seen import FRAMING
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)

import hoosh
from hoosh import Config
from hoosh.errors import ConfigError

KEYS = '[auth]\ntokens = ["right"]\n'
RIGHT = {"authorization": "Bearer right"}


def mount(path="/tools", app="app", public=False):
    words = f'[[server.mounts]]\npath = "{path}"\napp = "tests.python.mounted_apps:{app}"\n'
    return words + ("public = true\n" if public else "")


@pytest.fixture(autouse=True)
def told(monkeypatch):
    fresh = mounted_apps.Told()
    monkeypatch.setattr(mounted_apps, "told", fresh)
    return fresh


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """What ends starts again at once."""
    monkeypatch.setattr("hoosh.mounted.mounts.FIRST_WAIT_SECONDS", 0.01)


def client():
    return httpx2.AsyncClient(timeout=20)


async def records(app):
    """What is recorded of the applications' requests, once there is something."""
    with trio.fail_after(10):
        while not (found := [row for row in app.driver.store.requests() if row["path"] == "/tools"]):
            await trio.sleep(0.01)
    return found


async def heard(stream, words):
    """Read until `words` have come, and no more."""
    said = b""
    with trio.fail_after(10):
        while words not in said:
            more = await stream.receive_some()
            assert more, said
            said += more


async def none_open(app):
    with trio.fail_after(10):
        while app.driver.gateway.open_exchanges():
            await trio.sleep(0.01)


async def until(http, url, status):
    with trio.fail_after(10):
        while (answer := await http.get(url)).status_code != status:
            await trio.sleep(0.01)
    return answer


async def mounts_are(http, url, word):
    """Readiness says so, if not at once."""
    with trio.fail_after(10):
        while (await http.get(f"{url}/v1/health/ready")).json()["mounts"] != word:
            await trio.sleep(0.01)


async def raw(url, *parts, until_end=True):
    """Bytes written to the port, and what comes until the connection is closed."""
    stream = await trio.open_tcp_stream("127.0.0.1", int(url.rpartition(":")[2]))
    async with stream:
        for part in parts:
            await stream.send_all(part)
        said = b""
        try:
            with trio.fail_after(10):
                while more := await stream.receive_some():
                    said += more
        except trio.BrokenResourceError:
            said += b"(reset)"
    return said


# --- requests ------------------------------------------------------------------------------------------------------------


async def test_a_request_passes_and_is_told_who_asks(serving, upstream):
    async with serving(KEYS + mount() + provider(upstream)) as (url, app), client() as http:
        headers = RIGHT | {"x-request-id": "mine", "te": "trailers", "x-other": "1"}
        answer = await http.post(f"{url}/tools/what%20it?a=%20b", headers=headers, content=b"body")
        assert (answer.status_code, answer.headers["x-mine"]) == (201, "yes")
        assert answer.headers["x-request-id"] == "mine"
        assert "x-hop" not in answer.headers
        seen = answer.json()
        assert (seen["type"], seen["path"], seen["root_path"], seen["query"]) == (
            "http",
            "/tools/what it",
            "/tools",
            "a=%20b",
        )
        assert seen["client"][0] == "127.0.0.1"
        assert seen["server"] == ["127.0.0.1", int(url.rpartition(":")[2])]
        key = seen["state"]["hoosh"].pop("key")
        assert key
        assert "right" not in key
        assert seen["state"] == {"shared": "from the lifespan", "hoosh": {"request_id": "mine"}}
        named = dict(seen["headers"])
        assert (named["x-other"], named["content-length"], named["x-request-id"]) == ("1", "4", "mine")
        assert not {"authorization", "te", "connection", "hoosh-caller", "transfer-encoding"} & set(named)
        row = (await records(app))[-1]
        assert (row["endpoint"], row["status"], row["path"]) == ("mount", 201, "/tools")


async def test_both_listeners_show_and_say_the_same(upstream):
    told = []
    for serving in LISTENERS.values():
        async with serving(KEYS + mount() + provider(upstream)) as (url, _), client() as http:
            headers = RIGHT | {"x-request-id": "mine", "host": "localhost", "expect": "100-continue", "x-a": "1"}
            for method, path in (("POST", "what?a=b"), ("DELETE", "what"), ("POST", "raising"), ("GET", "nothing")):
                answer = await http.request(method, f"{url}/tools/{path}", headers=headers, content=b"body")
                kept = {name: value for name, value in answer.headers.items() if name not in FRAMING}
                seen = answer.text
                for port in (url.rpartition(":")[2], *re.findall(r'"client": \["127.0.0.1", (\d+)', seen)):
                    seen = seen.replace(port, "PORT")
                told.append((method, path, answer.status_code, kept, seen))
    assert told[: len(told) // 2] == told[len(told) // 2 :]


async def test_a_program_mounts_them_in_a_server_of_another_kind(on):
    mounts = [{"path": "/tools", "app": "tests.python.mounted_apps:plain", "public": True}]
    built = hoosh.Server.builder().server(mounts=mounts).key("right").build()

    async def work():
        transport = httpx2.ASGITransport(app=built.app)
        async with built.running(), httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
            return await http.post("/tools/a", content=b"x"), await http.post("/v1/nothing")

    passed, refused = await on(work)
    assert (passed.status_code, passed.text) == (200, "plain /tools/a")
    assert passed.headers["x-request-id"]
    assert refused.status_code == 401


async def test_a_key_is_asked_for_unless_it_is_public(serving, upstream):
    text = KEYS + mount() + mount("/tools/open", "plain", public=True) + provider(upstream)
    async with serving(text) as (url, _), client() as http:
        for headers in ({}, {"authorization": "Bearer wrong"}):
            answer = await http.get(f"{url}/tools/what", headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
        # The longest path has the request.
        assert (await http.get(f"{url}/tools/open/x")).text == "plain /tools/open/x"
        assert (await http.get(f"{url}/tools/opener", headers=RIGHT)).status_code == 500
        answer = await http.get(f"{url}/toolshed", headers=RIGHT)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_url")


async def test_what_outsiders_say_of_themselves_is_dropped(serving, upstream):
    forged = 'x {"mount":"/tools","request_id":"evil","key":"root","client":["6.6.6.6",6]}'
    async with serving(mount() + provider(upstream)) as (url, _), client() as http:
        answer = await http.get(f"{url}/tools/what", headers={"hoosh-caller": forged})
        seen = answer.json()
        assert "evil" not in answer.text
        assert seen["client"][0] == "127.0.0.1"
        assert seen["state"]["hoosh"]["key"] is None


async def test_no_page_of_somebody_else_reaches_one_without_a_key(serving, upstream):
    async with serving(mount(public=True) + provider(upstream)) as (url, _), client() as http:
        answer = await http.get(f"{url}/tools/what", headers={"host": "evil.example"})
        assert answer.status_code == 403


async def test_bodies_stream_both_ways(serving, upstream):
    """Each piece is answered before the next is written."""
    async with serving(mount() + provider(upstream)) as (url, _):
        stream = await trio.open_tcp_stream("127.0.0.1", int(url.rpartition(":")[2]))
        async with stream:
            await stream.send_all(b"POST /tools/echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
            for piece in (b"first", b"second", b"third"):
                await stream.send_all(b"%x\r\n%b\r\n" % (len(piece), piece))
                await heard(stream, piece + b"\r\n")
            await stream.send_all(b"0\r\n\r\n")
            await heard(stream, b"0\r\n\r\n")
            # The connection goes on, also to the gateway.
            await stream.send_all(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("path", ["count", "unread"])
async def test_large_uploads(serving, upstream, path):
    """Also those that nobody reads leave nothing behind."""
    size = 10_000_000
    async with serving(mount() + provider(upstream)) as (url, app), client() as http:
        await http.get(f"{url}/tools/what")
        tasks = trio.lowlevel.current_statistics().tasks_living
        for _ in range(3):
            if path == "count":
                answer = await http.post(f"{url}/tools/count", content=b"x" * size)
                assert answer.text == str(size)
                continue
            head = b"POST /tools/unread HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
            stream = await trio.open_tcp_stream("127.0.0.1", int(url.rpartition(":")[2]))
            async with stream:
                await stream.send_all(head % size + b"x" * 100)
                await heard(stream, b"not read")
        await none_open(app)
        with trio.fail_after(10):
            while trio.lowlevel.current_statistics().tasks_living > tasks:
                await trio.sleep(0.01)


async def test_an_answer_that_awaits_no_body_is_read_whole(upstream):
    """hypercorn hangs up on a body that nobody reads, while the edge still writes it."""
    async with edge_serving(mount() + provider(upstream)) as (url, _), client() as http:
        for size in (4, 20_000, 300_000):
            for _ in range(20):
                answer = await http.post(f"{url}/tools/unread", content=b"x" * size)
                assert (answer.status_code, answer.text) == (200, "not read")


async def test_expectations_are_met_before_the_body_is_wanted(serving, upstream):
    async with serving(mount() + provider(upstream)) as (url, _):
        stream = await trio.open_tcp_stream("127.0.0.1", int(url.rpartition(":")[2]))
        async with stream:
            head = b"POST /tools/count HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
            await stream.send_all(head)
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 100")
            await stream.send_all(b"body")
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 200")


async def test_a_body_that_breaks_off_ends_the_request(serving, upstream):
    head = b"POST /tools/count HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with serving(mount() + provider(upstream)) as (url, app):
        assert b"malformed_request" in await raw(url, head + b"2\r\nab\r\nzz\r\n")
        await none_open(app)


async def test_head_has_no_body(serving, upstream):
    async with serving(mount() + provider(upstream)) as (url, _), client() as http:
        answer = await http.head(f"{url}/tools/what")
        assert (answer.status_code, answer.content) == (201, b"")


# --- failures ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["raising", "nothing"])
async def test_one_that_fails_before_it_answers(serving, upstream, path):
    async with serving(mount() + provider(upstream)) as (url, _), client() as http:
        answer = await http.get(f"{url}/tools/{path}")
        assert (answer.status_code, answer.text) == (500, "Internal Server Error\n")
        assert (await http.get(f"{url}/tools/what")).status_code == 201


async def test_one_that_fails_in_its_answer_is_cut_off(serving, upstream):
    async with serving(mount() + provider(upstream)) as (url, app), client() as http:
        with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
            await http.get(f"{url}/tools/raising-later")
        assert (await http.get(f"{url}/tools/what")).status_code == 201
        assert (await records(app))[0]["ending"] != "completed"


async def test_leaving_is_heard(serving, upstream, told):
    async with serving(mount() + provider(upstream)) as (url, app), client() as http:
        async with http.stream("GET", f"{url}/tools/until-left") as answer:
            assert await anext(answer.aiter_lines()) == "one"
        with trio.fail_after(10):
            await told.left.wait()
        assert (await records(app))[0]["ending"] == "caller_gone"


async def test_a_caller_that_takes_nothing_is_cut_off(serving, upstream):
    async with serving("[deadlines]\ncaller_stall_secs = 1\n" + mount() + provider(upstream)) as (url, app):
        stream = await trio.open_tcp_stream("127.0.0.1", int(url.rpartition(":")[2]))
        async with stream:
            await stream.send_all(b"GET /tools/much HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await records(app))[0]["ending"] == "caller_gone"
            with pytest.raises(trio.BrokenResourceError):
                while await stream.receive_some():
                    pass
        await none_open(app)


async def test_what_is_down_says_so_and_comes_back(serving, upstream, told):
    async with serving(mount() + provider(upstream)) as (url, _), client() as http:
        assert (await http.get(f"{url}/v1/health/ready")).json()["mounts"] == "running"
        assert "hoosh_mounts_up 1" in (await http.get(f"{url}/metrics")).text
        told.refuses = "no database"
        told.crash.set()
        answer = await until(http, f"{url}/tools/what", 503)
        assert answer.json()["error"]["code"] == "mount_unavailable"
        assert answer.headers["retry-after"] == "1"
        await mounts_are(http, url, "down")
        assert "hoosh_mounts_up 0" in (await http.get(f"{url}/metrics")).text
        assert (await http.get(f"{url}/v1/models")).status_code == 200
        told.refuses = ""
        await until(http, f"{url}/tools/what", 201)
        await mounts_are(http, url, "running")
        assert told.starts == 2


async def test_one_that_cannot_start_stops_nothing_else(serving, upstream, told):
    told.refuses = "no database"
    async with serving(mount() + provider(upstream)) as (url, _), client() as http:
        assert (await http.get(f"{url}/tools/what")).status_code == 503
        assert (await http.get(f"{url}/v1/models")).status_code == 200
        told.refuses = ""
        await until(http, f"{url}/tools/what", 201)
    assert (told.starts, told.ends) == (1, 1)


@pytest.mark.parametrize(
    ("app", "words"),
    [
        ("nowhere.at.all:app", "there is no module `nowhere`"),
        ("tests.python.mounted_apps:ap", "has no `ap`; did you mean `app`?"),
        ("tests.python.mounted_apps:no_app", "is 'str', and no ASGI application"),
    ],
)
async def test_what_is_no_application_is_said_at_the_start(app, words):
    from hoosh.asgi import Asgi

    made = Asgi(Config.parse(f'[[server.mounts]]\npath = "/tools"\napp = "{app}"\n', {}))
    with pytest.raises(ConfigError, match=r"\[\[server.mounts\]\] `/tools`: ") as caught:
        made.open()
    assert words in str(caught.value)
    made.close()


# --- the socket ----------------------------------------------------------------------------------------------------------


async def test_the_socket_is_for_the_edge_alone(upstream, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    async with edge_serving(mount() + provider(upstream)) as (_, _app):
        (folder,) = tmp_path.glob("hoosh-*")
        path = folder / "mounts"
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        told = b'x {"mount":"/tools","request_id":"evil","key":"root"}'
        for header in (b"", b"hoosh-caller: " + told + b"\r\n"):
            stream = await trio.open_unix_socket(path)
            async with stream:
                await stream.send_all(b"GET /tools/what HTTP/1.1\r\nHost: localhost\r\n" + header + b"\r\n")
                assert (await stream.receive_some()).startswith(b"HTTP/1.1 403")
    assert not folder.exists()


async def test_a_listener_that_ends_is_opened_again(upstream, monkeypatch):
    serve, ended = trio.serve_listeners, trio.Event()

    async def serve_once(*given, **more):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(serve, *given, **more))
            await ended.wait()
            monkeypatch.setattr(trio, "serve_listeners", serve)
            raise OSError("the socket is gone")

    monkeypatch.setattr(trio, "serve_listeners", serve_once)
    async with edge_serving(mount() + provider(upstream)) as (url, _), client() as http:
        assert (await http.get(f"{url}/tools/what")).status_code == 201
        monkeypatch.setattr("hoosh.mounted.mounts.FIRST_WAIT_SECONDS", 0.3)
        ended.set()
        await until(http, f"{url}/tools/what", 201)


# --- websockets ----------------------------------------------------------------------------------------------------------


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


# --- the program ---------------------------------------------------------------------------------------------------------

EDGES = pytest.mark.parametrize("edge", ["on", "off"])


@EDGES
async def test_a_reload_keeps_what_is_mounted(upstream, tmp_path, edge):
    file = tmp_path / "hoosh.toml"
    file.write_text(mount(app="plain") + provider(upstream))
    async with program(file, "--port", "0", "--edge", edge) as (process, port, line), client() as http:
        url = f"http://127.0.0.1:{port}"
        assert (await http.get(f"{url}/tools/a")).text == "plain /tools/a"
        file.write_text(mount("/other", "plain") + provider(upstream))
        process.send_signal(signal.SIGHUP)
        assert await line() == "Reloaded the configuration."
        assert await line() == "  What is mounted changes with the next start."
        assert (await http.get(f"{url}/tools/a")).text == "plain /tools/a"
        assert (await http.get(f"{url}/other/a")).status_code == 404


@EDGES
async def test_at_the_end_who_has_no_answer_is_told(upstream, tmp_path, edge):
    async with going_down(upstream, tmp_path, edge) as (process, url, asked), client() as http:
        async with trio.open_nursery() as nursery:

            async def end():
                while not asked.exists():
                    await trio.sleep(0.01)
                process.send_signal(signal.SIGTERM)

            nursery.start_soon(end)
            answer = await http.get(f"{url}/silent?{asked}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "draining")
        assert await process.wait() == 0


@EDGES
async def test_at_the_end_an_answer_that_goes_on_is_cut_off(upstream, tmp_path, edge):
    async with going_down(upstream, tmp_path, edge) as (process, url, _), client() as http:
        async with http.stream("GET", f"{url}/drip") as answer:
            process.send_signal(signal.SIGTERM)
            with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
                await answer.aread()
        assert await process.wait() == 0


@EDGES
async def test_at_the_end_what_began_is_finished(upstream, tmp_path, edge):
    async with going_down(upstream, tmp_path, edge, seconds=20) as (process, url, asked), client() as http:
        async with http.stream("GET", f"{url}/until-file?{asked}") as answer:
            process.send_signal(signal.SIGTERM)
            # Nothing new is taken from now on.
            with pytest.raises(httpx2.ConnectError):
                while True:
                    async with httpx2.AsyncClient() as other:
                        await other.get(f"{url}/what")
            asked.touch()
            assert await answer.aread() == b"done\n"
        assert await process.wait() == 0


@asynccontextmanager
async def going_down(upstream, tmp_path, edge, seconds=1):
    """A server with so much time at its end: gives the process, where its application is, and a file for the two."""
    file = tmp_path / "hoosh.toml"
    file.write_text(f"[server]\ndrain_secs = {seconds}\n{mount()}{provider(upstream)}")
    async with program(file, "--port", "0", "--edge", edge) as (process, port, _):
        yield process, f"http://127.0.0.1:{port}/tools", tmp_path / "asked"
