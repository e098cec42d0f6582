"""Models that hoosh computes itself: the one that comes with it, and files that a configuration names."""

import os
import pty
import signal
import subprocess
import sys
from functools import partial

import openai
import pytest
import trio
from tests.python.conftest import serving

import hoosh
from hoosh import Config
from hoosh._driver.own import DEMONSTRATION
from hoosh.errors import ConfigError

LOCAL = '[[providers]]\ntype = "candle"\nname = "local"\n'
ASK = [{"role": "user", "content": "What is hoosh?"}]
NOTHING = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY") and "HOOSH" not in name}
"""An environment in which no service is found."""


def chat(client, **more):
    return client.chat.completions.create(**{"model": "local/hoosh-tiny", "messages": ASK, "temperature": 0} | more)


async def pool(sdk):
    """The budget, as it stands."""
    return (await sdk.get("/tokens/pools", cast_to=object))["pools"][0]


@pytest.fixture
async def local():
    """An SDK before a gateway with the model that comes with it, and a budget; and the application."""
    text = LOCAL + '[[budgets]]\nname = "default"\ncapacity = 100_000\n'
    async with serving(text) as (url, app), openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as sdk:
        yield sdk, app


async def test_it_answers_whole_and_in_pieces(local):
    sdk, _ = local
    whole = await chat(sdk)
    choice = whole.choices[0]
    assert ("gateway" in choice.message.content.lower(), choice.finish_reason) == (True, "stop")
    stream = await chat(sdk, stream=True, stream_options={"include_usage": True})
    chunks = [chunk async for chunk in stream]
    said = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(said) == choice.message.content
    assert len([piece for piece in said if piece]) > 3
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    used = whole.usage.total_tokens + chunks[-1].usage.total_tokens
    assert (await pool(sdk))["used"] == used


async def test_what_a_request_asks_for_is_kept_to(local):
    sdk, _ = local
    whole = (await chat(sdk)).choices[0].message.content
    short = await chat(sdk, max_tokens=3)
    assert (short.usage.completion_tokens, short.choices[0].finish_reason) == (3, "length")
    assert whole.startswith(short.choices[0].message.content)
    word = whole.split()[2]
    stopped = await chat(sdk, stop=[word])
    assert (stopped.choices[0].message.content, stopped.choices[0].finish_reason) == (whole.partition(word)[0], "stop")
    several = await chat(sdk, n=3, temperature=1.5, seed=7)
    again = await chat(sdk, n=3, temperature=1.5, seed=7)
    said = [choice.message.content for choice in several.choices]
    assert said == [choice.message.content for choice in again.choices]
    assert len(set(said)) > 1
    told = await chat(sdk, logprobs=True, top_logprobs=2, max_tokens=2)
    first = told.choices[0].logprobs.content[0]
    assert first.logprob == first.top_logprobs[0].logprob <= 0


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"messages": [{"role": "user", "content": "word " * 9_000}]}, "context_length_exceeded"),
        ({"response_format": {"type": "xml"}}, "unsupported_value"),
        ({"model": "local/other"}, "model_not_found"),
    ],
)
async def test_what_it_cannot_is_refused_and_costs_nothing(local, fields, code):
    sdk, _ = local
    with pytest.raises(openai.APIStatusError) as caught:
        await chat(sdk, **fields)
    assert 400 <= caught.value.status_code < 500
    assert code in (None, caught.value.code)
    budget = await pool(sdk)
    assert (budget["used"], budget["reserved"]) == (0, 0)


async def test_callers_who_leave_hold_nothing(local):
    sdk, app = local
    for _ in range(8):
        stream = await chat(sdk, stream=True, temperature=1)
        async for _ in stream:
            break
        await stream.close()
    async with trio.open_nursery() as nursery:
        for _ in range(6):
            nursery.start_soon(partial(chat, sdk, max_tokens=8))
    with trio.fail_after(20):
        while app.driver.gateway.open_exchanges():
            await trio.sleep(0.01)
    assert (await pool(sdk))["reserved"] == 0


async def test_what_was_read_for_a_caller_is_not_read_again(local):
    sdk, _ = local
    long = {"role": "user", "content": "What is hoosh? " * 24}
    asked = [long, {"role": "assistant", "content": "A gateway."}, {"role": "user", "content": "And what does it do?"}]
    first = await chat(sdk, messages=[long], max_tokens=2)
    second = await chat(sdk, messages=asked, max_tokens=2)
    cached = [answer.usage.prompt_tokens_details for answer in (first, second)]
    assert (cached[0].cached_tokens if cached[0] else 0) == 0
    assert cached[1].cached_tokens >= 64


async def test_a_priority_that_is_none_is_refused(local):
    sdk, _ = local
    with pytest.raises(openai.BadRequestError, match="critical"):
        await chat(sdk, extra_headers={"x-hoosh-priority": "urgent"})
    assert (await chat(sdk, extra_headers={"x-hoosh-priority": "low"})).choices


async def test_its_card_says_what_it_can(local):
    sdk, _ = local
    models = [model.id async for model in sdk.models.list()]
    assert any(model.rpartition("/")[2] == "hoosh-tiny" for model in models)
    providers = (await sdk.get("/providers", cast_to=object))["providers"]
    card = next(model for model in providers[0]["models"] if model["model"] == "hoosh-tiny")
    assert (card["quantization"]["value"], card["quantization"]["source"]) == ("Q8_0", "probed")
    assert card["context"]["value"] >= 512


def test_a_file_by_name_and_in_process(tmp_path):
    (tmp_path / "mine.gguf").write_bytes(DEMONSTRATION.read_bytes())
    text = LOCAL + f"files = {{ mine = '{tmp_path / 'mine.gguf'}' }}\ncontext_tokens = 256\n"
    with hoosh.SyncGateway(text) as gateway:
        told = []
        gateway.load("local", "mine", lambda done, size: told.append((done, size)))
        answer = gateway.chat(model="mine", messages=ASK, temperature=0)
        assert "gateway" in answer["choices"][0]["message"]["content"].lower()
        assert told[-1][0] == told[-1][1] > 0
        gateway.unload("local", "mine")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        (b"", "empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "LFS"),
        (b"GGUF" + b"\xff" * 64, ""),
        (DEMONSTRATION.read_bytes()[:100_000], ""),
    ],
    ids=["missing", "empty", "pointer", "noise", "cut"],
)
def test_a_file_that_is_no_model_is_an_error_at_the_start(tmp_path, content, words):
    file = tmp_path / "bad.gguf"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        hoosh.SyncGateway(LOCAL + f"files = {{ bad = '{file}' }}\n").start()
    assert all(part in str(caught.value) for part in ("provider `local`", "`bad`", str(file), words))


@pytest.mark.parametrize(("device", "words"), [("metal", "without `metal`"), ("tpu", "`tpu`")])
def test_a_device_that_is_not_there_is_an_error_at_the_start(device, words):
    with pytest.raises(ConfigError) as caught:
        hoosh.SyncGateway(LOCAL + f"device = '{device}'\n").start()
    assert words in str(caught.value)


def test_without_a_file_of_configuration_it_is_there():
    found = Config.found({})
    name, kind, url = found.providers[-1]
    assert (name, kind, url) == ("local", "candle", None)


def test_infer_answers_with_nothing_configured(tmp_path):
    command = [sys.executable, "-m", "hoosh", "infer", "-m", "local/hoosh-tiny", "What is hoosh?"]
    done = subprocess.run(command, cwd=tmp_path, env=NOTHING, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "gateway" in done.stdout.lower()


def test_infer_shows_on_a_terminal_how_its_model_loads(tmp_path):
    command = [sys.executable, "-m", "hoosh", "infer", "-m", "local/hoosh-tiny", "What is hoosh?"]
    ours, theirs = pty.openpty()
    with open(ours, "rb", buffering=0) as terminal, open(theirs, "wb"):
        environment = NOTHING | {"TERM": "xterm", "COLUMNS": "100"}
        done = subprocess.run(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=theirs, timeout=60)
        said = terminal.read(1 << 16)
    assert done.returncode == 0
    assert b"gateway" in done.stdout.lower()
    assert b"Loading hoosh-tiny" in said
    assert b"1.1/1.1 MB" in said


async def test_serve_with_nothing_configured_shows_an_answer(tmp_path):
    command = [sys.executable, "-m", "hoosh", "serve", "--port", "0", "--first-answer"]
    async with trio.open_nursery() as nursery:
        start = partial(trio.run_process, command, cwd=tmp_path, env=NOTHING, check=False, stderr=subprocess.PIPE)
        process = await nursery.start(start)
        said = b""
        try:
            with trio.fail_after(60):
                while b"It answers: " not in said or b"Try: " not in said:
                    said += (more := await process.stderr.receive_some())
                    assert more, said
            process.send_signal(signal.SIGTERM)
            with trio.fail_after(20):
                assert await process.wait() == 0
        finally:
            process.kill()
            nursery.cancel_scope.cancel()
    assert b"has 1 model" in said
