"""The Python in README.md runs, and says what it claims to say."""

import ast
import re
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def claims(block: str) -> list[tuple[str, object]]:
    """Expressions whose line ends in a comment that begins with a literal: `count(...)  # 4, offline`."""
    found = re.findall(r"^(\S.*?)  +# (-?\d+|'[^']*'|b'[^']*')", block, re.MULTILINE)
    return [(expression, ast.literal_eval(value)) for expression, value in found]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_runs_and_keeps_its_claims(block):
    names = {}
    exec(compile(block, "README.md", "exec"), names)
    for expression, value in claims(block):
        assert eval(expression, names) == value, expression


def test_there_is_something_to_run():
    assert sum(len(claims(block)) for block in BLOCKS) > 0
