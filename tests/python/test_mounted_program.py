"""Applications that are mounted in `hoosh serve`: over reloads, and at its end."""

import signal
from contextlib import asynccontextmanager

import httpx2
import pytest
import trio
from tests.python.conftest import provider
from tests.python.mounting import client, mount
from tests.python.test_server import program

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
