"""The worked example of docs/engines.md: its files as they stand there, run by its commands."""

import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import openai
import pytest
import trio
from tests.python.conftest import serving

TEXT = (Path(__file__).parents[2] / "docs" / "engines.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(python|toml|sh)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
(_, ENGINE), (_, CONFIG), (_, COMMANDS), (_, TESTS), (_, PROGRAM), (_, ENTRY) = BLOCKS
MESSAGES = [{"role": "user", "content": "Beautiful is"}]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The files of the example, in the working directory."""
    (tmp_path / "my_models.py").write_text(ENGINE)
    (tmp_path / "hoosh.toml").write_text(CONFIG)
    (tmp_path / "test_my_models.py").write_text(TESTS)
    zen = subprocess.run([sys.executable, "-c", "import this"], capture_output=True, text=True, check=True).stdout
    (tmp_path / "zen.txt").write_text(zen)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    sys.modules.pop("my_models", None)


def run(*command):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=60, check=False, env=environment
    )


async def test_it_answers_through_the_port(folder):
    async with serving(CONFIG) as (url, _), openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="unused") as client:
        whole = await client.chat.completions.create(model="markov", messages=MESSAGES, seed=1)
        words = whole.choices[0].message.content.split()
        assert words[0] == "is"
        assert set(words) <= set((folder / "zen.txt").read_text().split())
        assert whole.choices[0].finish_reason == "stop"
        assert whole.usage.completion_tokens >= len(words)
        stream = await client.chat.completions.create(model="markov", messages=MESSAGES, seed=1, stream=True)
        said = [chunk.choices[0].delta.content or "" async for chunk in stream]
        assert "".join(said).split() == words
        short = await client.chat.completions.create(model="markov", messages=MESSAGES, max_tokens=2)
        assert (len(short.choices[0].message.content.split()), short.choices[0].finish_reason) == (2, "length")
        made = await client.embeddings.create(model="markov", input=["one", "one", "two"], encoding_format="float")
        first, same, other = (item.embedding for item in made.data)
        assert first == same != other


def test_its_commands_do_what_they_say(folder):
    infer = re.search(r"^hoosh (infer .*)$", COMMANDS, re.MULTILINE)[1]
    child = run("-m", "hoosh", *infer.replace('"', "").split(" ", 3))
    assert (child.returncode, child.stderr) == (0, "")
    assert child.stdout.startswith("is ")


def test_it_passes_the_tests_for_engines(folder):
    child = run("-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), "-c", os.devnull)
    assert child.returncode == 0, child.stdout
    assert re.search(r"^10 passed, 2 skipped", child.stdout, re.MULTILINE), child.stdout


async def test_it_answers_in_a_program(folder, monkeypatch):
    monkeypatch.syspath_prepend(str(folder))
    names = {}
    await trio.to_thread.run_sync(exec, compile(PROGRAM, "docs/engines.md", "exec"), names)
    assert names["answer"]["choices"][0]["message"]["content"].startswith("is ")
    async with names["server"].running():
        answer = await names["server"].gateway.chat(model="mine/markov", messages=MESSAGES)
        assert answer["choices"][0]["message"]["content"].startswith("is ")


def test_the_entry_point_is_of_the_group_that_is_looked_for():
    from hoosh.engines.found import GROUP

    assert f'[project.entry-points."{GROUP}"]' in ENTRY


def test_the_example_is_as_short_as_it_says():
    lines = [line for line in ENGINE[ENGINE.index("class") :].splitlines() if line.strip()]
    assert len(lines) <= 32


async def test_it_is_served_and_named_at_the_start(folder):
    (folder / "hoosh.toml").write_text("[server]\nport = 0\n" + CONFIG)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-m", "hoosh", "serve"]
    said = b""
    async with trio.open_nursery() as nursery:
        run_ = functools.partial(trio.run_process, command, env=environment, check=False, stdin=subprocess.PIPE)
        process = await nursery.start(functools.partial(run_, stderr=subprocess.PIPE))
        with trio.fail_after(30):
            while b"Try: " not in said and (more := await process.stderr.receive_some()):
                said += more
        process.terminate()
    assert "provider mine (python:my_models:Markov) in this process\n  mine has 1 model\n" in said.decode()
    assert '"model": "markov"' in said.decode()
