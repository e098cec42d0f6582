"""What each command does, as a process: in this process of its own, and of servers that run (one is a fake with a script)."""

import json
import re
import threading
import tomllib
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.python.conftest import provider, serving
from tests.python.test_cli import one_sentence, run

from hoosh.cli import init
from hoosh.cli.app import COMMANDS
from hoosh.errors import ConfigError

DOCUMENT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
ERROR = {"error": {"message": "Unknown path.", "type": "invalid_request_error", "param": None, "code": "unknown_url"}}


@pytest.fixture
def folder(upstream, tmp_path):
    (tmp_path / "hoosh.toml").write_text(provider(upstream) + 'models = ["fake-chat"]\n')
    return tmp_path


@contextmanager
def saying(answers):
    """A server that gives `answers`, by path: (status, JSON). Gives its URL and what it was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers.get("authorization")))
            status, value = answers.get(self.path, (404, ERROR))
            body = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


# --- help and documents -----------------------------------------------------------------------------------------


def test_the_document_has_every_command_and_no_other():
    assert re.findall(r"^## `hoosh ([a-z ]+)`$", DOCUMENT, re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
async def test_help_teaches_by_examples_and_the_document_has_every_option(name, tmp_path):
    code, out, said = await run(tmp_path, *name.split(), "--help")
    text = out.decode()
    assert (code, said) == (0, "")
    assert f"Usage: hoosh {name}" in text
    assert re.search(rf"examples:\n(.*\n)*? +(.*\| )?hoosh {name}", text)
    assert not re.search(r"[\x1b│╭─]", text)
    part = DOCUMENT.partition(f"\n## `hoosh {name}`\n")[2].partition("\n## ")[0]
    shared = DOCUMENT.partition("\n## Options of several commands\n")[2].partition("\n## ")[0]
    for option in re.findall(r"--[a-z][a-z-]+(?=[ \n])", text.partition("examples:")[0]):
        assert f"`{option}" in part + shared or option == "--help", option


async def test_help_lists_the_commands_and_the_version_is_said(tmp_path):
    for arguments in ([], ["--help"], ["-h"]):
        code, out, _ = await run(tmp_path, *arguments)
        assert code == 0
        for name in COMMANDS:
            assert re.search(rf"^  {name.split()[0]} +\S", out.decode(), re.MULTILINE)
        assert "..." not in out.decode().partition("Commands:")[2].partition("examples:")[0]
    code, out, _ = await run(tmp_path, "--version")
    assert (code, out[:6]) == (0, b"hoosh ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["bogus"],
        ["check", "--bogus"],
        ["infer", "Hi", "more"],
        ["infer", "-m", "x", "--temperature", "hot"],
        ["config"],
    ],
)
async def test_what_cannot_be_understood_is_one_sentence_and_2(arguments, tmp_path):
    code, out, said = await run(tmp_path, *arguments)
    assert (code, out) == (2, b"")
    assert "--help" in one_sentence(said)


async def test_completion_is_printed(tmp_path):
    code, out, _ = await run(tmp_path, environment={"_HOOSH_COMPLETE": "source_bash"})
    assert (code, b"complete" in out) == (0, True)


# --- check, config schema, init ---------------------------------------------------------------------------------


async def test_check_for_programs(folder):
    code, out, said = await run(folder, "check", "--json")
    checked = json.loads(out)
    assert (code, said, checked["warnings"]) == (0, "", [])
    assert checked["file"] == "hoosh.toml"
    assert checked["config"]["server"]["port"] == 8088
    assert checked["config"]["providers"][0]["models"] == ["fake-chat"]


async def test_a_warning_is_printed_and_strict_ends_with_2(tmp_path):
    (tmp_path / "hoosh.toml").write_text('[[providers]]\ntype = "groq"\n')
    environment = {"GROQ_API_KEY": ""}
    code, out, _ = await run(tmp_path, "check", environment=environment)
    assert (code, out[:11]) == (0, b"# warning: ")
    code, out, _ = await run(tmp_path, "check", "--strict", "--json", environment=environment)
    assert code == 2
    assert "GROQ_API_KEY" in json.loads(out)["warnings"][0]


async def test_a_mistake_is_a_sentence_or_json_and_1(tmp_path):
    (tmp_path / "hoosh.toml").write_text("[server]\nprot = 1\n")
    code, _, said = await run(tmp_path, "check", "--strict")
    assert code == 1
    assert "line 2" in one_sentence(said)
    code, out, _ = await run(tmp_path, "check", "--json")
    assert (code, json.loads(out)["error"]["line"]) == (1, 2)


async def test_the_schema_is_printed(tmp_path):
    code, out, _ = await run(tmp_path, "config", "schema")
    assert (code, json.loads(out)["title"]) == (0, "hoosh.toml")


async def test_init_writes_names_of_variables_and_nothing_over(tmp_path):
    environment = {"OPENAI_API_KEY": "sk-secret", "GROQ_API_KEY": ""}
    code, out, said = await run(tmp_path, "init", environment=environment)
    text = (tmp_path / "hoosh.toml").read_text()
    assert (code, out) == (0, b"")
    assert "sk-secret" not in text + said
    written = tomllib.loads(text)
    services = [(entry["type"], entry["api_key"]) for entry in written["providers"] if "api_key" in entry]
    assert services == [("openai", "$OPENAI_API_KEY")]
    for command in ("hoosh check", "hoosh serve", "hoosh infer"):
        assert command in said
    code, _, said = await run(tmp_path, "init", environment=environment)
    assert code == 1
    assert "--force" in one_sentence(said)
    assert (tmp_path / "hoosh.toml").read_text() == text
    code, _, _ = await run(tmp_path, "check", "--strict", environment=environment)
    assert code == 0
    code, _, _ = await run(tmp_path, "init", "--force", environment={"OPENAI_API_KEY": ""})
    written = tomllib.loads((tmp_path / "hoosh.toml").read_text())
    assert (code, [entry for entry in written.get("providers", []) if "api_key" in entry]) == (0, [])


async def test_init_elsewhere(tmp_path):
    code, _, said = await run(tmp_path, "init", "a.toml")
    assert (code, "hoosh serve --config a.toml" in said) == (0, True)
    code, _, said = await run(tmp_path, "init", "nowhere/a.toml")
    assert (code, "nowhere" in one_sentence(said)) == (1, True)


def test_init_writes_the_local_servers_that_answer():
    from hoosh import Config

    text = init.written(Config.found({}), {"ollama": ["llama3.2", "a", "b", "c"], "vllm": []})
    assert "4 models, such as llama3.2" in text
    assert "no model yet" in text
    assert [entry["type"] for entry in tomllib.loads(text)["providers"]] == ["ollama", "vllm"]
    assert Config.parse(text, {}).warnings == []
    nothing = init.written(Config.found({}), {})
    assert tomllib.loads(nothing)["providers"] == [{"name": "local", "type": "candle"}]
    for word in ("providers", "type", "api_key"):
        nothing = re.sub(rf"^# (?=\[*{word}\b)", "", nothing, flags=re.MULTILINE)
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        Config.parse(nothing, {})


# --- asking -----------------------------------------------------------------------------------------------------


async def test_infer_sends_what_its_options_say(folder, upstream):
    arguments = ["-m", "fake-chat", "--system", "Be short.", "--temperature", "0", "--max-tokens", "7", "Hi"]
    code, out, said = await run(folder, "infer", *arguments)
    assert (code, said) == (0, "")
    assert out.endswith(b"\n")
    asked = upstream.requests[-1].json()
    assert asked["messages"] == [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hi"}]
    assert (asked["temperature"], asked["max_tokens"], asked["stream"]) == (0, 7, True)


@pytest.mark.parametrize("by_variable", [False, True])
async def test_infer_and_models_of_a_server(upstream, tmp_path, by_variable):
    text = '[auth]\ntokens = ["k"]\n' + provider(upstream) + 'models = ["fake-chat"]\n'
    async with serving(text) as (url, app):
        where, environment = ["--server", url, "--key", "k"], {}
        if by_variable:
            where, environment = [], {"HOOSH_SERVER": f"{url}/v1/", "HOOSH_KEY": "k"}
        code, out, said = await run(tmp_path, "models", *where, environment=environment)
        assert (code, out, said) == (0, b"fake-chat\tone\t\t\t\t\n", "")
        code, out, said = await run(tmp_path, "infer", "-m", "fake-chat", "Hello", *where, environment=environment)
        assert (code, b"Hello" in out, said) == (0, True, "")
        arguments = ["infer", "-m", "fake-chat", "Hello", "--json", *where]
        code, out, _ = await run(tmp_path, *arguments, environment=environment)
        assert (code, json.loads(out)["object"]) == (0, "chat.completion")
        code, out, said = await run(tmp_path, "infer", "-m", "nope", "Hello", *where, environment=environment)
        assert (code, out) == (1, b"")
        assert "[model_not_found]" in one_sentence(said)
        assert app.driver.gateway.open_exchanges() == 0


async def test_a_wrong_key_is_said_with_its_code(upstream, tmp_path):
    async with serving('[auth]\ntokens = ["k"]\n' + provider(upstream)) as (url, _):
        code, _, said = await run(tmp_path, "models", "--server", url, "--key", "wrong")
    assert (code, "[invalid_api_key]" in one_sentence(said)) == (1, True)


async def test_a_server_that_breaks_off_is_a_failure(tmp_path, upstream):
    async with serving(provider(upstream) + 'models = ["fake-chat"]\n') as (url, _):
        upstream.plan(close_after=700)
        code, _, said = await run(tmp_path, "infer", "-m", "fake-chat", "one two three four", "--server", url)
    assert (code, "[upstream_truncated]" in one_sentence(said)) == (1, True)


@pytest.mark.parametrize("command", ["health", "pools", "costs", "models"])
async def test_nobody_answers(command, tmp_path):
    with saying({}) as (url, _):
        pass
    code, out, said = await run(tmp_path, command, "--server", url)
    assert (code, out) == (1, b"")
    assert url in one_sentence(said)
    assert "hoosh serve" in said


async def test_without_a_server_that_of_the_configuration_is_tried(tmp_path):
    with saying({"/v1/health/ready": (200, {"status": "ready", "version": "0"})}) as (url, asked):
        (tmp_path / "hoosh.toml").write_text(f"[server]\nport = {url.rpartition(':')[2]}\n")
        code, out, _ = await run(tmp_path, "health")
    assert (code, out.decode()) == (0, f"ready\t{url}\n")
    assert asked[0] == ("/v1/health/ready", None)
    code, _, said = await run(tmp_path, "pools")
    assert (code, url in one_sentence(said)) == (1, True)
    (tmp_path / "hoosh.toml").write_text("[server]\nport = 0\n")
    code, _, said = await run(tmp_path, "pools")
    assert (code, "--server" in one_sentence(said)) == (1, True)


async def test_something_else_that_listens_there(tmp_path):
    with saying({"/v1/health/ready": (200, b"<html>")}) as (url, _):
        code, _, said = await run(tmp_path, "health", "--server", url)
    assert (code, "does not answer as hoosh does (status 200)" in one_sentence(said)) == (1, True)


async def test_health_shows_the_providers(tmp_path):
    providers = [
        {"name": "a", "status": "ok", "reason": None, "retry_in_secs": None},
        {"name": "b", "status": "down", "reason": "failing", "retry_in_secs": 9.5},
    ]
    answers = {
        "/v1/health/ready": (503, {"status": "draining", "version": "0"}),
        "/v1/health/providers": (200, {"providers": providers}),
    }
    with saying(answers) as (url, asked):
        code, out, _ = await run(tmp_path, "health", "--server", url, environment={"HOOSH_KEY": "k"})
        assert (code, out.decode()) == (1, f"draining\t{url}\na\tok\t\t\nb\tdown\tfailing\t9.5 s\n")
        assert asked[1] == ("/v1/health/providers", "Bearer k")
        code, out, _ = await run(tmp_path, "health", "--server", url, "--json")
    assert json.loads(out) == {"status": "draining", "version": "0", "providers": providers}


async def test_pools_and_costs(tmp_path):
    pool = {"name": "default", "capacity": 100, "used": 30, "reserved": 10, "lost": 5, "available": 55}
    record = {"provider": "p", "model": "m", "requests": 2, "input_tokens": 3, "output_tokens": 4, "cost_usd": "0.25"}
    free = {**record, "model": "f", "cost_usd": None}
    costs = {"records": [record, free], "total_cost_usd": "0.25"}
    answers = {"/v1/tokens/pools": (200, {"pools": [pool]}), "/v1/costs": (200, costs)}
    with saying(answers) as (url, _):
        code, out, _ = await run(tmp_path, "pools", "--server", url)
        assert (code, out) == (0, b"default\t100\t30\t10\t5\t55\n")
        code, out, _ = await run(tmp_path, "costs", "--server", url)
        assert (code, out) == (0, b"p\tm\t2\t3\t4\t0.25\np\tf\t2\t3\t4\t-\ntotal\t\t\t\t\t0.25\n")
        code, out, said = await run(tmp_path, "costs", "--server", url, "--json")
        assert (json.loads(out), said) == (costs, "")


async def test_costs_without_a_price_are_no_zero(tmp_path):
    record = {"provider": "p", "model": "m", "requests": 3, "input_tokens": 3, "output_tokens": 4, "cost_usd": None}
    for unpriced, words in ((1, "1 request that used tokens has no price"), (2, "2 requests that used tokens have no")):
        costs = {"records": [record], "total_cost_usd": "0.000000", "unpriced_requests": unpriced}
        with saying({"/v1/costs": (200, costs)}) as (url, _):
            code, out, said = await run(tmp_path, "costs", "--server", url)
        assert (code, out) == (0, b"p\tm\t3\t3\t4\t-\ntotal\t\t\t\t\t-\n")
        assert words in said


async def test_info(folder):
    code, out, _ = await run(folder, "info", "--json")
    facts = json.loads(out)
    assert (code, facts["providers"], facts["configuration"]) == (0, 1, str(folder / "hoosh.toml"))
    code, out, _ = await run(folder, "info")
    assert (code, out.decode().splitlines()[0].split("\t")[0]) == (0, "version")


# --- explain ----------------------------------------------------------------------------------------------------


async def test_explain_in_this_process(folder, upstream):
    code, out, said = await run(folder, "explain", "-m", "fake-chat", "--stream", "--tools")
    assert (code, said) == (0, "")
    lines = out.decode().splitlines()
    assert lines[0] == "outcome\tasked"
    assert "1\tone\tfake-chat\tfree" in lines
    (folder / "request.json").write_text('{"model": "nope", "messages": [{"role": "user", "content": "Hi"}]}')
    code, out, _ = await run(folder, "explain", "request.json")
    assert code == 1
    assert b"refused with 404 model_not_found" in out
    code, out, _ = await run(folder, "explain", "request.json", "-m", "fake-chat", "--json")
    assert (code, json.loads(out)["request"]["model"]) == (0, "fake-chat")
    for arguments, word in ((["none.json"], "none.json"), (["hoosh.toml"], "not JSON"), (["-"], "not JSON")):
        code, _, said = await run(folder, "explain", *arguments)
        assert (code, word in one_sentence(said)) == (1, True)
    code, _, said = await run(folder, "explain")
    assert (code, "-m" in one_sentence(said)) == (2, True)
    assert [request for request in upstream.requests if request.method == "POST"] == []


async def test_explain_of_a_server_in_the_name_of_a_key(upstream, tmp_path):
    tokens = 'tokens = ["k", { token = "t", name = "team", models = ["other"], rate_limit_rpm = 3 }]\n'
    async with serving(f"[auth]\n{tokens}" + provider(upstream) + 'models = ["fake-chat"]\n') as (url, _):
        asked = ["explain", "-m", "fake-chat", "--server", url]
        code, out, _ = await run(tmp_path, *asked, "--key", "k", "--json")
        assert (code, json.loads(out)["request"]["key"]) == (0, "key-1")
        code, out, _ = await run(tmp_path, *asked, "--key", "k", "--as", "team")
        assert code == 1
        assert "model_not_allowed" in out.decode()
        assert "excluded: key_scope" in out.decode()
        assert "key rate\tpasses, 3 a minute" in out.decode()
        code, _, said = await run(tmp_path, *asked, "--key", "t")
        assert (code, "[path_not_allowed]" in one_sentence(said)) == (1, True)
        code, out, _ = await run(tmp_path, *asked, "--key", "k", "--endpoint", "embeddings", "--json")
        assert json.loads(out)["request"]["endpoint"] == "embeddings"


# --- tokens -----------------------------------------------------------------------------------------------------


async def test_tokens_of_files(tmp_path):
    (tmp_path / "a").write_text("The quick brown fox")
    (tmp_path / "b").write_text("Hello, world!")
    code, out, _ = await run(tmp_path, "tokens", "a", "b", "-m", "gpt-4")
    assert (code, out) == (0, b"4\ta\n4\tb\n8\ttotal\n")
    code, out, _ = await run(tmp_path, "tokens", "a", "--json")
    assert json.loads(out) == {"model": "gpt-4o", "files": [{"file": "a", "tokens": 4}], "tokens": 4}
    code, out, _ = await run(tmp_path, "tokens")
    assert (code, out) == (0, b"0\t-\n")


async def test_tokens_that_cannot_be_counted(tmp_path):
    (tmp_path / "bytes").write_bytes(b"\xff")
    (tmp_path / "text").write_text("x")
    nameless = ["text", "-m", ""], "name of the model is empty"
    for arguments, word in (
        (["none"], "none"),
        (["bytes"], "UTF-8"),
        (["text", "-m", "llama3.2"], "llama3.2"),
        nameless,
    ):
        code, out, said = await run(tmp_path, "tokens", *arguments)
        assert (code, out, word in one_sentence(said)) == (1, b"", True)
