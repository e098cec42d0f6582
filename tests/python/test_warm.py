"""`hoosh cache warm`: through a running gateway, by the command line and by its function."""

import json
import sys

import pytest
import trio
from tests.python.conftest import provider, serving

from hoosh.errors import HooshError, InvalidRequest
from hoosh.warm import Line, read, warm

CACHED = '[cache]\nenabled = true\nmode = "always"\n'


def chat(words, **more):
    return {"model": "fake-chat", "messages": [{"role": "user", "content": words}], **more}


async def test_answers_are_kept_and_told_apart(upstream):
    async with serving(provider(upstream) + CACHED) as (url, _):
        bodies = [chat("a"), chat("b", stream=True), chat("c", store=True), {"model": "fake-embed", "input": "x"}]
        lines = list(read([json.dumps(body) for body in bodies]))
        told = []
        first = await warm(lines, server=url, concurrency=2, told=lambda summary: told.append(summary.done))
        assert (first.miss, first.bypass, first.hit, first.failed) == (3, 1, 0, 0)
        assert sorted(told) == [1, 2, 3, 4]
        asked = len(upstream.requests)
        second = await warm(lines, server=f"{url}/v1", concurrency=1)
        assert (second.hit, second.bypass) == (3, 1)
        assert len(upstream.requests) == asked + 1, "only what is not kept was asked again"
        # What was asked whole is there for a stream.
        wanted = Line(1, "/v1/chat/completions", chat("a"))
        assert (await warm([wanted], server=url)).hit == 1


async def test_failures_are_counted_with_their_lines(upstream):
    async with serving(provider(upstream) + 'models = ["fake-chat"]\n' + CACHED) as (url, _):
        bad = {"endpoint": "chat", "body": {"model": "nobody", "messages": chat("x")["messages"]}}
        summary = await warm(read([json.dumps(chat("a")), "", json.dumps(bad)]), server=url)
    assert (summary.miss, summary.failed) == (1, 1)
    assert summary.complaints[0].startswith("line 3: No provider serves the model 'nobody'")


async def test_a_server_without_a_cache_or_without_anybody(upstream):
    async with serving(provider(upstream)) as (url, _):
        with pytest.raises(HooshError, match="no cache"):
            await warm(read([json.dumps(chat("a"))] * 5), server=url)
    told = []
    lines = read([json.dumps(chat("a"))] * 50)
    with pytest.raises(HooshError, match="Nothing answers at") as failed:
        await warm(lines, server="http://127.0.0.1:9", concurrency=1, told=lambda summary: told.append(summary.done))
    assert failed.value.code == "no_server"
    assert told == [0], "the first refusal ends it"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "line 1 is not JSON"),
        ("[]", "not a JSON object"),
        ('{"model":"m"}', "is no request"),
        ('{"endpoint":"chat"}', "`body`"),
    ],
)
def test_a_line_that_is_no_request(text, words):
    with pytest.raises(InvalidRequest, match=words):
        list(read([text]))


async def run(folder, *arguments):
    with trio.fail_after(60):
        done = await trio.run_process(
            [sys.executable, "-m", "hoosh", "cache", "warm", *arguments],
            cwd=folder,
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


async def test_the_command_tells_its_progress_and_its_outcome(upstream, tmp_path):
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(chat(f"{n}")) for n in range(20)))
    text = '[auth]\ntokens = ["k"]\n' + provider(upstream) + CACHED
    async with serving(text) as (url, _):
        code, out, said = await run(tmp_path, "a.jsonl", "--server", url, "--key", "k", "--concurrency", "3")
        assert (code, out) == (0, "20 answered anew, 0 kept already, 0 not to be cached, 0 failed\n")
        assert said.splitlines()[-1].startswith("20 of 20: ")
        assert len(said.splitlines()) == 10
        code, out, said = await run(tmp_path, "a.jsonl", "--server", url, "--key", "wrong")
        assert (code, out) == (1, "")
        assert "[invalid_api_key]" in said
    code, _, said = await run(tmp_path, "none.jsonl")
    assert (code, said) == (1, "hoosh: none.jsonl cannot be read: No such file or directory.\n")
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff")
    code, _, said = await run(tmp_path, "bytes.jsonl")
    assert (code, said) == (1, "hoosh: bytes.jsonl is no text in UTF-8: invalid start byte.\n")
