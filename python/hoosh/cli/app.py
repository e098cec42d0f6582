"""The commands together, as typer has them. Help and errors are plain text, so that they read the same in a pipe."""

import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from hoosh import __version__
from hoosh.cli import check, explain, infer, info, init, models, output, schema, serve, state, tokens

WORDS = "An AI inference gateway: one endpoint in front of every model, with budgets that hold."
EXAMPLES = """
hoosh init                                   write a first hoosh.toml out of what is found here
hoosh serve                                  serve hoosh.toml, or what is found
hoosh infer -m llama3.2 "Why is the sky blue?"
cat notes.txt | hoosh infer -m gpt-4o-mini   the prompt from standard input
hoosh infer --help                           more of them, and every option of a command
"""


def examples(lines: str) -> str:
    """Lines that help shows as they are: typer's mark for that is a backspace."""
    return "\b\nexamples:\n" + "\n".join(f"  {line}" for line in lines.strip().splitlines())


def _new(words: str, lines: str) -> typer.Typer:
    return typer.Typer(
        help=words,
        epilog=examples(lines),
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _add(to: typer.Typer, name: str, run: Callable[..., int], lines: str) -> None:
    to.command(name, help=inspect.getdoc(run), epilog=examples(lines))(run)


app = _new(WORDS, EXAMPLES)
_add(app, "serve", serve.serve, serve.EXAMPLES)
_add(app, "infer", infer.infer, infer.EXAMPLES)
_add(app, "models", models.models, models.EXAMPLES)
_add(app, "health", state.health, state.HEALTH_EXAMPLES)
_add(app, "pools", state.pools, state.POOLS_EXAMPLES)
_add(app, "costs", state.costs, state.COSTS_EXAMPLES)
_add(app, "info", info.info, info.EXAMPLES)
_add(app, "init", init.init, init.EXAMPLES)
_add(app, "check", check.check, check.EXAMPLES)
_add(app, "explain", explain.explain, explain.EXAMPLES)
_add(app, "tokens", tokens.tokens, tokens.EXAMPLES)
config = _new("The configuration file itself.", schema.EXAMPLES)
_add(config, "schema", schema.schema, schema.EXAMPLES)
app.add_typer(config, name="config")


def _version(wanted: bool) -> None:
    if wanted:
        output.put(f"hoosh {__version__}\n")
        raise typer.Exit


@app.callback()
def hoosh(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Read what stands before the command."""


def run(arguments: Sequence[str]) -> int:
    """Run the command that is named; returns its exit code.

    Raises:
        Complaint: it cannot be done, and this says why in a sentence.
        HooshError: what the gateway says.

    """
    command: Any = typer.main.get_command(app)
    try:
        # Options of the shell's completion are typer's own, answered by it before any of this.
        code = command.main(list(arguments) or ["--help"], prog_name="hoosh", standalone_mode=False)
    except typer.Abort:
        return 130
    except TyperException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "hoosh"
        print(f"hoosh: {_sentence(error.format_message())} See `{path} --help`.", file=sys.stderr)
        return 2
    return int(code or 0)


def _sentence(words: str) -> str:
    line = " ".join(words.split())
    return line if line.endswith((".", "!", "?")) else f"{line}."
