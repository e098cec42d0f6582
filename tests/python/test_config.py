"""hoosh.Config as Python sees it; what may be written is tested in native/core/tests/config.rs."""

from pathlib import Path

import pytest

from hoosh import Config
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


def test_the_example_file_is_whole():
    text = (Path(__file__).parents[2] / "hoosh.example.toml").read_text(encoding="utf-8")
    assert Config.parse(text, {"OPENAI_API_KEY": "x"}).warnings == []
