"""What the tests of native/candle expect is what llama.cpp and Python's Jinja say."""

import subprocess
from pathlib import Path

import pytest

from tests.llamacpp.conftest import ENVIRONMENT

FOLDER = Path(__file__).resolve().parent
FIXTURES = FOLDER.parents[1] / "native" / "candle" / "tests" / "fixtures"


@pytest.mark.parametrize("script", ["make_vocabularies.py", "make_prompts.py"])
def test_the_fixtures_are_what_is_said_today(script, tmp_path):
    subprocess.run([ENVIRONMENT / "bin" / "python", FOLDER / script, tmp_path], check=True)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    for path in written:
        assert path.read_text() == (FIXTURES / path.relative_to(tmp_path)).read_text(), path.name
