"""The quick reading of a command line says what typer's own would, or leaves it to it."""

import subprocess
import sys
from typing import Any

import pytest

from hoosh.cli import quick
from hoosh.cli.app import made


def by_typer(arguments: list[str]) -> dict[str, Any]:
    """What typer hands to `serve`, where that is something."""
    import typer

    command = typer.main.get_command(made(["serve"]))
    with command.make_context("hoosh", ["serve", *arguments]) as context:
        child = command.resolve_command(context, ["serve", *arguments])[1]
        with child.make_context("serve", list(arguments), parent=context) as own:
            return {name: value for name, value in own.params.items() if value is not None and value is not False}


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--port", "0"],
        ["--port=65535", "--bind", "::1"],
        ["--config", "a b.toml", "--first-answer"],
        ["--config=", "--bind", "x", "--bind", "y"],
    ],
)
def test_it_reads_as_typer_does(arguments):
    assert quick.options(arguments) == by_typer(arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["-h"],
        ["--port"],
        ["--port", "70000"],
        ["--bogus"],
        ["x"],
        ["--first-answer=1"],
        ["--bind", "--port"],
    ],
)
def test_what_is_not_plain_is_left_to_typer(arguments):
    assert quick.options(arguments) is None


def test_it_knows_every_option_of_serve():
    import typer

    command = typer.main.get_command(made(["serve"]))
    with command.make_context("hoosh", ["serve"]) as context:
        params = command.resolve_command(context, ["serve"])[1].params
    declared = {param.opts[0]: (param.name, param.is_flag) for param in params if param.name != "help"}
    assert {option: (name, parse is None) for option, (name, parse) in quick.OPTIONS.items()} == declared


def test_a_plain_start_loads_no_typer():
    code = "import sys; from hoosh.cli import quick; import hoosh.server, hoosh._environment; sys.exit('typer' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
