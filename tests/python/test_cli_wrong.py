"""The command line where something is missing, wrong, or of somebody else: what it says is true, and says what to do."""

import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import tomllib
from functools import partial
from pathlib import Path

import httpx2
import pytest
import trio
from tests.python.conftest import provider, serving
from tests.python.test_cli import COMMAND, one_sentence, run
from tests.python.test_commands import saying
from tests.python.test_readme import LOCAL_PORTS

from hoosh import Config, advice
from hoosh._driver import Driver
from hoosh._native import provider_types
from hoosh.announce import Voice

NO_KEYS = {variable: "" for _, _, variable, _ in provider_types() if variable}
"""An environment in which no service is found."""


@pytest.fixture
def folder(upstream, tmp_path):
    (tmp_path / "hoosh.toml").write_text(provider(upstream) + 'models = ["fake-chat"]\n')
    return tmp_path


@pytest.fixture
def nothing_local():
    """No local server answers on its default port."""
    for port in LOCAL_PORTS:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                pytest.skip(f"something answers on port {port}")


# --- with nothing to ask ------------------------------------------------------------------------------------------------
async def test_init_that_finds_nothing_writes_the_demonstration_and_shows_the_way(tmp_path, nothing_local):
    code, out, said = await run(tmp_path, "init", environment=NO_KEYS)
    assert (code, out) == (0, b"")
    assert said.startswith("Wrote hoosh.toml with 1 provider.")
    assert "take the marks (#) away" in said
    assert "hoosh init --force" in said
    assert 'hoosh infer -m hoosh-tiny "What is hoosh?"' in said
    providers = tomllib.loads((tmp_path / "hoosh.toml").read_text())["providers"]
    assert providers == [{"name": "local", "type": "candle"}]
    # With such a file nothing is found beside it.
    code, out, said = await run(tmp_path, "models", environment=NO_KEYS)
    assert (code, out) == (0, b"hoosh-tiny\tlocal\t512\t\t\tstructured_output\n")
    code, out, said = await run(tmp_path, "infer", "What is hoosh?", environment=NO_KEYS)
    assert (code, said) == (0, "Asking hoosh-tiny; name another with -m.\n")
    assert b"gateway" in out


async def test_with_a_file_that_names_nobody_models_and_infer_say_so(tmp_path):
    (tmp_path / "hoosh.toml").write_text("[server]\n")
    code, out, said = await run(tmp_path, "models", environment=NO_KEYS)
    assert (code, out) == (1, b"")
    assert "no provider is in hoosh.toml" in said
    assert "Ollama" not in said
    for command in (["infer", "-m", "x", "Hi"], ["infer", "Hi"]):
        code, _, said = await run(tmp_path, *command, environment=NO_KEYS)
        assert (code, "no provider is in hoosh.toml" in one_sentence(said)) == (1, True)


async def test_without_a_file_and_anything_found_there_is_the_demonstration(tmp_path, nothing_local):
    code, out, _ = await run(tmp_path, "models", environment=NO_KEYS)
    assert (code, out) == (0, b"hoosh-tiny\tlocal\t512\t\t\tstructured_output\n")
    code, _, said = await run(tmp_path, "infer", "-m", "x", "Hi", environment=NO_KEYS)
    assert (code, said.count("\n")) == (1, 1)


async def test_explain_says_that_nobody_has_said_to_have_a_model(tmp_path):
    (tmp_path / "hoosh.toml").write_text('[[providers]]\ntype = "ollama"\nbase_url = "http://127.0.0.1:9"\n')
    code, out, said = await run(tmp_path, "explain", "-m", "x")
    assert (code, out.startswith(b"outcome\tasked\n")) == (0, True)
    assert said.startswith("No model can be asked yet: no provider in hoosh.toml has said that it has one.")


def test_advice_names_what_is_there():
    assert "hoosh check --config a.toml" in str(advice.no_models(Path("a.toml"), 2))
    assert "hoosh check`" in str(advice.no_models(Path("hoosh.toml"), 2))
    assert "in the configuration" in str(advice.no_models("built in this program", 0))
    assert str(advice.no_models(None, 9)).count("\n  - ") == 3


async def test_a_server_without_models_is_said_to_be_so(tmp_path):
    with saying({"/v1/models": (200, {"object": "list", "data": []})}) as (url, _):
        code, _, said = await run(tmp_path, "models", "--server", url)
    assert (code, url in said, "Its log" in said) == (1, True, True)


@pytest.mark.parametrize("prompt", [[""], [" \n"], []])
async def test_an_empty_prompt_is_not_sent(prompt, folder, upstream):
    code, out, said = await run(folder, "infer", "-m", "fake-chat", *prompt)
    assert (code, out) == (2, b"")
    assert "prompt is empty" in one_sentence(said)
    assert upstream.requests == []


# --- an answer that does not come, or is not read -----------------------------------------------------------------------


async def test_an_error_in_mid_answer_begins_on_a_line_of_its_own(folder, upstream):
    upstream.plan(close_after=700)
    code, out, said = await run(folder, "infer", "-m", "fake-chat", "one two three four")
    assert (code, "[upstream_truncated]" in one_sentence(said)) == (1, True)
    assert re.fullmatch(rb"You.*\n", out)


@pytest.mark.parametrize("command", [["infer", "-m", "fake-chat", "Hi"], ["check"], ["--help"], ["--version"]])
async def test_a_reader_who_has_enough_ends_it_quietly(folder, command):
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        code, _, said = await run(folder, *command, stdout=theirs)
    finally:
        os.close(theirs)
    assert (code, said) == (141, "")


# --- who is asked -------------------------------------------------------------------------------------------------------


async def test_a_key_that_no_header_can_hold_is_not_blamed_on_the_address(tmp_path):
    for key in ("schlüssel", "a\nb"):
        code, _, said = await run(tmp_path, "models", "--server", "http://127.0.0.1:9", "--key", key)
        assert (code, said.startswith("hoosh: The key holds")) == (1, True)
        assert "address" not in one_sentence(said)


@pytest.mark.parametrize("url", ["http://", "http://127.0.0.1:99999", "ftp://127.0.0.1:1", "http://127.0.0.1:x"])
async def test_an_address_that_is_none(url, tmp_path):
    code, _, said = await run(tmp_path, "models", "--server", url)
    assert (code, "http://HOST:PORT" in one_sentence(said)) == (1, True)


async def test_health_says_that_a_key_is_wrong(upstream, tmp_path):
    async with serving('[auth]\ntokens = ["k"]\n' + provider(upstream)) as (url, _):
        code, out, said = await run(tmp_path, "health", "--server", url, "--key", "wrong")
        assert (code, out.decode()) == (1, f"ready\t{url}\n")
        assert "[invalid_api_key]" in one_sentence(said)
        code, out, said = await run(tmp_path, "health", "--server", url, "--key", "wrong", "--json")
        assert (code, json.loads(out)["status"]) == (1, "ready")
        code, out, said = await run(tmp_path, "health", "--server", url, "--key", "k")
        assert (code, b"one\t" in out, said) == (0, True, "")
        # Whether it is ready everybody may know.
        code, out, said = await run(tmp_path, "health", "--server", url)
        assert (code, out.decode(), said) == (0, f"ready\t{url}\n", "")


PATHS = ("/v1/models", "/v1/health/ready", "/v1/tokens/pools", "/v1/costs")
ASKING = [
    ["models"],
    ["health"],
    ["pools"],
    ["costs"],
    ["infer", "-m", "x", "Hi"],
    ["infer", "-m", "x", "Hi", "--json"],
]


@pytest.mark.parametrize("page", [b"<html>SECRET</html>", [1], {"SECRET": 1}])
@pytest.mark.parametrize("status", [200, 404])
async def test_a_server_that_is_not_hoosh_is_not_quoted(page, status, tmp_path):
    with saying(dict.fromkeys(PATHS, (status, page))) as (url, _):
        for command in ASKING:
            code, out, said = await run(tmp_path, *command, "--server", url)
            assert (code, out) == (1, b"")
            assert f"{url} does not answer as hoosh does (status " in one_sentence(said)
            assert "SECRET" not in said


async def test_something_that_speaks_no_http_is_not_quoted(tmp_path):
    async def answer(stream):
        await stream.receive_some()
        await stream.send_all(b"SSH-2.0-SECRET\r\n")
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, answer, 0, host="127.0.0.1"))
        url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        code, _, said = await run(tmp_path, "models", "--server", url)
        nursery.cancel_scope.cancel()
    assert (code, "does not answer as hoosh does" in one_sentence(said), "SECRET" in said) == (1, True, False)


async def test_info_says_what_it_can_of_a_wrong_file(tmp_path):
    (tmp_path / "bad.toml").write_text("[server]\nprot = 1\n")
    code, out, said = await run(tmp_path, "info", "--config", "bad.toml")
    assert code == 1
    assert "`prot`" in one_sentence(said)
    facts = dict(line.split("\t") for line in out.decode().splitlines())
    assert facts["configuration"] == str(tmp_path / "bad.toml")
    assert facts["version"]
    assert not {"providers", "address", "server", "error"} & {*facts}
    code, out, _ = await run(tmp_path, "info", "--config", "bad.toml", "--json")
    assert (code, json.loads(out)["error"]["line"]) == (1, 2)
    with saying({"/v1/health": (200, {"version": "9.9"})}) as (url, _):
        code, out, _ = await run(tmp_path, "info", "--config", "bad.toml", "--server", url)
    assert (code, b"server\t9.9\n" in out) == (1, True)


async def test_a_model_whose_tokens_nobody_can_count(tmp_path):
    code, _, said = await run(tmp_path, "tokens", "-m", "llama3.2")
    assert code == 1
    assert "`-m`" in one_sentence(said)
    assert "encoding" not in said


# --- hoosh serve --------------------------------------------------------------------------------------------------------


async def served(folder, text, *options, until):
    """What `hoosh serve` says until it has said all of `until`, and then at its end."""
    (folder / "hoosh.toml").write_text(text)
    command = [*COMMAND, "serve", "--port", "0", *options]
    async with trio.open_nursery() as nursery:
        start = partial(trio.run_process, command, cwd=folder, check=False, env={**os.environ, **NO_KEYS})
        process = await nursery.start(partial(start, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE))
        said = b""
        try:
            with trio.fail_after(60):
                while not all(words in said for words in until):
                    more = await process.stderr.receive_some()
                    assert more, said
                    said += more
                process.send_signal(signal.SIGTERM)
                while more := await process.stderr.receive_some():
                    said += more
        finally:
            if process.returncode is None:
                process.kill()
    return said.decode().splitlines()


async def test_serve_of_a_file_without_providers_says_so(tmp_path):
    said = await served(tmp_path, "[server]\n", until=[b"move it away"])
    assert any(line.startswith("No model can be asked: no provider is in hoosh.toml") for line in said)


async def test_the_first_answer_asks_nothing_where_keys_are_asked_for(upstream, tmp_path):
    text = '[auth]\ntokens = ["k"]\n' + provider(upstream) + 'models = ["fake-chat"]\n'
    said = await served(tmp_path, text, "--first-answer", until=[b"Try: "])
    assert any(line.startswith("Keys are configured, so the first question is yours") for line in said)
    assert not any(" 401 " in line for line in said)
    assert upstream.requests == []


async def test_the_first_answer_is_not_looked_for_through_the_port(tmp_path):
    said = await served(tmp_path, "[server]\n", "--first-answer", until=[b"move it away"])
    assert not any("/v1/models" in line or "first question" in line for line in said)


async def test_the_first_answer_is_given_up_in_silence_when_the_server_stops(upstream, tmp_path):
    upstream.plan(stall="head")
    text = "[server]\ndrain_secs = 1\n" + provider(upstream) + 'models = ["fake-chat"]\n'
    said = await served(tmp_path, text, "--first-answer", until=[b"Asking fake-chat"])
    assert not any("first question" in line or "did not answer" in line for line in said)


async def test_the_first_answer_is_shown(upstream, tmp_path):
    text = provider(upstream) + 'models = ["fake-chat"]\n'
    said = await served(tmp_path, text, "--first-answer", until=[b"It answers: "])
    assert any(line.startswith("It answers: You said: Say hello") for line in said)


async def test_with_a_json_log_every_line_is_json(upstream, tmp_path):
    text = f'[log]\naccess = "json"\n{provider(upstream)}models = ["fake-chat"]\n'
    said = [json.loads(line) for line in await served(tmp_path, text, "--first-answer", until=[b"It answers: "])]
    told = [line.get("message") for line in said]
    assert told[0].startswith("hoosh is listening on http://")
    assert any(str(words).startswith("Try: curl") for words in told)
    assert "Stopping: requests in progress may end. Signal again to stop at once." in told
    assert [line["path"] for line in said if "path" in line and line["status"] == 200]


CRASH = """
import os, sys
from hoosh import SyncGateway
with SyncGateway(sys.argv[1]) as gateway:
    gateway.chat(model="fake-chat", messages=[{"role": "user", "content": "Hi"}], max_tokens=10)
    os._exit(9)
"""


async def test_a_start_after_a_crash_says_what_it_cost_once(upstream, tmp_path):
    # Everybody's, so that the chat cannot be answered before its tokens are leased.
    budget = '[[budgets]]\nname = "default"\ncapacity = 9_000\nslice = 3_000\n'
    text = f'{provider(upstream)}models = ["fake-chat"]\n{budget}[storage]\npath = "hoosh.db"\n'
    done = await trio.run_process([sys.executable, "-c", CRASH, text], cwd=tmp_path, check=False)
    assert done.returncode == 9
    said = await served(tmp_path, text, until=[b"written off", b"Try: "])
    [line] = [line for line in said if "written off" in line]
    assert re.search(r" warn Budget default: [1-9]\d* tokens are written off as spent", line)
    said = await served(tmp_path, text, until=[b"Try: "])
    assert not any("written off" in line for line in said)


# --- the store, and the cache -------------------------------------------------------------------------------------------


async def test_no_backup_of_a_damaged_store_is_made(tmp_path):
    (tmp_path / "hoosh.toml").write_text('[storage]\npath = "hoosh.db"\n')
    await served(tmp_path, (tmp_path / "hoosh.toml").read_text(), until=[b"move it away"])
    file = tmp_path / "hoosh.db"
    code, _, said = await run(tmp_path, "store", "backup", "copy.db")
    assert (code, said) == (0, "")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] + b"Z" * (len(whole) - len(whole) // 2))
    code, _, said = await run(tmp_path, "store", "backup", "other.db")
    assert code == 1
    assert "hoosh.db is damaged" in one_sentence(said)
    assert "`hoosh store check`" in said
    assert not (tmp_path / "other.db").exists()
    code, _, _ = await run(tmp_path, "store", "check")
    assert code == 1


def chats(number):
    return "\n".join(
        json.dumps({"model": "fake-chat", "messages": [{"role": "user", "content": f"{n}"}]}) for n in range(number)
    )


async def test_warming_asks_nothing_where_there_is_no_cache_or_nobody(upstream, tmp_path):
    (tmp_path / "a.jsonl").write_text(chats(20))
    async with serving(provider(upstream) + 'models = ["fake-chat"]\n') as (url, _):
        code, out, said = await run(tmp_path, "cache", "warm", "a.jsonl", "--server", url)
    assert (code, out) == (1, b"")
    assert "[no_cache]" in one_sentence(said)
    assert [request for request in upstream.requests if request.method == "POST"] == []
    code, out, said = await run(tmp_path, "cache", "warm", "a.jsonl", "--server", url)
    assert (code, out) == (1, b"")
    assert "Nothing answers at" in one_sentence(said)


def test_what_python_logs_is_said_in_the_same_form(monkeypatch, capsys):
    log = logging.getLogger("hoosh")
    monkeypatch.setattr(log, "propagate", False)  # the test's own handler
    for access in ("json", "text"):
        driver = Driver(Config.parse(f'[log]\naccess = "{access}"\n', {}))
        with Voice(driver.gateway, driver.log).hearing():
            log.info("not said")
            log.warning("The store\nworks %s.", "again")
        said = capsys.readouterr().err
        if access == "json":
            line = json.loads(said)
            assert (line["level"], line["message"]) == ("warn", "The store\nworks again.")
        else:
            assert said == "The store\nworks again.\n"
    assert log.handlers == []


async def test_a_server_goes_on_when_nobody_listens_to_what_it_says(tmp_path):
    """Its first line has the port; then the reader goes."""
    (tmp_path / "hoosh.toml").write_text("")
    async with trio.open_nursery() as nursery:
        start = partial(trio.run_process, [*COMMAND, "serve", "--port", "0"], cwd=tmp_path, check=False)
        process = await nursery.start(partial(start, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE))
        try:
            with trio.fail_after(60):
                said = b""
                while b"\n" not in said:
                    said += await process.stderr.receive_some()
                await process.stderr.aclose()
                url = re.search(r"http://\S+", said.decode())[0]
                async with httpx2.AsyncClient() as http:
                    for _ in range(3):
                        assert (await http.get(f"{url}/v1/models")).status_code == 200
                process.send_signal(signal.SIGTERM)
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
    assert process.returncode == 0
