"""The commands together, as typer has them. Help and errors are plain text, so that they read the same in a pipe.

Of a command line that names a command only that one is loaded and made: `hoosh serve` has a port to open.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from inspect import getdoc
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from hoosh import __version__
from hoosh.cli import output

WORDS = "An AI inference gateway: one endpoint in front of every model, with budgets that hold."
EXAMPLES = """
hoosh init                                   write a first hoosh.toml out of what is found here
hoosh serve                                  serve hoosh.toml, or what is found
hoosh infer -m llama3.2 "Why is the sky blue?"
cat notes.txt | hoosh infer -m gpt-4o-mini   the prompt from standard input
hoosh infer --help                           more of them, and every option of a command
"""

COMMANDS = {
    "serve": "serve",
    "infer": "infer",
    "models": "models",
    "providers": "providers",
    "health": "state",
    "pools": "state",
    "costs": "state",
    "info": "info",
    "init": "init",
    "check": "check",
    "explain": "explain",
    "tokens": "tokens",
    "config schema": "schema",
    "store check": "store",
    "store info": "store",
    "store backup": "store",
    "cache warm": "cache",
}
"""Each command, and the file here that has it: a function of the command's name, and its `EXAMPLES`."""
GROUPS = {
    "config": "The configuration file itself.",
    "store": "The file of budgets and ledger.",
    "cache": "The cache of a running gateway.",
}
"""What stands before the commands of two words."""


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


def made(wanted: Sequence[str]) -> typer.Typer:
    """The application, with these commands and no others."""
    app = _new(WORDS, EXAMPLES)
    app.callback()(_before)
    groups: dict[str, typer.Typer] = {}
    for name in wanted:
        group, _, own = name.rpartition(" ")
        command = import_module(f"hoosh.cli.{COMMANDS[name]}")
        run: Callable[..., int] = getattr(command, own)
        if group and group not in groups:
            groups[group] = _new(GROUPS[group], _lines(command.EXAMPLES))
            app.add_typer(groups[group], name=group)
        lines = command.EXAMPLES[own] if isinstance(command.EXAMPLES, dict) else command.EXAMPLES
        (groups[group] if group else app).command(own, help=getdoc(run), epilog=examples(lines))(run)
    return app


def _lines(given: str | dict[str, str]) -> str:
    """The examples of a group: those of its commands."""
    return given if isinstance(given, str) else "\n".join(lines.strip() for lines in given.values())


def _version(wanted: bool) -> None:
    if wanted:
        output.put(f"hoosh {__version__}\n")
        raise typer.Exit


def _before(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    pass


def run(arguments: Sequence[str]) -> int:
    """Run the command that is named; returns its exit code.

    Raises:
        Complaint: it cannot be done, and this says why in a sentence.
        HooshError: what the gateway says.

    """
    named = arguments[0] if arguments else ""
    wanted = [name for name in COMMANDS if name.split()[0] == named]
    command: Any = typer.main.get_command(made(wanted or list(COMMANDS)))
    try:
        # Options of the shell's completion are typer's own, answered by it before any of this.
        code = command.main(list(arguments) or ["--help"], prog_name="hoosh", standalone_mode=False)
    except typer.Abort:
        return 130
    except SystemExit as error:  # its own word for help that nobody reads
        if isinstance(error.__context__, BrokenPipeError):
            raise output.ClosedError(str(error.__context__)) from error
        raise
    except OSError as error:
        if not _of_typer(error):
            raise
        raise output.OutputError(error.strerror or str(error)) from error
    except TyperException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "hoosh"
        output.tell(f"hoosh: {_sentence(error.format_message())} See `{path} --help`.")
        return 2
    return int(code or 0)


def _of_typer(error: OSError) -> bool:
    """Whether typer met it, which writes help by itself; commands write with `output.put`."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return frame is not None and str(frame.tb_frame.f_globals.get("__name__")).startswith("typer")


def _sentence(words: str) -> str:
    line = " ".join(words.split())
    return line if line.endswith((".", "!", "?")) else f"{line}."
