"""The commands that ask: through a gateway in this process, so that no server is needed."""

import json
import sys

import trio

from hoosh._native import Config
from hoosh.gateway import Gateway


def infer(config: Config, model: str, prompt: str, *, as_json: bool) -> int:
    """Ask, and print the answer as it comes."""
    return trio.run(_infer, config, model, prompt, as_json)


def models(config: Config) -> int:
    """List models, after the providers have had a moment to say what they have."""
    return trio.run(_models, config)


async def _infer(config: Config, model: str, prompt: str, as_json: bool) -> int:
    messages = [{"role": "user", "content": prompt}]
    async with Gateway(config) as gateway:
        if as_json:
            print(json.dumps(await gateway.chat(model=model, messages=messages), indent=2, ensure_ascii=False))
            return 0
        async with gateway.stream(model=model, messages=messages) as chunks:
            async for chunk in chunks:
                for choice in chunk.get("choices", []):
                    print(choice.get("delta", {}).get("content") or "", end="", flush=True)
    print()
    return 0


async def _models(config: Config) -> int:
    async with Gateway(config) as gateway:
        await trio.sleep(0.5)
        found = await gateway.models()
    for model in found:
        print(f"{model['id']}\t{model['owned_by']}")
    if not found:
        print("No models. Start a local server (Ollama, llama.cpp) or write hoosh.toml.", file=sys.stderr)
    return 0 if found else 1
