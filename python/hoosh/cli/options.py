"""Options that several commands have, each told once."""

from typing import Annotated

import typer

Config = Annotated[
    str | None,
    typer.Option("--config", metavar="FILE", help="Configuration; else $HOOSH_CONFIG, ./hoosh.toml, or what is found."),
]
Server = Annotated[
    str | None,
    typer.Option("--server", metavar="URL", help="Ask the hoosh that runs there; else the one of $HOOSH_SERVER."),
]
Key = Annotated[
    str | None,
    typer.Option("--key", metavar="KEY", help="Key for that server; better in $HOOSH_KEY, which no list shows."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
