"""The provider of llama.cpp without llama.cpp: its options, what it refuses, and which schemas it takes. With it: tests/llamacpp."""

import importlib.util
import sys
import tomllib
from pathlib import Path

import pytest

from hoosh.engines import ChatRequest, CompletionRequest, Refused
from hoosh.engines.llamacpp import LlamaCpp, fields, schema
from hoosh.errors import ConfigError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF and more")
    return str(path)


@pytest.fixture
def installed(monkeypatch):
    """As if llama-cpp-python were there. No process begins in these tests."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())


def test_the_package_offers_it():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module, _, name = project["entry-points"]["hoosh.providers"]["llama-cpp-python"].partition(":")
    assert getattr(importlib.import_module(module), name) is LlamaCpp


def test_without_its_package_it_says_what_to_install(file, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"llama-cpp-python is not installed: .* -m pip install 'hoosh\[llamacpp\]'"):
        LlamaCpp(files={"m": file})


def test_another_python_is_asked_whether_it_has_it(file, tmp_path):
    with pytest.raises(ConfigError, match="cannot be run"):
        LlamaCpp(files={"m": file}, python=str(tmp_path / "python"))
    if importlib.util.find_spec("llama_cpp") is None:
        with pytest.raises(ConfigError, match="llama-cpp-python is not installed there"):
            LlamaCpp(files={"m": file}, python=sys.executable)


def test_a_file_that_is_none_is_told_at_the_start(installed, tmp_path):
    (tmp_path / "text.gguf").write_text("GGML")
    for given, words in {
        str(tmp_path / "away.gguf"): "cannot be read: No such file",
        str(tmp_path): "cannot be read: Is a directory",
        str(tmp_path / "text.gguf"): "is no GGUF file",
        "a\0b": "cannot be read",
    }.items():
        with pytest.raises(ConfigError, match=words):
            LlamaCpp(files={"m": given})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"files": {}}, "`files` names the models"),
        ({"files": "a.gguf"}, "`files` names the models"),
        ({"files": {"m": 1}}, "is its path, not 1"),
        ({"context_tokens": 0}, "`context_tokens` is a number from 8 on, not 0"),
        ({"context_tokens": True}, "`context_tokens` is a number"),
        ({"context_tokens": 1 << 40}, "`context_tokens` is a number"),
        ({"gpu_layers": -2}, "`gpu_layers` is a number from -1 on"),
        ({"threads": 0}, "`threads` is a number from 1 on"),
        ({"max_sequences": 0}, "`max_sequences` is a number from 1 on"),
        ({"max_sequences": "2"}, "`max_sequences` is a number from 1 on"),
        ({"embeddings": 1}, "`embeddings` is true or false"),
        ({"pooling": "mean"}, "for `embeddings = true`"),
        ({"pooling": "max", "embeddings": True}, "`pooling` is one of mean, cls, last"),
        ({"tools": True, "chat_format": "chatml"}, "`tools` is for models"),
        ({"tools": True, "embeddings": True}, "`tools` is for models"),
        ({"chat_format": ""}, "`chat_format` is text"),
        ({"idle_unload_secs": 0}, "`idle_unload_secs` is a number of seconds above 0"),
        ({"idle_unload_secs": float("nan")}, "`idle_unload_secs` is a number of seconds"),
        ({"python": 3}, "`python` is text"),
    ],
)
def test_options_that_are_none(installed, file, options, words):
    with pytest.raises(ConfigError, match=words):
        LlamaCpp(**{"files": {"m": file}, **options})


async def test_its_models_are_known_without_a_process(installed, file):
    engine = LlamaCpp(files={"a": file, "b": file}, context_tokens=64, max_sequences=3)
    first, second = await engine.models()
    assert (first.name, second.name) == ("a", "b")
    assert (first.context, first.chat, first.embeddings, first.loaded) == (64, True, False, False)
    assert (first.structured_output, first.tools, first.memory_bytes, first.accelerator) == (True, False, 13, "cpu")
    assert engine.concurrency == 6
    (vectors,) = await LlamaCpp(files={"a": file}, embeddings=True, pooling="mean", gpu_layers=-1).models()
    assert (vectors.chat, vectors.embeddings, vectors.accelerator) == (False, True, None)
    assert engine.pid is None


# --- what a request may say --------------------------------------------------------------------------------------------


def chat(**raw):
    return ChatRequest(model="m", messages=(), raw={"model": "m", "messages": [], **raw})


def refused(request):
    with pytest.raises(Refused) as caught:
        fields.check(request)
        fields.sampling(request)
        fields.logprobs(request)
    return caught.value.status, caught.value.code, caught.value.param


def test_what_it_can_do_is_taken():
    known = {
        "temperature": 0, "top_p": 0.5, "top_k": -1, "min_p": 0.1, "frequency_penalty": 1, "presence_penalty": -1,
        "repetition_penalty": 1.1, "seed": 3, "stop": "x", "n": 2, "max_tokens": 5, "max_completion_tokens": 5,
        "user": "me", "stream": True, "stream_options": {}, "metadata": {}, "response_format": {"type": "text"},
        "logprobs": False, "tools": [], "tool_choice": "none", "parallel_tool_calls": True, "service_tier": None,
    }  # fmt: skip
    fields.check(chat(**known))
    assert fields.sampling(chat(**known)) == fields.Sampling(0, 0.5, 0, 0.1, 1, -1, 1.1)
    usual = fields.sampling(chat())
    assert usual == fields.Sampling(1.0, 1.0, 0, 0.0, 0.0, 0.0, 1.0)
    fields.check(CompletionRequest(model="m", prompt="a", raw={"echo": False, "suffix": "", "best_of": 2, "n": 2}))


@pytest.mark.parametrize(
    ("raw", "code", "param"),
    [
        ({"logprobs": 3}, "invalid_type", "logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "out_of_range", "top_logprobs"),
        ({"top_logprobs": 3}, "invalid_value", "top_logprobs"),
        ({"logit_bias": {"1": 2}}, "unsupported_parameter", "logit_bias"),
        ({"audio": {}}, "unsupported_parameter", "audio"),
        ({"echo": False}, "unsupported_parameter", "echo"),
        ({"temperature": 3}, "out_of_range", "temperature"),
        ({"temperature": "1"}, "invalid_type", "temperature"),
        ({"top_p": True}, "invalid_type", "top_p"),
        ({"top_p": float("nan")}, "invalid_type", "top_p"),
        ({"min_p": -0.1}, "out_of_range", "min_p"),
        ({"repetition_penalty": 0}, "out_of_range", "repetition_penalty"),
    ],
)
def test_what_it_cannot_do_is_refused_by_its_name(raw, code, param):
    assert refused(chat(**raw)) == (400, code, param)


@pytest.mark.parametrize("raw", [{"echo": True}, {"suffix": "b"}, {"best_of": 3}, {"logprobs": 21}, {"messages": [{}]}])
def test_what_completions_cannot_do(raw):
    request = CompletionRequest(model="m", prompt="a", raw={"prompt": "a", **raw})
    assert refused(request)[2] == next(iter(raw))


def test_how_many_likeliest_tokens_are_wanted():
    wanted = [
        fields.logprobs(chat(**raw))
        for raw in ({}, {"logprobs": False}, {"logprobs": True}, {"logprobs": True, "top_logprobs": 5})
    ]
    assert wanted == [None, None, 0, 5]
    completion = [CompletionRequest(model="m", prompt="a", raw=raw) for raw in ({}, {"logprobs": 0}, {"logprobs": 3})]
    assert [fields.logprobs(one) for one in completion] == [None, 0, 3]


@pytest.mark.parametrize("seed", [0, -1, 1 << 63, 0xFFFFFFFF])
def test_every_seed_is_one_of_llama_cpp(seed):
    request = ChatRequest(model="m", messages=(), seed=seed)
    assert fields.seed(request) == fields.seed(request) < 0xFFFFFFFF
    assert len({fields.seed(chat()) for _ in range(20)}) > 1


# --- schemas -----------------------------------------------------------------------------------------------------------

TAKEN = [
    {"type": "object"},
    {"type": ["string", "null"]},
    {"enum": ["a", 1, None]},
    {"const": {"pattern": "of no meaning here"}},
    {"type": "string", "minLength": 1, "maxLength": 5, "format": "email"},
    {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3},
    {"prefixItems": [{"type": "integer"}, {"type": "string"}], "items": False},
    {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None, "title": "T"},
    {
        "type": "object",
        "properties": {"pattern": {"type": "string"}},
        "required": ["pattern"],
        "additionalProperties": False,
    },
    {"$ref": "#/$defs/node", "$defs": {"node": {"properties": {"next": {"$ref": "#/$defs/node"}}}}},
    {"type": "object", "additionalProperties": {"type": "number"}},
]
LEFT_OUT = {
    "`pattern`": {"type": "string", "pattern": "^a$"},
    "`minimum`": {"type": "integer", "minimum": 1},
    "`multipleOf`": {"properties": {"a": {"type": "array", "items": {"type": "number", "multipleOf": 2}}}},
    "`oneOf`": {"oneOf": [{"type": "string"}]},
    "`allOf`": {"allOf": [{"type": "string"}]},
    "`not`": {"not": {}},
    "`if`": {"if": {}, "then": {}},
    "`uniqueItems` beside `items`": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
    "`minLength`": {"type": ["string", "null"], "minLength": 1},
    "`enum`": {"type": ["string", "null"], "enum": ["a", None]},
    "`type` beside `$ref`": {"$ref": "#/$defs/a", "type": "string", "$defs": {"a": {"type": "string"}}},
    "`properties` beside `anyOf`": {"anyOf": [{"type": "object"}], "properties": {}},
    "`minItems` beside `prefixItems`": {"prefixItems": [{"type": "integer"}], "minItems": 3},
    "`patternProperties` beside `properties`": {"properties": {}, "patternProperties": {}},
    "`required` of what": {"properties": {}, "required": ["a"]},
    "`items` that is no object": {"type": "array", "items": [{"type": "string"}]},
    "a `type` that does not fit": {"type": "text"},
    "does not fit: \"string\"": {"type": "string", "properties": {}},
    "true or false": {"properties": {"a": True}},
    "no object": {"properties": {"a": "string"}},
    "`maxItems` that is no number up to 2000": {"items": {"type": "string"}, "maxItems": 10**9},
    "anything but `$defs`": {"$ref": "https://example.com/schema"},
    "anything but": {"properties": {"a": {"$ref": "#"}}},
    "what is not there": {"$ref": "#/$defs/b", "$defs": {"a": {}}},
    "an empty one": {"anyOf": []},
}  # fmt: skip


@pytest.mark.parametrize("given", TAKEN, ids=str)
def test_schemas_that_are_kept_whole(given):
    assert schema.checked(given) == {key: value for key, value in given.items() if key != "items" or value is not False}


@pytest.mark.parametrize(("words", "given"), LEFT_OUT.items(), ids=LEFT_OUT)
def test_schemas_of_which_something_would_be_left_out(words, given):
    with pytest.raises(Refused) as caught:
        schema.checked(given)
    assert words in caught.value.message
    assert caught.value.param == "response_format"


def test_properties_that_may_be_there_are_left_away():
    given = {"properties": {"a": {"type": "string"}}, "additionalProperties": True}
    assert schema.checked(given) == {"properties": {"a": {"type": "string"}}}
    assert "additionalProperties" in given


def test_schemas_within_each_other_have_an_end():
    deep = {"type": "string"}
    for _ in range(5000):
        deep = {"type": "array", "items": deep}
    with pytest.raises(Refused, match="more than 64 deep"):
        schema.checked(deep)
