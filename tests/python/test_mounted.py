"""Applications that are mounted beside the gateway, through the port of either listener: what passes."""

import re

import httpx2
import pytest
import trio
from tests.python.conftest import LISTENERS, edge_serving, provider
from tests.python.mounting import KEYS, RIGHT, client, heard, mount, none_open, raw, records
from tests.sameness.seen import FRAMING

import hoosh

pytestmark = pytest.mark.usefixtures("told", "soon")


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
