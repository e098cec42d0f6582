"""docs/hoosh.schema.json judges configuration files as the parser does, wherever one key is wrong by itself."""

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from hoosh import Config, _native
from hoosh.errors import ConfigError

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs" / "hoosh.schema.json").read_text(encoding="utf-8"))
JUDGE = jsonschema.Draft202012Validator(SCHEMA)
ENVIRONMENT = {"OPENAI_API_KEY": "x"}


def parses(text):
    try:
        Config.parse(text, ENVIRONMENT)
    except ConfigError:
        return False
    return True


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(_native.config_schema()) == SCHEMA


@pytest.mark.parametrize(
    "text",
    [
        "",
        (ROOT / "hoosh.example.toml").read_text(encoding="utf-8"),
        '[server]\nstrategy = "Lowest-Latency"\n[[providers]]\ntype = "Llama_CPP"\nmodels = ["a*"]\n',
        '[[providers]]\ntype = "xAI"\napi_key = "$OPENAI_API_KEY"\n',
        '[[providers]]\ntype = "python:my_models.echo:Echo"\noptions = { a = 1, b = { c = [true] } }\n',
        '[auth]\ntokens = ["a", { token = "b", name = "n", rate_limit_rpm = 3 }]\n',
        '[[auth.tokens]]\ntoken = "a"\nmax_concurrency = 1\n',
        '[[budgets]]\nname = "b"\ncapacity = 1\n[cache]\nenabled = true\nmode = "ALWAYS"\n',
        "[retry]\nbase_delay_ms = 0\nmin_per_sec = 4294967295\n[limits]\nmax_waiting = 0\n[deadlines]\nidle_secs = 1\n",
    ],
)
def test_a_good_file_is_good_in_both(text):
    assert parses(text)
    assert [error.message for error in JUDGE.iter_errors(tomllib.loads(text))] == []


@pytest.mark.parametrize(
    "text",
    [
        "port = 1",
        "[sever]\nport = 1",
        "server = 3",
        "[[server]]\nport = 1",
        "[server]\nprot = 1",
        '[server]\nport = "80"',
        "[server]\nport = 65536",
        "[server]\nport = -1",
        "[server]\nmax_body_bytes = 0",
        '[server]\nstrategy = "priorty"',
        '[providers]\ntype = "openai"',
        '[[providers]]\nname = "x"',
        '[[providers]]\ntype = "opnai"',
        '[[providers]]\ntype = "python:my_models"',
        '[[providers]]\ntype = "python:my models:Echo"',
        '[[providers]]\ntype = "python:my_models:Echo"\noptions = 3',
        '[[providers]]\ntype = "vllm"\npriority = 1.5',
        '[[providers]]\ntype = "vllm"\nmodels = "x"',
        '[[providers]]\ntype = "vllm"\nmodels = [3]',
        '[[providers]]\ntype = "vllm"\nmax_concurrency = 0',
        '[auth]\ntokens = "a"',
        "[auth]\ntokens = [1]",
        '[auth]\ntokens = [{ name = "x" }]',
        '[auth]\ntokens = [{ token = "x", nam = "y" }]',
        "[[budgets]]\ncapacity = 5",
        '[[budgets]]\nname = "a"\ncapacity = 0',
        "[cache]\nenabled = 1",
        '[cache]\nmode = "often"',
        "[retry]\nbudget_percent = 101",
        "[deadlines]\nidle_secs = 31536001",
    ],
)
def test_a_wrong_file_is_wrong_in_both(text):
    assert not parses(text)
    assert not JUDGE.is_valid(tomllib.loads(text))
