"""`hoosh infer`."""

import sys
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any

import typer

from hoosh.cli import options, output
from hoosh.errors import InvalidRequest

Json = dict[str, Any]

EXAMPLES = """
hoosh infer -m llama3.2 "Why is the sky blue?"
cat notes.txt | hoosh infer -m gpt-4o-mini --system "Sum it up in one sentence."
hoosh infer -m openai/gpt-4o --json "Hi" | jq .usage
hoosh infer -m llama3.2 --server http://10.0.0.5:8088 "Hi"
"""


def infer(
    model: Annotated[str, typer.Option("-m", "--model", help="Model, or provider/model.")],
    prompt: Annotated[str | None, typer.Argument(help="What to ask; else standard input.")] = None,
    system: Annotated[str | None, typer.Option(help="What the model is told first.")] = None,
    temperature: Annotated[float | None, typer.Option(help="0 for the likeliest words, up to 2.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Most tokens of the answer.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="The whole answer as JSON, instead of its text as it comes.")
    ] = False,
    config: options.Config = None,
    server: options.Server = None,
    key: options.Key = None,
) -> int:
    """Ask a model one question.

    In this process, or of a server with --server.
    """
    from hoosh.cli.ask import gateway, run

    text = prompt if prompt is not None else _standard_input()
    said = [] if system is None else [{"role": "system", "content": system}]
    fields: Json = {"model": model, "messages": [*said, {"role": "user", "content": text}]}
    if temperature is not None:
        fields["temperature"] = temperature
    if max_tokens is not None:
        fields["max_tokens"] = max_tokens
    return run(_infer, gateway(config, server, key), fields, as_json)


def _standard_input() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"The prompt is not text: {error}.", code="invalid_value", status=400) from error


async def _infer(opening: AbstractAsyncContextManager[Any], fields: Json, as_json: bool) -> int:
    async with opening as gateway:
        if as_json:
            output.put_json(await gateway.chat(**fields))
            return 0
        text = output.Text()
        async with gateway.stream(**fields) as chunks:
            async for chunk in chunks:
                output.put(text.add(_words(chunk)))
    output.put(text.end() + "\n")
    return 0


def _words(chunk: Json) -> str:
    choices = chunk.get("choices") or []
    return "".join((choice.get("delta") or {}).get("content") or "" for choice in choices)
