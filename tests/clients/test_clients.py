"""LangChain and LiteLLM as OpenAI clients, each case a run in an environment of their own: `make test-clients`."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import trio
from tests.python.conftest import provider, serving

FOLDER = Path(__file__).parent
PYTHON = os.environ.get("HOOSH_CLIENTS_PYTHON")
CASES = [
    (file.stem, case)
    for file in sorted(FOLDER.glob("*_client.py"))
    for case in re.findall(r"^(?:async )?def (\w+)\(url\):", file.read_text(encoding="utf-8"), re.MULTILINE)
]


@pytest.mark.skipif(PYTHON is None, reason="make test-clients says where they are installed")
@pytest.mark.parametrize(("module", "case"), CASES)
async def test_case(upstream, module, case):
    tight = "[retry]\nbase_delay_ms = 1\n[deadlines]\nfirst_byte_secs = 30\n"
    async with serving(tight + provider(upstream)) as (url, app):
        await app.driver.listed()
        upstream.requests.clear()
        # LiteLLM asks the network for prices otherwise.
        environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONPATH": ""}
        with trio.fail_after(300):
            child = await trio.run_process(
                [PYTHON, "run.py", module, case, url],
                capture_stdout=True,
                stderr=subprocess.STDOUT,
                check=False,
                cwd=FOLDER,
                env=environment,
            )
        said = child.stdout.decode()
        assert child.returncode == 0, said
        seen = json.loads(said.splitlines()[-1])
        if "asked" in seen:
            assert len(upstream.requests) == seen["asked"]
