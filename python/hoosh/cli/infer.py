"""`hoosh infer`."""

import sys
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any

import typer

from hoosh import advice, strict
from hoosh.cli import options, output
from hoosh.errors import HooshError, InvalidRequest, ProviderUnavailable, UnknownModel

Json = dict[str, Any]

EXAMPLES = """
hoosh infer "What is hoosh?"
hoosh infer -m llama3.2 "Why is the sky blue?"
cat notes.txt | hoosh infer -m gpt-4o-mini --system "Sum it up in one sentence."
hoosh infer -m openai/gpt-4o --json "Hi" | jq .usage
hoosh infer -m llama3.2 --server http://10.0.0.5:8088 "Hi"
"""


def infer(
    prompt: Annotated[str | None, typer.Argument(help="What to ask; else standard input.")] = None,
    model: Annotated[
        str | None, typer.Option("-m", "--model", help="Model, or provider/model; else the first that can chat.")
    ] = None,
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

    In this process, which needs no server; or of one that runs, with --server.
    """
    from hoosh.cli.ask import gateway, no_models, run

    text = prompt if prompt is not None else _standard_input()
    if not text.strip():
        raise typer.BadParameter("the prompt is empty: name one, or write it to standard input")
    said = [] if system is None else [{"role": "system", "content": system}]
    fields: Json = {"messages": [*said, {"role": "user", "content": text}]}
    if model is not None:
        fields["model"] = model
    if temperature is not None:
        fields["temperature"] = temperature
    if max_tokens is not None:
        fields["max_tokens"] = max_tokens
    try:
        strict.written(fields)
    except ValueError as error:
        raise output.Complaint(f"The question cannot be sent: {output.shown(str(error))}.") from error
    try:
        return run(_infer, gateway(config, server, key), fields, as_json)
    except _Nothing as nothing:
        why = nothing.why
        raise output.Complaint(f"{why} [{why.code}] {no_models(config, server)}") from why


class _Nothing(Exception):
    """It failed, and no model at all can be asked."""

    def __init__(self, why: HooshError) -> None:
        super().__init__(why)
        self.why = why


def _standard_input() -> str:
    if sys.stdin is None:
        return ""
    if sys.stdin.isatty():
        output.tell("The prompt, and Ctrl-D at its end:")
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"The prompt is not text: {error}.", code="invalid_value", status=400) from error


async def _infer(opening: AbstractAsyncContextManager[Any], fields: Json, as_json: bool) -> int:
    from hoosh.cli.client import Server
    from hoosh.cli.loading import loaded

    async with opening as gateway:
        if "model" not in fields:
            fields["model"] = await _first_model(gateway)
        if not isinstance(gateway, Server):
            await loaded(gateway, fields)
        try:
            if as_json:
                output.put_json(await gateway.chat(**fields))
            else:
                await _stream(gateway, fields)
        except (UnknownModel, ProviderUnavailable) as error:
            if await gateway.models():
                raise
            raise _Nothing(error) from error
    return 0


async def _first_model(gateway: Any) -> str:
    """One that can be asked, and which that is said, so that nobody takes it for another."""
    await gateway.listed()
    model = advice.first_model([str(model["id"]) for model in await gateway.models()])
    if model is None:
        raise _Nothing(UnknownModel("No model was named, and none is there.", code="model_not_found", status=404))
    output.tell(f"Asking {output.shown(model)}; name another with -m.")
    return model


async def _stream(gateway: Any, fields: Json) -> None:
    """Print the answer as it comes; what is printed ends with a line's end, however the answer ends."""
    text, begun = output.Text(), False
    try:
        async with gateway.stream(**fields) as chunks:
            async for chunk in chunks:
                words = text.add(_words(chunk))
                output.put(words)
                begun = begun or words != ""
    except output.OutputError:
        raise
    except BaseException:
        if begun:
            output.put(text.end() + "\n")
        raise
    output.put(text.end() + "\n")


def _words(chunk: Json) -> str:
    choices = chunk.get("choices") or []
    return "".join((choice.get("delta") or {}).get("content") or "" for choice in choices)
