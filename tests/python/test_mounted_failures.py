"""Mounted applications that fail, end or stall, callers that leave, and the socket between the edge and them."""

import os
import stat
import tempfile
from functools import partial

import httpx2
import pytest
import trio
from tests.python.conftest import edge_serving, provider
from tests.python.mounting import client, mount, mounts_are, none_open, records, until

from hoosh import Config
from hoosh.errors import ConfigError

pytestmark = pytest.mark.usefixtures("told", "soon")


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
