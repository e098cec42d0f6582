"""`hoosh init`: a first file out of what is found here. It holds the names of variables and never their values."""

from pathlib import Path
from typing import Annotated

import typer

from hoosh._native import DEMONSTRATION, Config, provider_types
from hoosh.cli import output
from hoosh.cli.output import Complaint

EXAMPLES = """
hoosh init                    writes hoosh.toml
hoosh init prod.toml          then: hoosh serve --config prod.toml
hoosh init --force            in place of the one that is there
"""

ASK_SECONDS = 3
"""How long local servers have to say what they have."""

HEAD = """\
# A first configuration, of what `hoosh init` found. Every key, with its default: hoosh.example.toml and docs/config.md.
# For completion and checks in editors: `hoosh config schema > hoosh.schema.json`, and as the first line here
# `#:schema ./hoosh.schema.json`.

[server]
# Only this machine reaches it. An address that others can reach needs [auth] tokens, below.
bind = "127.0.0.1"
port = 8088
"""
LOCAL = """
# Answers on this machine, with {models}. It costs nothing, so that it is asked first.
[[providers]]
type = "{type}"
priority = 10
"""
SERVICE = """
# The key stays in the environment: only its name is here.
[[providers]]
type = "{type}"
api_key = "${variable}"
priority = 20
"""
NOTHING = """
# Nothing was found: neither a local server on its default port, nor the key of a service in the environment. So this is the
# demonstration model that comes with hoosh. With this file hoosh asks the providers in it and looks for no other: for a
# real model name its file, or take the marks away from one of the tables below.
[[providers]]
name = "local"
type = "candle"
# files = { "my-model" = "/models/my-model.gguf" }

# [[providers]]
# type = "ollama"

# [[providers]]
# type = "openai"
# api_key = "$OPENAI_API_KEY"
"""
TAIL = """
# Keys that callers must send. Without any, whoever reaches the port may ask.
# [auth]
# tokens = ["$HOOSH_TOKEN"]

# A budget: tokens, input and output together, reserved before a call and settled with what was used.
# [[budgets]]
# name = "default"
# capacity = 1_000_000
"""

QUESTION = "What is hoosh?"
"""For the demonstration model, which knows of hoosh alone."""
NOTHING_FOUND = """\
No local server answered, and the environment has no key of a service: the model in it is a demonstration. For a real one
write its file into {file}, or take the marks (#) away from another [[providers]]; or start a local server, or set a key
such as OPENAI_API_KEY, and write it anew: hoosh init {again}--force"""


def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to write.")] = Path("hoosh.toml"),
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> int:
    """Write a first configuration.

    Of local servers that answer now, and of services whose keys are in the environment.
    """
    from hoosh import _environment
    from hoosh.cli.ask import run

    if file.exists() and not force:
        raise Complaint(f"{file} is there already. Choose another name, or write over it with --force.")
    found = _environment.found()
    local = run(_answering)
    text = written(found, local)
    _environment.parse(text)  # never write what could not be read
    try:
        with file.open("w" if force else "x", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise Complaint(f"{file} cannot be written: {error.strerror or error}.") from error
    nothing = NOTHING in text
    model = DEMONSTRATION if nothing else next((model for models in local.values() for model in models), None)
    _tell(file, text.count("\n[[providers]]\n"), model, nothing=nothing)
    return 0


async def _answering() -> dict[str, list[str]]:
    """The local servers that answer on their default ports now, and what each has. No service is asked, and no key used."""
    import trio

    from hoosh.gateway import Gateway

    async with Gateway(Config.found({})) as gateway:
        with trio.move_on_after(ASK_SECONDS):
            await gateway.listed()
        return {name: models for name, models in gateway.discovered if models != [DEMONSTRATION]}


def written(found: Config, local: dict[str, list[str]]) -> str:
    """The file: `found` is what the environment offers, `local` what each server that answers has."""
    variables = {name: variable for name, _, variable, _ in provider_types()}
    parts = [LOCAL.format(type=name, models=_counted(models)) for name, models in local.items()]
    for name, _, _ in found.providers:
        if variables.get(name):
            parts.append(SERVICE.format(type=name, variable=variables[name]))
    return HEAD + ("".join(parts) or NOTHING) + TAIL


def _counted(models: list[str]) -> str:
    shown = ", ".join(model for model in models[:3] if model.isprintable())
    if not models:
        return "no model yet"
    return f"1 model: {shown}" if len(models) == 1 else f"{len(models)} models, such as {shown}"


def _tell(file: Path, providers: int, model: str | None, *, nothing: bool) -> None:
    option = "" if file == Path("hoosh.toml") else f" --config {file}"
    asked = model if model is not None and model.isprintable() else "MODEL"
    lines = [
        f"Wrote {file} with {providers} provider{'' if providers == 1 else 's'}. Next:",
        f"  hoosh check{option}",
        f"  hoosh models{option}",
        f"  hoosh serve{option}",
        f'  hoosh infer{option} -m {asked} "{QUESTION if nothing else "Why is the sky blue?"}"',
    ]
    if nothing:
        lines.append(NOTHING_FOUND.format(file=file, again="" if not option else f"{file} "))
    output.tell("\n".join(lines))
