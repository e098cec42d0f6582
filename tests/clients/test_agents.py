"""Coding agents' command lines, unmodified: each has a file written by a model that speaks another dialect than it does."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import trio
from tests.clients.scripted import Scripted, listening
from tests.python.conftest import provider, serving

COMMANDS = os.environ.get("HOOSH_CLIENTS_CLI")
PROMPT = "Write hello into hello.txt, then say that you did."
SAID = "hello.txt is written now."
WROTE = "hello from the model\n"
SECRET = "sk-of-this-machine-only"

pytestmark = pytest.mark.skipif(COMMANDS is None, reason="make test-clients says where the command lines are installed")


def claude(url, home, work):
    # https://docs.claude.com/en/docs/claude-code/settings (environment variables).
    environment = {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": SECRET,
        "ANTHROPIC_MODEL": "scripted",
        "ANTHROPIC_SMALL_FAST_MODEL": "scripted",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "CLAUDE_CONFIG_DIR": str(home / ".claude"),
    }
    command = ["claude", "-p", PROMPT, "--model", "scripted", "--allowedTools", "Write"]
    return command, environment, {"Write": {"file_path": str(work / "hello.txt"), "content": WROTE}}


def codex(url, home, work):
    # https://github.com/openai/codex/blob/main/docs/config.md: a provider of one's own, and no telemetry.
    folder = home / ".codex"
    folder.mkdir()
    (folder / "config.toml").write_text(
        'model = "scripted"\nmodel_provider = "hoosh"\nweb_search = "disabled"\ncheck_for_update_on_startup = false\n'
        '[analytics]\nenabled = false\n[otel]\nexporter = "none"\n'
        f'[model_providers.hoosh]\nname = "hoosh"\nbase_url = "{url}/v1"\nenv_key = "HOOSH_KEY"\nwire_api = "responses"\n'
    )
    command = ["codex", "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", PROMPT]
    environment = {"CODEX_HOME": str(folder), "HOOSH_KEY": SECRET}
    return command, environment, {"exec_command": {"cmd": f"printf '{WROTE}' > hello.txt"}}


def gemini(url, home, work):
    # https://github.com/google-gemini/gemini-cli/blob/main/docs/reference/configuration.md
    folder = home / ".gemini"
    folder.mkdir()
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
        "telemetry": {"enabled": False},
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    environment = {
        "GOOGLE_GEMINI_BASE_URL": url,
        "GEMINI_API_KEY": SECRET,
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
    }
    command = ["gemini", "-m", "scripted", "--yolo", "-p", PROMPT]
    return command, environment, {"write_file": {"file_path": str(work / "hello.txt"), "content": WROTE}}


def opencode(url, home, work):
    # https://opencode.ai/docs/providers (a custom provider); `OPENCODE_CONFIG_CONTENT` needs no file.
    config = {
        "model": "hoosh/scripted",
        "small_model": "hoosh/scripted",
        "autoupdate": False,
        "share": "disabled",
        "permission": "allow",
        "provider": {
            "hoosh": {
                "npm": "@ai-sdk/openai-compatible",
                "options": {"baseURL": f"{url}/v1", "apiKey": SECRET},
                "models": {"scripted": {"name": "Scripted", "limit": {"context": 100000, "output": 4000}}},
            }
        },
    }
    environment = {
        "OPENCODE_CONFIG_CONTENT": json.dumps(config),
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
    }
    return (
        ["opencode", "run", PROMPT],
        environment,
        {"write": {"filePath": str(work / "hello.txt"), "content": WROTE}},
    )


@pytest.mark.parametrize("agent", [claude, codex, gemini, opencode], ids=lambda agent: agent.__name__)
async def test_an_agent_writes_a_file(tmp_path, agent):
    home, work = tmp_path / "agents-home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    with listening(Scripted({}, text=SAID)) as scripted:
        async with serving(provider(scripted) + 'models = ["scripted"]\n') as (url, _):
            command, environment, scripted.calls = agent(url, home, work)
            code, said = await told(command, environment, home, work)
    shown = f"{said}\n{json.dumps(scripted.requests)[:6000]}"
    assert code == 0, shown
    assert SAID in said, shown
    assert (work / "hello.txt").read_text() == WROTE, shown
    (tool,) = scripted.calls
    first, *_, last = scripted.conversations(tool=tool)
    assert any(PROMPT in json.dumps(message) for message in first["messages"] if message["role"] == "user"), shown
    assert first["model"] == "scripted"
    (result,) = [message for message in last["messages"] if message["role"] == "tool"]
    assert result["tool_call_id"] == f"call_{tool}"
    assert result["content"]


async def told(command, more, home, work):
    """What a command line says, in a home of its own. A proxy that is not there answers whatever else it looks for."""
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
    near = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
    path = os.pathsep.join([str(Path(COMMANDS) / "node_modules/.bin"), os.environ["PATH"]])
    environment = {"PATH": path, "HOME": str(home), "TERM": "dumb", "CI": "1", **nowhere, **near, **more}
    program = shutil.which(command[0], path=path)
    if program is None:
        pytest.skip(f"{command[0]} is not installed")
    with trio.fail_after(300):
        child = await trio.run_process(
            [program, *command[1:]],
            stdin=b"",
            capture_stdout=True,
            stderr=subprocess.STDOUT,
            check=False,
            cwd=work,
            env=environment,
            start_new_session=True,
            deliver_cancel=ended,
        )
    return child.returncode, child.stdout.decode()


async def ended(child):
    """With what it started itself."""
    os.killpg(child.pid, signal.SIGKILL)
