"""Models computed by llama.cpp in a process of their own, through the port; beside Candle, and beside llama-cpp-python alone."""

import contextlib
import json
import math
import os
import random
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import jsonschema
import openai
import pytest
import trio

import hoosh
from tests.llamacpp.conftest import ENVIRONMENT
from tests.python.conftest import serving

DEMONSTRATION = Path(hoosh.__file__).parent / "models" / "hoosh-tiny.gguf"
CONFIG = """
[[providers]]
name = "llama"
type = "python:hoosh.engines.llamacpp:LlamaCpp"
options = {{ files = {{ {files} }}, python = "{python}", threads = 1{more} }}

[[providers]]
name = "candle"
type = "candle"

[retry]
max_attempts = 1

[[budgets]]
name = "default"
capacity = 1_000_000
"""
QUESTIONS = [
    "What is hoosh?",
    "Hello!",
    "How do I limit what a team spends?",
    "How do I connect a real model?",
    "Who was Napoleon?",
    "Grüße 🦀",
]


def config(more="", **files):
    named = ", ".join(f'{name} = "{path}"' for name, path in files.items())
    return CONFIG.format(files=named, python=ENVIRONMENT / "bin" / "python", more=more)


class Through:
    """hoosh with llama.cpp behind it, and a client."""

    def __init__(self, app, sdk):
        self.app, self.sdk = app, sdk
        self.engine = app.driver.engines.plugged("llama").engine

    async def chat(self, text="hello", model="llama/tiny", **more):
        messages = [{"role": "user", "content": text}]
        return await self.sdk.chat.completions.create(model=model, messages=messages, **more)

    async def words(self, *given, **more):
        return (await self.chat(*given, **more)).choices[0].message.content


@asynccontextmanager
async def through(more="", **files):
    async with (
        serving(config(more, **files)) as (url, app),
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0) as sdk,
    ):
        yield Through(app, sdk)


def vectors(path, texts):
    """Of llama-cpp-python alone."""
    code = (
        "import json, sys, llama_cpp\n"
        "llama = llama_cpp.Llama(sys.argv[1], embedding=True, pooling_type=1, verbose=False)\n"
        "print(json.dumps(llama.embed(json.loads(sys.argv[2]))))\n"
    )
    command = [ENVIRONMENT / "bin" / "python", "-c", code, path, json.dumps(texts)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


# --- words -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", QUESTIONS)
async def test_the_demonstration_answers_as_by_candle(question):
    async with through(demonstration=DEMONSTRATION) as it:
        ours, theirs = [
            await it.chat(question, model, temperature=0) for model in ("candle/hoosh-tiny", "llama/demonstration")
        ]
        assert ours.choices[0].message.content == theirs.choices[0].message.content != ""
        assert ours.choices[0].finish_reason == theirs.choices[0].finish_reason
        assert ours.usage == theirs.usage


async def test_a_stream_says_the_same_and_usage_is_counted_there(model):
    async with through(tiny=model) as it:
        whole = await it.chat(temperature=0, max_tokens=20)
        stream = await it.chat(temperature=0, max_tokens=20, stream=True, stream_options={"include_usage": True})
        chunks = [chunk async for chunk in stream]
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert text == whole.choices[0].message.content
        assert chunks[-1].usage == whole.usage
        assert (whole.choices[0].finish_reason, whole.usage.completion_tokens) == ("length", 20)
        with trio.fail_after(20):
            while len(rows := it.app.driver.store.rows()) < 2:
                await trio.sleep(0.01)
        assert {row["usage_source"] for row in rows} == {"reported"}


async def test_tokens_are_as_likely_as_by_candle():
    async with through(demonstration=DEMONSTRATION) as it:
        ours, theirs = [
            await it.chat(QUESTIONS[0], model, temperature=0, logprobs=True, top_logprobs=3)
            for model in ("candle/hoosh-tiny", "llama/demonstration")
        ]
        ours, theirs = (answer.choices[0].logprobs.content for answer in (ours, theirs))
        assert "".join(one.token for one in theirs) == (
            await it.words(QUESTIONS[0], "llama/demonstration", temperature=0)
        )
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert (one.token, one.bytes) == (other.token, other.bytes)
            assert math.isclose(one.logprob, other.logprob, abs_tol=0.05)
            assert one.top_logprobs[0].token == other.top_logprobs[0].token == one.token
            assert len(other.top_logprobs) == 3


async def test_a_completion_goes_on(model):
    async with through(tiny=model) as it:
        answers = [
            await it.sdk.completions.create(
                model="llama/tiny", prompt="hello", temperature=0, max_tokens=8, stream=stream
            )
            for stream in (False, True)
        ]
        text = "".join([chunk.choices[0].text async for chunk in answers[1]])
        assert text == answers[0].choices[0].text
        assert (answers[0].usage.prompt_tokens, answers[0].usage.completion_tokens) == (5, 8)


async def test_a_seed_repeats_an_answer(model):
    async with through(tiny=model) as it:
        said = [await it.words(seed=seed, max_tokens=24) for seed in (1, 2, 1)]
        assert said[0] == said[2] != said[1]
        several = await it.chat(seed=1, n=2, max_tokens=24)
        assert [choice.message.content for choice in several.choices] == said[:2]


async def test_a_stop_string_ends_it_and_is_not_said():
    async with through(demonstration=DEMONSTRATION) as it:
        ask = {"model": "llama/demonstration", "temperature": 0}
        whole = await it.chat(QUESTIONS[0], **ask)
        said = whole.choices[0].message.content
        stop = said[20:26]
        cut = await it.chat(QUESTIONS[0], **ask, stop=[stop])
        assert cut.choices[0].message.content == said[: said.index(stop)]
        assert cut.choices[0].finish_reason == "stop"
        assert cut.usage.completion_tokens < whole.usage.completion_tokens


async def test_penalties_change_an_answer(model):
    async with through(tiny=model) as it:
        plain, penalised = [
            await it.words(temperature=0, max_tokens=40, **more) for more in ({}, {"frequency_penalty": 2})
        ]
        assert plain != penalised


# --- forms -------------------------------------------------------------------------------------------------------------

SCHEMAS = [
    {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"], "additionalProperties": False},
    {"enum": ["red", "green", 3, None]},
    {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 3},
    {"type": "string", "minLength": 2, "maxLength": 6},
    {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"b": {"type": "integer"}}, "required": ["b"]}]},
    {"type": "array", "prefixItems": [{"type": "boolean"}, {"const": "x"}]},
    {
        "type": "object",
        "properties": {"tree": {"$ref": "#/$defs/tree"}, "note": {"type": ["boolean", "null"]}},
        "required": ["tree"],
        "$defs": {"tree": {"type": "object", "properties": {"leaf": {"type": "boolean"}}, "required": ["leaf"]}},
    },
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
async def test_an_answer_keeps_to_its_schema(schema):
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}
    async with through(tiny=DEMONSTRATION) as it:
        for seed in range(3):
            answer = await it.chat(response_format=form, seed=seed, max_tokens=400)
            assert answer.choices[0].finish_reason == "stop"
            jsonschema.validate(json.loads(answer.choices[0].message.content), schema)


async def test_what_cannot_be_done_is_refused(model):
    async with through(tiny=model) as it:
        for more, param in [
            ({"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"oneOf": []}}}}, "response_format"),
            ({"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"title": "a"}}}}, "response_format"),
            ({"logprobs": True, "top_logprobs": 20, "extra_body": {"top_logprobs": 21}}, "top_logprobs"),
            ({"logit_bias": {"5": 1}}, "logit_bias"),
            ({"extra_body": {"mirostat": 2}}, "mirostat"),
        ]:  # fmt: skip
            with pytest.raises(openai.BadRequestError) as caught:
                await it.chat(**more)
            assert caught.value.param == param
        tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
        with pytest.raises(openai.APIStatusError):
            await it.chat(tools=[tool])
        with pytest.raises(openai.APIStatusError):
            await it.sdk.embeddings.create(model="llama/tiny", input="a")
        with pytest.raises(openai.BadRequestError) as caught:
            await it.chat("word " * 2000)
        assert caught.value.code == "context_length_exceeded"
        assert await it.words(max_tokens=2) is not None


WEATHER = {
    "type": "object",
    "properties": {"hot": {"type": "boolean"}, "where": {"$ref": "#/$defs/place"}},
    "required": ["hot", "where"],
    "$defs": {"place": {"enum": ["Oslo", "Rome"]}},
}
TOOLS = [
    {"type": "function", "function": {"name": "weather", "parameters": WEATHER}},
    {"type": "function", "function": {"name": "now"}},
]


async def test_a_call_that_is_demanded_keeps_to_its_schema(caller):
    chosen = {"type": "function", "function": {"name": "weather"}}
    async with through(", tools = true", tiny=caller) as it:
        for seed in range(3):
            answer = await it.chat(tools=TOOLS, tool_choice=chosen, seed=seed)
            (call,) = answer.choices[0].message.tool_calls
            assert (call.function.name, answer.choices[0].finish_reason) == ("weather", "tool_calls")
            jsonschema.validate(json.loads(call.function.arguments), WEATHER)
        some = await it.chat(tools=TOOLS[:1], tool_choice="required", seed=1, stream=True)
        chunks = [chunk.choices[0].delta async for chunk in some if chunk.choices]
        (call,) = [call for delta in chunks for call in delta.tool_calls or []]
        jsonschema.validate(json.loads(call.function.arguments), WEATHER)
        cut = await it.chat(tools=TOOLS, tool_choice=chosen, max_tokens=3)
        assert (cut.choices[0].finish_reason, cut.choices[0].message.tool_calls) == ("length", None)


async def test_a_call_that_is_left_to_the_model(caller):
    async with through(", tools = true", tiny=caller) as it:
        plain = await it.chat(temperature=0, max_tokens=8)
        offered = await it.chat(temperature=0, max_tokens=8, tools=TOOLS)
        assert offered.usage.prompt_tokens > plain.usage.prompt_tokens + 20
        silent = await it.chat(temperature=0, max_tokens=8, tools=TOOLS, tool_choice="none")
        assert silent.usage.prompt_tokens == plain.usage.prompt_tokens
        messages = [
            {"role": "user", "content": "hello"},
            {"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "now", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "a", "content": "noon"},
        ]  # fmt: skip
        assert await it.sdk.chat.completions.create(model="llama/tiny", messages=messages, tools=TOOLS, max_tokens=2)
        for more in (
            {"tools": [{"type": "function", "function": {"name": "f", "strict": True}}]},
            {"tools": TOOLS, "parallel_tool_calls": False},
            {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "nobody"}}},
        ):
            with pytest.raises(openai.BadRequestError):
                await it.chat(**more)


async def test_tools_want_a_place_in_the_template(model):
    async with through(", tools = true", tiny=model) as it:
        with pytest.raises(openai.BadRequestError, match="no place"):
            await it.chat(tools=TOOLS)


# --- vectors -----------------------------------------------------------------------------------------------------------


async def test_vectors_are_those_of_llama_cpp_and_of_length_one(model):
    texts = ["hello", "there, you", "hello"]
    async with through(', embeddings = true, pooling = "mean"', tiny=model) as it:
        made = await it.sdk.embeddings.create(model="llama/tiny", input=texts, encoding_format="float")
        mine = [item.embedding for item in made.data]
        for vector, theirs in zip(mine, vectors(model, texts), strict=True):
            length = math.hypot(*theirs)
            assert math.isclose(math.hypot(*vector), 1.0, rel_tol=1e-5)
            assert sum(a * b for a, b in zip(vector, theirs, strict=True)) / length > 0.9999
        assert mine[0] == mine[2] != mine[1]
        with pytest.raises(openai.BadRequestError) as caught:
            await it.sdk.embeddings.create(model="llama/tiny", input="word " * 2000)
        assert caught.value.code == "context_length_exceeded"
        with pytest.raises(openai.APIStatusError):
            await it.chat()


async def test_a_model_without_a_vector_for_a_text_says_so(model):
    async with through(", embeddings = true", tiny=model) as it:
        with pytest.raises(openai.BadRequestError, match="pooling"):
            await it.sdk.embeddings.create(model="llama/tiny", input="a")


# --- the process -------------------------------------------------------------------------------------------------------


async def test_loading_is_told_of_and_what_is_known_then(model):
    told = []
    async with hoosh.Gateway(config(tiny=model, demonstration=DEMONSTRATION)) as gateway:
        await gateway.load("llama", "tiny", lambda done, whole: told.append((done, whole)))
        assert told[-1] == (1000, 1000)
        plugged = gateway._driver.engines.plugged("llama")
        listed = {one.name: one for one in await plugged.models()}
        tiny, other = listed["tiny"], listed["demonstration"]
        assert (tiny.loaded, tiny.context, tiny.quantization) == (True, 512, "F32")
        assert (other.loaded, other.context) == (False, None)
        await gateway.unload("llama", "tiny")
        assert not any(one.loaded for one in await plugged.models())
        messages = [{"role": "user", "content": "hello"}]
        assert (await gateway.chat(model="llama/tiny", messages=messages, max_tokens=2))["choices"]


async def test_a_caller_who_leaves_frees_the_model(model):
    async with through(tiny=model) as it:
        stream = await it.chat(max_tokens=400, stream=True)
        async for _ in stream:
            break
        await stream.close()
        with trio.fail_after(20):
            assert await it.words(max_tokens=2) is not None


async def test_a_killed_process_costs_its_calls_and_is_begun_again(model):
    async with through(tiny=model) as it:
        stream = await it.chat(temperature=0, max_tokens=450, stream=True)
        chunks = aiter(stream)
        await anext(chunks)
        pid = it.engine.pid
        # Stopped first, so that the answer cannot be complete before.
        os.kill(pid, signal.SIGSTOP)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(openai.APIError) as caught:
            async for _ in chunks:
                pass
        assert caught.value.code == "upstream_error"
        assert await it.words(max_tokens=2) is not None
        assert it.engine.pid != pid


async def test_two_sequences_are_computed_at_once(model):
    async with through(", max_sequences = 2", tiny=model) as it:
        alone = await it.words(temperature=0, max_tokens=300)
        slow = await it.chat(temperature=0, max_tokens=300, stream=True)
        chunks = aiter(slow)
        await anext(chunks)
        # While the first one's caller reads nothing, the second is answered.
        with trio.fail_after(60):
            assert await it.words(temperature=0, max_tokens=300) == alone
        await slow.close()


@pytest.mark.parametrize("part", [0.0001, 0.3, 0.999])
async def test_a_file_that_is_cut_off_costs_nobody_else(model, tmp_path, part, caplog):
    whole = model.read_bytes()
    (tmp_path / "cut.gguf").write_bytes(whole[: max(8, int(part * len(whole)))])
    async with through(tiny=model, cut=tmp_path / "cut.gguf") as it:
        with pytest.raises(openai.APIStatusError) as caught:
            await it.chat(model="llama/cut")
        assert (caught.value.status_code, caught.value.code) == (502, "upstream_error")
        assert "llama.cpp does not load" in caplog.text
        assert await it.words(max_tokens=2) is not None


async def test_files_with_bytes_that_are_wrong_cost_their_own_request_at_most(model, tmp_path):
    """Whatever llama.cpp makes of them: an error, a crash of its process, or an answer."""
    whole, chance = model.read_bytes(), random.Random(4)
    files = {}
    for number in range(8):
        damaged = bytearray(whole)
        for _ in range(20):
            damaged[chance.randrange(8, 20_000)] = chance.randrange(256)
        files[f"d{number}"] = tmp_path / f"{number}.gguf"
        files[f"d{number}"].write_bytes(damaged)
    async with through(tiny=model, **files) as it:
        for name in files:
            with trio.fail_after(60):
                with contextlib.suppress(openai.APIStatusError):
                    await it.chat(model=f"llama/{name}", max_tokens=2)
                it.engine._rests_until = 0.0
                assert await it.words(max_tokens=2) is not None


def test_its_type_is_found_by_its_name(tmp_path):
    text = config(demonstration=DEMONSTRATION).replace("python:hoosh.engines.llamacpp:LlamaCpp", "llama-cpp-python")
    (tmp_path / "hoosh.toml").write_text(text)
    command = [
        sys.executable,
        "-P",
        "-m",
        "hoosh",
        "infer",
        "-m",
        "llama/demonstration",
        "--temperature",
        "0",
        QUESTIONS[0],
    ]
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("hoosh is")
