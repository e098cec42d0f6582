"""Libraries as clients, unmodified, each in its own dialect before an upstream that speaks OpenAI's chat only."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import trio
from tests.clients.looked import CONFIG, looked_at, scripted
from tests.clients.scripted import listening
from tests.python.conftest import provider, serving

FOLDER = Path(__file__).parent
PYTHONS = {"new": "HOOSH_CLIENTS_PYTHON", "old": "HOOSH_CLIENTS_OLD_PYTHON"}
OLD = {"anthropic", "google", "openai"}
"""What is there in a second major too."""

CASES = [
    pytest.param(which, file.stem, case, id=f"{which}-{file.stem}-{case}")
    for file in sorted((FOLDER / "scripts").glob("*.py"))
    for which in PYTHONS
    if which == "new" or file.stem in OLD
    for case in re.findall(r"^(?:async )?def (\w+)\(url\):", file.read_text(encoding="utf-8"), re.MULTILINE)
]


@pytest.mark.parametrize(("which", "module", "case"), CASES)
async def test_case(which, module, case):
    python = os.environ.get(PYTHONS[which])
    if python is None:
        pytest.skip(f"{PYTHONS[which]} names no Python with the clients: make test-clients")
    with listening(scripted()) as upstream:
        async with serving(provider(upstream) + CONFIG) as (url, _):
            with trio.fail_after(300):
                child = await trio.run_process(
                    [python, "run.py", f"scripts.{module}", case, url],
                    capture_stdout=True,
                    stderr=subprocess.STDOUT,
                    check=False,
                    cwd=FOLDER,
                    # LiteLLM asks the network for prices otherwise.
                    env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONPATH": ""},
                )
    looked_at(upstream, child.returncode, child.stdout.decode())
