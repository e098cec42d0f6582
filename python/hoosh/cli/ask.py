"""The commands that ask: through a gateway in this process, so that no server is needed."""

import json
import sys
from collections.abc import Awaitable, Callable

import trio

from hoosh._native import Config
from hoosh.cli import output
from hoosh.gateway import Gateway, Json

PATIENCE_SECONDS = 0.5
"""After so long somebody at a terminal wants to know what is waited for."""


def infer(config: Config, model: str, prompt: str, *, as_json: bool) -> int:
    """Ask, and print the answer as it comes."""
    return _run(_infer, config, model, prompt, as_json)


def models(config: Config) -> int:
    """List models, when every provider has said what it has, or had its time."""
    return _run(_models, config)


def _run(command: Callable[..., Awaitable[int]], *arguments: object) -> int:
    # Ctrl-C is met where the command waits, and not inside of the driver's tasks, whose group would wrap it.
    return trio.run(command, *arguments, restrict_keyboard_interrupt_to_checkpoints=True)


async def _infer(config: Config, model: str, prompt: str, as_json: bool) -> int:
    messages = [{"role": "user", "content": prompt}]
    async with Gateway(config, stored=False) as gateway:
        if as_json:
            answer = await gateway.chat(model=model, messages=messages)
            output.put(json.dumps(answer, indent=2, ensure_ascii=False) + "\n")
            return 0
        text = output.Text()
        async with gateway.stream(model=model, messages=messages) as chunks:
            async for chunk in chunks:
                output.put(text.add(_words(chunk)))
    output.put(text.end() + "\n")
    return 0


def _words(chunk: Json) -> str:
    choices = chunk.get("choices") or []
    return "".join((choice.get("delta") or {}).get("content") or "" for choice in choices)


async def _models(config: Config) -> int:
    async with Gateway(config, stored=False) as gateway:
        with trio.move_on_after(PATIENCE_SECONDS) as patience:
            await gateway.listed()
        if patience.cancelled_caught:
            print("Waiting for the providers to say what they have, 10 seconds at most.", file=sys.stderr, flush=True)
            await gateway.listed()
        found = await gateway.models()
    output.put("".join(f"{output.shown(model['id'])}\t{output.shown(model['owned_by'])}\n" for model in found))
    if not found:
        print("No models. Start a local server (Ollama, llama.cpp) or write hoosh.toml.", file=sys.stderr)
    return 0 if found else 1
