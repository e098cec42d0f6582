"""Each block of Python in docs/python.md runs, in front of a fake upstream."""

import re
from pathlib import Path

import httpx2
import pytest
import trio
from tests.python.conftest import provider
from tests.upstream import open_upstream

TEXT = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^## (\w+)\n(?:(?!^## ).)*?^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL))
ASK = {"model": "llama3.2", "messages": [{"role": "user", "content": "What colour is it?"}]}


@pytest.fixture
async def upstream():
    async with open_upstream(models=["llama3.2"]) as upstream:
        yield upstream


def run(name, upstream):
    """The names of a block, whose addresses are the fake's."""
    code = BLOCKS[name].replace("http://127.0.0.1:9000", upstream.url)
    code = code.replace('type="ollama"', f'type="ollama", base_url="{upstream.url}"')
    names = {}
    exec(compile(code, f"docs/python.md: {name}", "exec"), names)
    return names


def test_each_block_has_a_test():
    assert list(BLOCKS) == ["Ask", "Build", "Mount", "Providers"]
    assert TEXT.count("```python") == len(BLOCKS)


async def test_ask(upstream, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hoosh.toml").write_text(provider(upstream))
    await trio.to_thread.run_sync(run, "Ask", upstream)
    assert capsys.readouterr().out == "You said: Why is the sky blue?\n" + "You said: Why is the sky blue?"


async def test_build(upstream):
    server = run("Build", upstream)["server"]
    assert server.config.warnings == []
    transport = httpx2.ASGITransport(server.app)
    headers = {"authorization": "Bearer key-of-the-team"}
    async with server.running(), httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
        assert (await http.post("/v1/chat/completions", json=ASK, headers=headers)).status_code == 200
        assert (await http.post("/v1/chat/completions", json=ASK)).status_code == 401


async def test_mount(upstream):
    names = run("Mount", upstream)
    transport = httpx2.ASGITransport(names["host"])
    async with (
        names["lifespan"](names["host"]),
        httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http,
    ):
        assert (await http.post("/ai/v1/chat/completions", json=ASK)).status_code == 200
        assert (await http.get("/why")).json()["choices"][0]["message"]["content"] == "You said: Why is the sky blue?"


async def test_providers(upstream):
    server = run("Providers", upstream)["server"]
    transport = httpx2.ASGITransport(server.app)
    async with server.running(), httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
        answer = await http.post("/v1/chat/completions", json=ASK)
        assert answer.json()["choices"][0]["message"]["content"] == "You said: What color is it?"
        messages = [{"role": "user", "content": "my password"}]
        answer = await http.post("/v1/chat/completions", json={**ASK, "messages": messages})
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, "messages")
    (asked,) = upstream.requests
    assert asked.header("authorization") == "Bearer fetched-from-somewhere"
    assert asked.header("x-team") == "blue"
