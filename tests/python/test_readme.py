"""The Python in README.md runs, and says what it claims to say; its commands lead a newcomer to an answer."""

import ast
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
from tests.python.conftest import provider
from tests.upstream import open_upstream

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def claims(block: str) -> list[tuple[str, object]]:
    """Expressions whose line ends in a comment that begins with a literal: `count(...)  # 4, offline`."""
    found = re.findall(r"^(\S.*?)  +# (-?\d+|'[^']*'|b'[^']*')", block, re.MULTILINE)
    return [(expression, ast.literal_eval(value)) for expression, value in found]


def run(block):
    names = {}
    exec(compile(block, "README.md", "exec"), names)
    for expression, value in claims(block):
        assert eval(expression, names) == value, expression


@pytest.mark.parametrize("block", BLOCKS)
async def test_a_block_runs_and_keeps_its_claims(block, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("HOOSH_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    async with open_upstream(models=["llama3.2"]) as upstream:
        (tmp_path / "hoosh.toml").write_text(provider(upstream))
        # In a thread, as it has an event loop of its own.
        await trio.to_thread.run_sync(run, block, abandon_on_cancel=True)
    assert capsys.readouterr().out.count("You said: Why is the sky blue?") == block.count("(**ASK)")


def test_there_is_something_to_run():
    assert sum(len(claims(block)) for block in BLOCKS) > 0
    assert sum(block.count("(**ASK)") for block in BLOCKS) > 0


# --- the newcomer's path ----------------------------------------------------------------------------------------

LOCAL_PORTS = {11434: "ollama", 8080: "llamacpp", 1234: "lmstudio", 8000: "vllm"}
PATH = re.search(r"^```sh\n(make build.*?)^```", TEXT, re.MULTILINE | re.DOTALL)[1]
INSTALL, *COMMANDS = [line.partition("   #")[0].strip() for line in PATH.replace("\\\n", "").splitlines()]


@asynccontextmanager
async def local_engine():
    """A fake upstream where a local server would be: on the first default port that is free."""
    for port in LOCAL_PORTS:
        with contextlib.suppress(OSError):
            async with open_upstream(port=port, models=["llama3.2"]) as upstream:
                yield upstream
                return
    pytest.skip("all default ports of local servers are taken")


async def serve(nursery, shell, command):
    """Start the server; returns its process and what it said up to its `Try:` line."""
    start = partial(trio.run_process, shell(command), stderr=subprocess.PIPE, check=False)
    process = await nursery.start(partial(start, **SHELL))
    said = b""
    while b"\nTry: " not in said or not said.endswith(b"\n"):
        said += await process.stderr.receive_some()
        assert process.returncode is None, said.decode()
    return process, said.decode()


SHELL = {"stdin": subprocess.DEVNULL}


async def test_the_newcomers_path(tmp_path, monkeypatch):
    assert INSTALL == "make build && . .venv/bin/activate"
    assert re.search(r"^build:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "hoosh").write_text(f'#!/bin/sh\nexec {sys.executable} -m hoosh "$@"\n')
    (tmp_path / "bin" / "hoosh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    for name in list(os.environ):
        if name.startswith("HOOSH_") or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])

    def shell(command):
        return ["/bin/sh", "-c", command.replace("8088", port)]

    async def run_command(command):
        done = await trio.run_process(shell(command), capture_stdout=True, capture_stderr=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    said = {}
    with trio.fail_after(120):
        async with local_engine() as engine, trio.open_nursery() as nursery:
            server = None
            try:
                for command in COMMANDS:
                    if command.startswith("hoosh serve"):
                        server, said[command] = await serve(nursery, shell, f"exec {command}")
                        # What it says to try works too.
                        said["try"] = await run_command(said[command].rpartition("Try: ")[2])
                    else:
                        said[command] = await run_command(command)
            finally:
                if server is not None and server.returncode is None:
                    server.terminate()
    by_name = {
        command.split()[1] if command.startswith("hoosh") else command.split()[0]: text
        for command, text in said.items()
    }
    assert [*by_name] == ["init", "check", "serve", "try", "curl", "infer", "explain"]
    assert LOCAL_PORTS[engine.port] in by_name["check"]
    assert "has 1 model\n" in by_name["serve"]
    for asked in ("try", "curl"):
        assert json.loads(by_name[asked])["choices"][0]["message"]["content"].startswith("You said: Hi")
    assert by_name["infer"].startswith("You said: Why is the sky blue?")
    assert LOCAL_PORTS[engine.port] in by_name["explain"]
    assert server.returncode == 0
