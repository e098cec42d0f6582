"""Credentials of files and commands, read again while it runs. When that is tested in native/core/tests/exchange/renewals.rs."""

import asyncio
import signal
import sys
import time

import httpx2
import pytest
import trio
from tests.python.conftest import provider
from tests.python.test_server import program
from tests.upstream import open_upstream

import hoosh
from hoosh import _environment
from hoosh._native import Config

pytestmark = pytest.mark.usefixtures("transport")

ASK = {"model": "fake-chat", "messages": [{"role": "user", "content": "hi"}]}
PRINT = "import pathlib, sys; print(pathlib.Path(sys.argv[1]).read_text())"


def source(kind, token):
    """The table of a credential that is in the file `token`."""
    words = ", ".join(f"'''{word}'''" for word in (sys.executable, "-c", PRINT, token))
    return f"{{ command = [{words}]" if kind == "command" else f"{{ file = '''{token}'''"


async def accepted(ask):
    """Ask until it is answered well: the answers before."""
    before = []
    with trio.fail_after(20):
        while (answer := await ask()).status_code != 200:
            before.append(answer)
            await trio.sleep(0.02)
    return before


@pytest.mark.parametrize("kind", ["command", "file"])
async def test_one_that_is_refused_is_read_again_and_the_gateway_recovers(kind, tmp_path):
    token, file, said = tmp_path / "token", tmp_path / "hoosh.toml", b""
    token.write_text("canary-old\n")
    async with open_upstream() as upstream, httpx2.AsyncClient() as http:
        upstream.key = "canary-old"
        file.write_text(f"{provider(upstream)}models = ['fake-chat']\napi_key = {source(kind, token)} }}\n")
        async with program(file, "--port", "0") as (process, port, _):
            url = f"http://127.0.0.1:{port}"

            async def ask():
                return await http.post(f"{url}/v1/chat/completions", json=ASK)

            assert (await ask()).status_code == 200
            token.write_text("canary-new\n")
            upstream.key = "canary-new"
            refused, *rest = await accepted(ask)
            assert (refused.status_code, refused.json()["error"]["code"]) == (502, "upstream_credential_rejected")
            assert all(answer.status_code == 503 for answer in rest)
            health = (await http.get(f"{url}/v1/health/providers")).text
            assert '"credential_rejected"' not in health
            process.send_signal(signal.SIGTERM)
            with trio.fail_after(20):
                while more := await process.stderr.receive_some():
                    said += more
    assert b"Credential 1 of provider one was renewed." in said
    seen = said + health.encode() + b"".join(answer.content for answer in [refused, *rest])
    assert b"canary" not in seen


async def test_one_is_read_as_often_as_it_says(tmp_path):
    token = tmp_path / "token"
    token.write_text("canary-old")
    async with open_upstream() as upstream:
        text = f"{provider(upstream)}models = ['fake-chat']\napi_key = {source('file', token)}, refresh_secs = 1 }}\n"
        async with hoosh.Gateway(_environment.parse(text)) as gateway:
            await gateway.chat(**ASK)
            token.write_text("canary-new")
            with trio.fail_after(20):
                while upstream.requests[-1].header("authorization") != "Bearer canary-new":
                    await trio.sleep(0.05)
                    await gateway.chat(**ASK)
    assert {request.header("authorization") for request in upstream.requests} == {
        "Bearer canary-old",
        "Bearer canary-new",
    }


async def test_one_that_cannot_be_read_is_kept_and_said_to_be_without_its_text(tmp_path):
    token, log = tmp_path / "token", tmp_path / "log"
    token.write_text("canary-old")
    async with open_upstream() as upstream:
        upstream.key = "canary-old"
        text = (
            f"{provider(upstream)}models = ['fake-chat']\napi_key = {source('command', token)}, refresh_secs = 1 }}\n"
        )
        async with hoosh.Gateway(_environment.parse(f"{text}[log]\nfile = '''{log}'''\n")) as gateway:
            token.write_text("two canary-words")

            async def logged(words):
                with trio.fail_after(20):
                    while not log.exists() or words not in log.read_text():
                        await trio.sleep(0.05)

            await logged("visible ASCII")
            token.unlink()
            await logged("ended with 1")
            assert (await gateway.chat(**ASK))["choices"]
    assert "Credential 1 of provider one could not be read again" in log.read_text()
    assert "canary" not in log.read_text()


@pytest.mark.parametrize("driver", ["thread", "asyncio"])
def test_other_drivers_read_too(driver, tmp_path):
    token, log = tmp_path / "token", tmp_path / "log"
    token.write_text("canary-old")
    text = f"[[providers]]\ntype = 'ollama'\nmodels = ['m']\napi_key = {source('file', token)}, refresh_secs = 1 }}\n"
    config = _environment.parse(f"{text}[log]\nfile = '''{log}'''\n")

    def renewed():
        return log.exists() and "was renewed" in log.read_text()

    async def wait():
        async with hoosh.Gateway(config):
            token.write_text("canary-new")
            while not renewed():
                await asyncio.sleep(0.05)

    if driver == "asyncio":
        asyncio.run(asyncio.wait_for(wait(), 20))
    else:
        end = time.monotonic() + 20
        with hoosh.SyncGateway(config):
            token.write_text("canary-new")
            while not renewed():
                assert time.monotonic() < end
                time.sleep(0.05)


def test_check_shows_that_it_is_read_again_and_nothing_of_it(tmp_path):
    token = tmp_path / "token"
    token.write_text("canary-old")
    text = f"[[providers]]\ntype = 'openai'\napi_keys = [{source('command', token)} }}, {{ file = 'b', refresh_secs = 9 }}]"
    said = {"command": "canary-old", "file": "canary-two"}
    described = Config.parse(text, {}, lambda kind, words: said[kind]).describe()
    assert "# key 1: of a command, read again when it is refused\n" in described
    assert "# key 2: of a file; refresh_secs = 9\n" in described
    assert "canary" not in described
    assert str(token) not in described
