"""JSON that no reader takes, and text that is none: said in one sentence, with what it is and where."""

import math

import pytest
from tests.python.test_cli import one_sentence, run

from hoosh import strict

NOWHERE = ("--server", "http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": {"b": [1, NaN]}}', "a.b[1] is nan"),
        ('[{"a": -1e999}]', "[0].a is -inf"),
        ('{"a": "b\\ud800"}', "a has half of a character (\\ud800) at character 2"),
        ('{"a": {"\\udfff": 1}}', "a name in a has half of a character (\\udfff) at character 1"),
        ('"\\udc00"', "the text has half of a character (\\udc00)"),
        ("[" * 100_000, "nested too deeply"),
        ("{", "Expecting property name"),
    ],
)
def test_what_json_cannot_hold_is_said_with_its_place(text, words):
    with pytest.raises(ValueError) as met:
        strict.read(text)
    assert words in str(met.value)


def test_what_is_written_is_read_again():
    value = {"a": [1, 2.5, None, True, "é😀"], "ü": {}}
    assert strict.written(value) == '{"a":[1,2.5,null,true,"é😀"],"ü":{}}'.encode()
    assert strict.read(strict.written(value)) == value
    for wrong in (math.nan, math.inf, "\ud800", {"\udc80": 1}):
        with pytest.raises(ValueError):
            strict.written([wrong])


@pytest.mark.parametrize("where", [NOWHERE, ()])
async def test_a_prompt_that_is_no_text_is_not_sent(where, tmp_path):
    for arguments, stdin in (([], b"caf\xe9"), ([b"caf\xe9"], b"")):
        code, out, said = await run(
            tmp_path, "infer", "-m", "m", *where, *arguments, stdin=stdin, environment={"PYTHONUTF8": "1"}
        )
        assert (code, out) == (1, b"")
        assert "messages[0].content has the byte 0xe9, which is no UTF-8, at character 4" in one_sentence(said)


@pytest.mark.parametrize("number", ["nan", "inf"])
async def test_a_temperature_that_is_no_number_is_not_sent(number, tmp_path):
    code, out, said = await run(tmp_path, "infer", "-m", "m", "--temperature", number, "Hi", *NOWHERE)
    assert (code, out) == (1, b"")
    assert f"temperature is {number}" in one_sentence(said)


@pytest.mark.parametrize(
    ("value", "words"),
    [("NaN", "is nan"), ("1e999", "is inf"), ('"\\ud800"', "half of"), ("[" * 100_000, "too deeply")],
)
async def test_a_file_that_no_server_takes_is_not_sent(value, words, tmp_path):
    (tmp_path / "r.json").write_text('{"model": "m", "messages": [], "x": ' + value + "}")
    for command in (["explain"], ["cache", "warm"]):
        code, out, said = await run(tmp_path, *command, "r.json", *NOWHERE)
        assert (code, out) == (1, b"")
        assert words in one_sentence(said)
        assert "Traceback" not in said
