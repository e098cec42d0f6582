"""The Python in README.md runs, and says what it claims to say."""

import ast
import re
from pathlib import Path

import pytest
import trio
from tests.python.conftest import provider
from tests.upstream import open_upstream

TEXT = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def claims(block: str) -> list[tuple[str, object]]:
    """Expressions whose line ends in a comment that begins with a literal: `count(...)  # 4, offline`."""
    found = re.findall(r"^(\S.*?)  +# (-?\d+|'[^']*'|b'[^']*')", block, re.MULTILINE)
    return [(expression, ast.literal_eval(value)) for expression, value in found]


def run(block):
    names = {}
    exec(compile(block, "README.md", "exec"), names)
    for expression, value in claims(block):
        assert eval(expression, names) == value, expression


@pytest.mark.parametrize("block", BLOCKS)
async def test_a_block_runs_and_keeps_its_claims(block, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("HOOSH_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    async with open_upstream(models=["llama3.2"]) as upstream:
        (tmp_path / "hoosh.toml").write_text(provider(upstream))
        # In a thread, as it has an event loop of its own.
        await trio.to_thread.run_sync(run, block, abandon_on_cancel=True)
    assert capsys.readouterr().out.count("You said: Why is the sky blue?") == block.count("(**ASK)")


def test_there_is_something_to_run():
    assert sum(len(claims(block)) for block in BLOCKS) > 0
    assert sum(block.count("(**ASK)") for block in BLOCKS) > 0
