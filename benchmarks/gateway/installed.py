"""The peers that this suite installs, each in an environment of its own, of a version that is named here."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from load import Bench
from servers import Server, free_port

HOME = Path(__file__).resolve().parents[2] / ".peers"
# Pinned to a release that was looked at, because one of them was once replaced by somebody else's.
LITELLM = "litellm[proxy]==1.108.7"
PORTKEY = "@portkey-ai/gateway@1.15.2"

LITELLM_CONFIG = """
model_list:
  - model_name: small-chat-1
    litellm_params:
      model: openai/small-chat-1
      api_base: http://127.0.0.1:{upstream}/v1
      api_key: operator-key
litellm_settings:
  telemetry: false
  set_verbose: false
"""


def peers(bench: Bench, upstream: int) -> tuple[list[Server], list[str]]:
    """Those that are there, and why others are not."""
    found, notes = [], []
    for make in (litellm, portkey):
        made = make(bench, upstream)
        if isinstance(made, str):
            notes.append(made)
        else:
            found.append(made)
    return found, notes


def litellm(bench: Bench, upstream: int) -> Server | str:
    program = HOME / "litellm" / "bin" / "litellm"
    if not program.exists():
        return f"LiteLLM is not there: `{sys.argv[0]} --install` puts {LITELLM} into {HOME.name}/litellm."
    config, port = bench.folder / "litellm.yaml", free_port()
    config.write_text(LITELLM_CONFIG.format(upstream=upstream))
    command = [str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    environment = {**os.environ, "LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_DOCS": "True"}
    # As the bare hoosh: on this machine alone, without keys.
    environment["LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY"] = "true"
    environment.pop("PYTHONPATH", None)
    return Server(f"LiteLLM {LITELLM.partition('==')[2]}", command, port, bench.gateway, env=environment)


def portkey(bench: Bench, upstream: int) -> Server | str:
    script = HOME / "portkey" / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    if not script.exists():
        return (
            f"Portkey is not there: `{sys.argv[0]} --install` puts {PORTKEY} into {HOME.name}/portkey, if there is npm."
        )
    port = free_port()
    command = ["node", str(script), f"--port={port}", "--headless"]
    environment = {**os.environ, "NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost"}
    server = Server(f"Portkey {PORTKEY.rpartition('@')[2]}", command, port, bench.gateway, env=environment)
    host = f"http://127.0.0.1:{upstream}/v1"
    server.headers = [
        "x-portkey-provider: openai",
        f"x-portkey-custom-host: {host}",
        "Authorization: Bearer operator-key",
    ]
    return server


def install() -> None:
    """Both, if they are not there; what cannot be had is told and left out."""
    HOME.mkdir(exist_ok=True)
    if not (HOME / "litellm" / "bin" / "litellm").exists():
        print(f"Installing {LITELLM} (about two minutes) ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(HOME / "litellm")], check=True)
        _try([str(HOME / "litellm" / "bin" / "pip"), "install", "--quiet", LITELLM])
    if (HOME / "portkey" / "node_modules").exists():
        return
    if shutil.which("npm"):
        print(f"Installing {PORTKEY} ...", flush=True)
        _try(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(HOME / "portkey"), PORTKEY])
    else:
        print(f"There is no npm, so {PORTKEY} is left out.")


def _try(command: list[str]) -> None:
    if subprocess.run(command, check=False).returncode != 0:
        print(f"{command[-1]} could not be installed: it is left out.")
