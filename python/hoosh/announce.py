"""What `hoosh serve` says at its start: where it listens, who answered, and one command to try that works."""

import json
import select
import shlex
import sys
from collections.abc import Collection
from pathlib import Path

import trio

from hoosh._driver import Driver, Kept
from hoosh._native import Config

LIST_SECONDS = 10
"""How long providers have to say what they have: what the core gives them."""
NO_CHAT = ("embed", "rerank", "moderation", "whisper", "tts", "dall-e", "image", "transcribe")
"""In the names of models that are no good for a first question."""

NOTHING = """\
No model can be asked yet. Do one of these:
  - start a local server: Ollama (port 11434), llama.cpp (8080), LM Studio (1234) or vLLM (8000) is found by itself,
    within five minutes if it starts later;
  - set the key of a service, such as OPENAI_API_KEY, and start again;
  - write a configuration: `hoosh init`."""


def listening(
    config: Config, file: Path | str | None, address: str, engines: Collection[str], store: str | None = None
) -> None:
    """Say where it listens, with what, and what is odd.

    `file` is where the configuration is from, `engines` are registered, `store` is the store's file.
    """
    say(f"hoosh is listening on {address} ({file or 'no hoosh.toml: looking for what is here'})")
    if store is not None:
        say(f"  store {store}")
    if file is not None:
        for name, kind, url in config.providers:
            engine = "in this process" if name in engines else "in this process, none registered"
            say(f"  provider {name} ({kind}) {url or engine}")
    for warning in config.warnings:
        say(f"  warning: {warning}")


async def found(driver: Driver, config: Config, address: str) -> None:
    """When the providers have said what they have: say who answered, and what to try."""
    with trio.move_on_after(LIST_SECONDS):
        await driver.listed()
    answered = dict(driver.gateway.discovered())
    for name, _, url in config.providers:
        if name in answered:
            say(f"  {name} at {url} has {_counted(answered[name])}")
    say(trial(address, await first_model(driver), keyed=config.keyed))


def trial(address: str, model: str | None, *, keyed: bool) -> str:
    """One command to try, with a model that is there; or what to do where there is none."""
    if model is None:
        return NOTHING
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hi"}]}, ensure_ascii=False)
    key = " -H 'authorization: Bearer YOUR_KEY'" if keyed else ""
    return f"Try: curl {address}/v1/chat/completions -H 'content-type: application/json'{key} -d {shlex.quote(body)}"


async def first_model(driver: Driver) -> str | None:
    """A model for a first question: the first one listed that can chat, by its name."""
    caller = Kept()
    await driver.drive(caller, "GET", "/v1/models", [], neutral=True)
    names = [str(model["id"]) for model in json.loads(b"".join(caller.pieces))["data"]]
    return next((name for name in names if name.isprintable() and not any(word in name for word in NO_CHAT)), None)


def _counted(models: list[str]) -> str:
    return "1 model" if len(models) == 1 else f"{len(models) or 'no'} models"


def say(words: str) -> None:
    """To whoever started it."""
    try:
        # What poll() calls writable takes a line at once. Words for a full pipe are left out: nobody waits for its reader.
        if not select.select([], [sys.stderr], [], 0)[1]:
            return
    except (OSError, TypeError, ValueError):
        pass  # not a file that can be asked
    # In one piece: lines of the log go there too.
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()
