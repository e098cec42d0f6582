"""Vectors that hoosh computes itself, of a small BERT that native/candle's tests have."""

import base64
import json
import math
import shutil
import struct
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
import openai
import pytest
import trio
from tests.python.conftest import serving

import hoosh
from hoosh import Config
from hoosh.errors import ConfigError

ENCODERS = Path(__file__).parents[2] / "native" / "candle" / "tests" / "fixtures" / "encoders"
KNOWN = json.loads((ENCODERS / "vectors.json").read_text("utf-8"))
TEXTS, PLAIN, TOKENS = KNOWN["texts"], KNOWN["vectors"]["bert"]["plain"], KNOWN["tokens"]["bert"]


def config(folder=ENCODERS / "bert", more=""):
    return f'[[providers]]\ntype = "candle"\nname = "local"\nfiles = {{ bert = "{folder}" }}\n{more}'


def cosine(one, other):
    product = sum(a * b for a, b in zip(one, other, strict=True))
    return product / math.sqrt(sum(a * a for a in one) * sum(b * b for b in other))


def same(one, other):
    return cosine(one, other) >= 0.9999


@pytest.fixture
async def local():
    """An SDK before a gateway with a small BERT, and its URL."""
    async with (
        serving(config() + '[[budgets]]\nname = "default"\ncapacity = 1_000_000\n') as (url, _),
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as sdk,
    ):
        yield sdk, url


async def test_the_sdk_gets_what_sentence_transformers_makes(local):
    sdk, _ = local
    for form in ("default", "float", "base64"):
        fields = {} if form == "default" else {"encoding_format": form}
        made = await sdk.embeddings.create(
            model="bert", input=TEXTS, extra_body={"truncate_prompt_tokens": -1}, **fields
        )
        vectors = [
            list(struct.unpack("<32f", base64.b64decode(item.embedding))) if form == "base64" else item.embedding
            for item in made.data
        ]
        assert [item.index for item in made.data] == list(range(len(TEXTS)))
        assert all(same(one, wanted) for one, wanted in zip(vectors, PLAIN, strict=True)), form
        assert made.usage.prompt_tokens == made.usage.total_tokens == sum(map(len, TOKENS))
    used = (await sdk.get("/tokens/pools", cast_to=object))["pools"][0]["used"]
    assert used == 3 * sum(map(len, TOKENS))


async def test_both_forms_hold_the_same_numbers(local):
    _, url = local
    async with httpx2.AsyncClient(base_url=url) as http:
        asked = {"model": "bert", "input": "hello world"}
        floats = (await http.post("/v1/embeddings", json=asked)).json()["data"][0]["embedding"]
        encoded = (await http.post("/v1/embeddings", json={**asked, "encoding_format": "base64"})).json()
    written = base64.b64decode(encoded["data"][0]["embedding"], validate=True)
    assert written == struct.pack("<32f", *floats)


async def test_tokens_and_dimensions(local):
    sdk, _ = local
    made = await sdk.embeddings.create(model="bert", input=TOKENS)
    assert all(same(item.embedding, wanted) for item, wanted in zip(made.data, PLAIN, strict=True))
    one = await sdk.embeddings.create(model="bert", input=TOKENS[1])
    assert (len(one.data), same(one.data[0].embedding, PLAIN[1])) == (1, True)
    short = (await sdk.embeddings.create(model="bert", input=TEXTS[1], dimensions=8)).data[0].embedding
    assert (len(short), same(short, PLAIN[1][:8])) == (8, True)
    assert math.isclose(math.hypot(*short), 1, abs_tol=1e-5)


async def test_three_hundred_texts_keep_their_order(local):
    sdk, _ = local
    texts = [f"model {number} {'fox ' * (number % 11)}" for number in range(300)]
    made = await sdk.embeddings.create(model="bert", input=texts)
    assert [item.index for item in made.data] == list(range(300))
    for number in (0, 1, 150, 299):
        alone = await sdk.embeddings.create(model="bert", input=texts[number])
        assert same(alone.data[0].embedding, made.data[number].embedding), number


async def test_a_list_in_slices_is_one_list():
    async with (
        serving(config(more="[limits]\nmax_inputs = 16\n")) as (url, _),
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as sdk,
    ):
        texts = [f"dog {number}" for number in range(70)]
        made = await sdk.embeddings.create(model="bert", input=texts)
        assert [item.index for item in made.data] == list(range(70))
        last = await sdk.embeddings.create(model="bert", input=texts[69])
        assert same(last.data[0].embedding, made.data[69].embedding)


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"input": ["a", "fox " * 50]}, 400, "context_length_exceeded"),
        ({"input": []}, 400, "invalid_value"),
        ({"input": [[]]}, 400, "invalid_value"),
        ({"input": [5, 108]}, 400, "invalid_value"),
        ({"input": ["a", 5]}, 400, "invalid_type"),
        ({"input": "a", "dimensions": 33}, 400, "out_of_range"),
        ({"input": "a", "dimensions": 0}, 400, "out_of_range"),
        ({"input": "a", "encoding_format": "int8"}, 400, "invalid_value"),
        ({"input": "a", "extra_body": {"truncate_prompt_tokens": 41}}, 400, "out_of_range"),
        ({"input": "a", "extra_body": {"task": "query"}}, 400, "unsupported_parameter"),
    ],
)
async def test_what_makes_no_sense_is_refused(local, fields, status, code):
    sdk, _ = local
    with pytest.raises(openai.BadRequestError) as caught:
        await sdk.embeddings.create(**{"model": "bert", "encoding_format": "float"} | fields)
    assert (caught.value.status_code, caught.value.code) == (status, code)


async def test_what_is_too_long_is_cut_when_that_is_asked_for(local):
    sdk, _ = local
    made = await sdk.embeddings.create(model="bert", input="fox " * 500, extra_body={"truncate_prompt_tokens": -1})
    assert made.usage.prompt_tokens == 40


async def test_a_model_of_vectors_does_not_chat(local):
    sdk, _ = local
    with pytest.raises(openai.BadRequestError) as caught:
        await sdk.chat.completions.create(model="bert", messages=[{"role": "user", "content": "hi"}])
    assert caught.value.code == "unsupported_by_model"


async def test_it_is_told_what_it_is(local):
    sdk, _ = local
    await sdk.embeddings.create(model="bert", input="a")
    told = (await sdk.get("/providers", cast_to=object))["providers"][0]["models"][0]
    values = {name: value["value"] for name, value in told.items() if isinstance(value, dict)}
    wanted = {"embeddings": True, "chat": False, "dimensions": 32, "context": 40, "loaded": True, "quantization": "F32"}
    assert wanted.items() <= values.items()


async def test_in_process_and_beside_a_chat():
    text = config() + '[[providers]]\ntype = "candle"\nname = "own"\n'
    async with hoosh.Gateway(Config.parse(text, {})) as gateway, trio.open_nursery() as nursery:
        answers = []

        async def chat():
            answers.append(await gateway.chat(model="own/hoosh-tiny", messages=[{"role": "user", "content": "hi"}]))

        nursery.start_soon(chat)
        made = await gateway.embed(model="local/bert", input=TEXTS[:3])
    assert all(same(item["embedding"], wanted) for item, wanted in zip(made["data"], PLAIN, strict=False))
    assert answers[0]["choices"][0]["message"]["content"]


def test_a_folder_that_is_no_model_is_told_at_the_start(tmp_path):
    shutil.copytree(ENCODERS / "bert", tmp_path / "bert")
    (tmp_path / "bert" / "config.json").write_text('{"model_type": "t5"}')
    with pytest.raises(ConfigError) as caught:
        hoosh.SyncGateway(config(tmp_path / "bert")).start()
    assert all(word in str(caught.value) for word in ("`bert`", "t5", "known: bert"))
    (tmp_path / "bert" / "config.json").unlink()
    with pytest.raises(ConfigError) as caught:
        hoosh.SyncGateway(config(tmp_path / "bert")).start()
    assert "config.json is missing" in str(caught.value)


async def test_a_folder_that_answers():
    decoders = ENCODERS.with_name("decoders")
    known = json.loads((decoders / "known.json").read_text("utf-8"))
    with TemporaryDirectory() as folder:
        shutil.copytree(decoders / "qwen2", folder, dirs_exist_ok=True)
        shutil.copytree(decoders / "vocabulary", folder, dirs_exist_ok=True)
        async with hoosh.Gateway(Config.parse(config(folder), {})) as gateway:
            asked = {"model": "bert", "messages": [{"role": "user", "content": "hi there"}], "temperature": 0}
            answer = await gateway.chat(**asked, max_tokens=8, logprobs=True)
    said = [one["logprob"] for one in answer["choices"][0]["logprobs"]["content"]]
    wanted = [chance for _, chance in known["models"]["qwen2"]["chat"]][:8]
    assert said == pytest.approx(wanted, abs=2e-3)
    assert answer["usage"]["prompt_tokens"] == len(known["chat_prompt"])
