"""`hoosh check`."""

import tomllib
from typing import Annotated

import typer

from hoosh.cli import options, output
from hoosh.errors import ConfigError

EXAMPLES = """
hoosh check                           the configuration in force, its warnings on top
hoosh check --config prod.toml --strict && deploy
hoosh check --json | jq .warnings
"""


def check(
    config: options.Config = None,
    as_json: options.AsJson = False,
    strict: Annotated[bool, typer.Option("--strict", help="End with 2 where there is a warning.")] = False,
) -> int:
    """Check a configuration and print it.

    What is in force: warnings on top, every default spelled out, secrets hidden.
    """
    from hoosh._environment import load

    try:
        found, file = load(config)
    except ConfigError as error:
        if not as_json:
            raise
        output.put_json({"file": config, "error": {"message": error.message, "line": error.line}})
        return 1
    if as_json:
        said = {
            "file": None if file is None else str(file),
            "warnings": found.warnings,
            "config": tomllib.loads(found.describe()),
        }
        output.put_json(said)
    else:
        output.put(found.describe())
    return 2 if strict and found.warnings else 0
