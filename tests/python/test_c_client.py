"""The client for C, by the program that uses it (cffi/samples/client.c)."""

import json
import os
import subprocess
from functools import partial
from pathlib import Path

import pytest
import trio
from tests.cases.drivers import ROOT
from tests.python.conftest import provider

import hoosh.store

CHAT = 'models = ["fake-chat"]\n'
ONCE = "[retry]\nmax_attempts = 1\n"


def program():
    built = Path(os.environ.get("HOOSH_C_CLIENT", ROOT / "target" / "c-client"))
    if not built.exists():
        raise FileNotFoundError(f"{built}: build it by `make c-gateway`")
    return built


async def run(folder, config, said, *more):
    """Exit code, standard output as lines, standard error."""
    (folder / "hoosh.toml").write_text(config)
    command = [
        *os.environ.get("HOOSH_C_WRAPPER", "").split(),
        program(),
        folder / "hoosh.toml",
        "fake-chat",
        said,
        *more,
    ]
    with trio.fail_after(60):
        done = await trio.to_thread.run_sync(
            partial(subprocess.run, command, capture_output=True, text=True, check=False), abandon_on_cancel=True
        )
    return done.returncode, done.stdout.splitlines(), done.stderr


def text_of(lines):
    choices = [choice for line in lines for choice in json.loads(line)["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


async def test_it_prints_a_stream_as_it_comes(upstream, tmp_path):
    code, lines, err = await run(tmp_path, provider(upstream) + CHAT, 'a "quoted" word\\')
    assert (code, err) == (0, "")
    assert len(lines) > 3
    assert 'a "quoted" word\\' in text_of(lines)


async def test_a_long_stream_comes_whole(upstream, tmp_path):
    said = "word " * 5_000
    code, lines, _ = await run(tmp_path, provider(upstream) + CHAT, said)
    assert code == 0
    assert text_of(lines).count("word") == 5_000


async def test_what_it_spent_is_in_the_store_when_it_ends(upstream, tmp_path):
    budget = '[[budgets]]\nname = "default"\ncapacity = 1000000\n'
    for count in (1, 2):
        code, _, err = await run(tmp_path, budget + provider(upstream) + CHAT, "hello", tmp_path / "hoosh.db")
        assert (code, err) == (0, "")
        assert hoosh.store.info(tmp_path / "hoosh.db")["rows"] == count
    report = hoosh.store.check(tmp_path / "hoosh.db")
    assert (report["problems"], report["crashed"]) == ([], 0)
    assert report["budgets"][0]["lost"] == 0


async def test_a_store_that_somebody_else_has_is_refused_in_words(upstream, tmp_path):
    async with hoosh.Gateway(f"[storage]\npath = '{tmp_path / 'hoosh.db'}'\n" + provider(upstream) + CHAT):
        code, lines, err = await run(tmp_path, provider(upstream) + CHAT, "hello", tmp_path / "hoosh.db")
    assert (code, lines) == (2, [])
    assert "hoosh.db" in err


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        ({"status": 400, "body": '{"error":{"message":"too long"}}'}, "too long"),
        ({"reset_after": 0}, "closed the connection"),
    ],
    ids=["refused", "reset"],
)
async def test_an_error_is_printed_as_it_comes(upstream, tmp_path, plan, says):
    upstream.plan(**plan)
    code, lines, _ = await run(tmp_path, ONCE + provider(upstream) + CHAT, "hello")
    assert code == 1
    assert says in json.loads(lines[-1])["error"]["message"].lower()


async def test_a_wrong_configuration_is_told_in_words(tmp_path):
    code, lines, err = await run(tmp_path, "nonsense = 1\n", "hello")
    assert (code, lines) == (2, [])
    assert "nonsense" in err
