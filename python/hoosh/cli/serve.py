"""`hoosh serve`."""

from typing import Annotated

import typer

from hoosh.cli import options, quick

EXAMPLES = """
hoosh serve
hoosh serve --config prod.toml --bind 0.0.0.0 --port 80
kill -HUP PID          has it read its file again
kill PID               ends it, when requests in progress have
"""


def _port(text: str) -> int:
    try:
        return quick.tcp_port(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _edge(text: str) -> str:
    try:
        return quick.on_or_off(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def serve(
    config: options.Config = None,
    bind: Annotated[str | None, typer.Option(help="Address to listen on; else the configuration's, 127.0.0.1.")] = None,
    port: Annotated[
        int | None,
        typer.Option(
            parser=_port, metavar="PORT", help="TCP port; else the configuration's, 8088. 0 lets the system choose."
        ),
    ] = None,
    edge: Annotated[
        str | None,
        typer.Option(
            parser=_edge,
            metavar="on|off",
            help="`off`: hypercorn answers in Python, with the same answers, instead of the native edge.",
        ),
    ] = None,
    first_answer: Annotated[
        bool, typer.Option("--first-answer", help="Ask a model one question through the port, and show it.")
    ] = False,
) -> int:
    """Listen and answer, until SIGTERM or Ctrl-C."""
    return quick.serve(config, bind, port, edge, first_answer)
