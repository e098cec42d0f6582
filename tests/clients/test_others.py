"""Clients in Go and JavaScript, unmodified, each in its own dialect before an upstream that speaks OpenAI's chat only."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from tests.clients.looked import CONFIG, looked_at, scripted
from tests.clients.scripted import listening
from tests.python.conftest import provider, serving

FOLDER = Path(__file__).parent
# Where `scripts/requirements.py js` puts node, and where go's own archive does.
PATH = os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent), "/usr/local/go/bin"])
WANTED = bool(os.environ.get("HOOSH_CLIENTS_PYTHON"))
JS = [
    (module, case)
    for module in ("sdks", "vercel")
    for case in re.findall(
        r"^export (?:async function|const) (\w+)",
        (FOLDER / f"js/{module}.mjs").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
]
GO = re.findall(r'^\t"(\w+)": ', (FOLDER / "go/main.go").read_text(encoding="utf-8"), re.MULTILINE)

pytestmark = pytest.mark.skipif(not WANTED, reason="make test-clients installs the clients first")


async def looks(command, folder):
    """Runs the command with the gateway's URL after it, and looks at what its upstream was asked."""
    with listening(scripted()) as upstream:
        async with serving(provider(upstream) + CONFIG) as (url, _):
            with trio.fail_after(300):
                child = await trio.run_process(
                    [*command, url],
                    capture_stdout=True,
                    stderr=subprocess.STDOUT,
                    check=False,
                    cwd=folder,
                    env={**os.environ, "PATH": PATH},
                )
    looked_at(upstream, child.returncode, child.stdout.decode())


@pytest.mark.parametrize(("module", "case"), JS)
async def test_javascript(module, case):
    node = shutil.which("node", path=PATH)
    if node is None or not (FOLDER / "js/node_modules").exists():
        pytest.skip("node, or the clients in tests/clients/js, are not installed")
    await looks([node, "run.mjs", module, case], FOLDER / "js")


@pytest.mark.parametrize("case", GO)
async def test_go(case):
    go = shutil.which("go", path=PATH)
    if go is None:
        pytest.skip("go is not installed: https://go.dev/dl")
    await looks([go, "run", ".", case], FOLDER / "go")
