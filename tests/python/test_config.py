"""hoosh.Config as Python sees it; what may be written is tested in native/core/tests/config."""

import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import httpx2
import pytest
import trio
from tests.upstream import open_upstream

from hoosh import Config, Server, _credential, _environment
from hoosh.errors import ConfigError

TEXT = """\
[server]
port = 9000

[[providers]]
type = "openai"
api_key = "$KEY"
"""


def test_a_file_is_parsed_with_the_environment_given():
    config = Config.parse(TEXT, {"KEY": "sk-secret"})
    assert (config.bind, config.port) == ("127.0.0.1", 9000)
    assert "port = 9000" in config.describe()
    assert "sk-secret" not in config.describe() + repr(config)


def test_what_is_described_parses_again():
    config = Config.parse(TEXT, {"KEY": "sk-secret"})
    assert Config.parse(config.describe(), {}).describe() == config.describe()


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [("[server]\nprot = 1\n", 2, "port"), (TEXT, 6, "KEY"), ("[server", 1, "")],
)
def test_a_mistake_has_its_line_and_the_way_out(text, line, word):
    with pytest.raises(ConfigError) as caught:
        Config.parse(text, {})
    assert caught.value.line == line
    assert word in caught.value.message
    assert str(caught.value).startswith(f"line {line}: ")


def test_without_a_file_the_environment_decides():
    assert "sk-secret" not in Config.found({"OPENAI_API_KEY": "sk-secret"}).describe()
    assert "api.openai.com" in Config.found({"OPENAI_API_KEY": "sk-secret"}).describe()
    assert "api.openai.com" not in Config.found({}).describe()


def test_engines_are_told_with_who_makes_them():
    text = """
[[providers]]
type = "engine"
name = "mine"
[[providers]]
type = "python:my_models:Echo"
options = { greeting = "Hello", at = 2026-01-02 }
[[providers]]
type = "deep-thought"
[[providers]]
type = "ollama"
"""
    config = Config.parse(text, {}, None, lambda: ["deep-thought"])
    assert config.engines() == [
        ("mine", "engine", "", "{}"),
        ("Echo", "python", "my_models:Echo", '{"at":"2026-01-02","greeting":"Hello"}'),
        ("deep-thought", "engine", "entry:deep-thought", "{}"),
    ]
    assert "Hello" not in config.describe()


def test_what_packages_offer_is_looked_up_by_their_entry_points(tmp_path, monkeypatch):
    package = tmp_path / "thinking-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: thinking\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[hoosh.providers]\ndeep-thought = thinking:Thought\n")
    text = '[[providers]]\ntype = "deep-thought"\n'
    with pytest.raises(ConfigError, match="known are ollama"):
        _environment.parse(text)
    monkeypatch.syspath_prepend(tmp_path)
    assert _environment.parse(text).engines()[0][2] == "entry:deep-thought"
    with pytest.raises(ConfigError, match="did you mean `deep-thought`"):
        _environment.parse(text.replace("thought", "thougt"))


@pytest.mark.parametrize("offered", [lambda: 1 / 0, lambda: 3])
def test_a_type_that_cannot_be_looked_up_is_not_known(offered):
    with pytest.raises(ConfigError, match="is not known"):
        Config.parse('[[providers]]\ntype = "deep-thought"\n', {}, None, offered)


CATALOGUE = """\
[[catalogue.providers]]
name = "acme"
origin = "https://{host}"
"""
CATALOGUED = '[catalogue]\nfile = "catalogue.toml"\n\n[[providers]]\ntype = "acme"\n'


def test_a_catalogues_file_is_found_beside_the_configuration_and_read_again(tmp_path, monkeypatch):
    file, catalogue = tmp_path / "hoosh.toml", tmp_path / "catalogue.toml"
    file.write_text(CATALOGUED)
    monkeypatch.chdir("/")
    for host in ("one.example", "two.example"):
        catalogue.write_text(CATALOGUE.format(host=host))
        # It is no secret: whoever asks no provider reads it too.
        for secrets in (True, False):
            assert host in _environment.load(file, secrets=secrets)[0].describe()
        assert host in Server.builder().config(file).build().config.describe()
    catalogue.write_text("[[catalogue.providers]]\nname = 1\n")
    with pytest.raises(ConfigError, match=r"catalogue\.toml, line 2: `name` in ") as raised:
        _environment.load(file)
    assert raised.value.line == 2
    catalogue.unlink()
    with pytest.raises(ConfigError, match=f"the file {re.escape(str(catalogue))} cannot be read: No such file"):
        _environment.load(file)


def test_a_text_finds_its_catalogues_file_in_the_working_directory(tmp_path, monkeypatch):
    (tmp_path / "catalogue.toml").write_text(CATALOGUE.format(host="one.example"))
    monkeypatch.chdir(tmp_path)
    assert "one.example" in _environment.parse(CATALOGUED).describe()


def test_the_example_file_is_whole():
    text = (Path(__file__).parents[2] / "hoosh.example.toml").read_text(encoding="utf-8")
    assert Config.parse(text, {"OPENAI_API_KEY": "x"}).warnings == []


KEYED = '[[providers]]\ntype = "openai_compatible"\nbase_url = "{url}"\nmodels = ["fake-chat"]\napi_key = {key}\n'


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ('{ file = "none" }', "the file none cannot be read: No such file"),
        ('{ file = "bytes" }', "no text in UTF-8"),
        ('{ command = ["/nowhere/op"] }', "cannot be run: No such file"),
        ('{ command = ["sh", "-c", "echo s3cr3t; echo s3cr3t >&2; exit 3"] }', "ended with 3"),
        ('{ command = ["sh", "-c", "echo two words"] }', "visible ASCII"),
        ('{ command = ["sleep", "60"] }', "did not end within 0.2 seconds"),
    ],
)
def test_a_credential_that_cannot_be_had_is_told_without_its_text(key, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_credential, "COMMAND_SECONDS", 0.2 if "sleep" in key else 10)
    (tmp_path / "bytes").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=words) as caught:
        _environment.parse(KEYED.format(url="http://localhost:1", key=key))
    assert "s3cr3t" not in str(caught.value)
    assert "two words" not in str(caught.value)


async def test_a_credential_in_a_file_is_sent_and_read_again_at_sighup(tmp_path):
    async with open_upstream() as upstream:
        (tmp_path / "key").write_text("first\n")
        text = KEYED.format(url=upstream.url, key='{ file = "key" }') + "[server]\nport = 0\n"
        (tmp_path / "hoosh.toml").write_text(text)
        async with trio.open_nursery() as nursery:
            start = partial(trio.run_process, [sys.executable, "-m", "hoosh", "serve"], cwd=tmp_path, check=False)
            process = await nursery.start(partial(start, stderr=subprocess.PIPE))
            try:
                with trio.fail_after(60):
                    said = await until(process, b"Try: ")
                    address = re.search(r"http://[\d.:]+", said)[0]
                    assert await authorization(address, upstream) == "Bearer first"
                    (tmp_path / "key").write_text("second\n")
                    process.send_signal(signal.SIGHUP)
                    await until(process, b"Reloaded")
                    assert await authorization(address, upstream) == "Bearer second"
                    (tmp_path / "key").unlink()
                    process.send_signal(signal.SIGHUP)
                    assert "key cannot be read" in await until(process, b"Kept the configuration")
                    assert await authorization(address, upstream) == "Bearer second"
            finally:
                process.terminate()


async def until(process, words):
    said = b""
    while words not in said or not said.endswith(b"\n"):
        said += await process.stderr.receive_some()
        assert process.returncode is None, said
    return said.decode()


async def authorization(address, upstream):
    body = {"model": "fake-chat", "messages": [{"role": "user", "content": "Hi"}]}
    async with httpx2.AsyncClient(timeout=30) as http:
        assert (await http.post(f"{address}/v1/chat/completions", json=body)).status_code == 200
    return upstream.requests[-1].header("authorization")
