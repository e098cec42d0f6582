"""`hoosh store`: the file of budgets and ledger."""

import os
from typing import Annotated

import typer

from hoosh.cli import options, output

EXAMPLES = {
    "check": """
hoosh store check                     the store of this configuration
hoosh store check --path copy.db && echo whole
""",
    "info": """
hoosh store info                      what is in it, and who has it open
hoosh store info --json | jq .budgets
""",
    "backup": """
hoosh store backup copy.db            beside a running server
""",
}

Store = Annotated[str | None, typer.Option("--path", metavar="STORE", help="The store; else the configuration's.")]


def check(config: options.Config = None, path: Store = None, as_json: options.AsJson = False) -> int:
    """Read the whole store: the file must be whole, and its rows add up.

    It ends with 1 if not.
    """
    from hoosh import store

    file = _file(config, path)
    report = store.check(file)
    if as_json:
        output.put_json(report)
    else:
        output.put(store.told(file, report) + ("" if report["problems"] else "All is well.\n"))
    return 1 if report["problems"] else 0


def info(config: options.Config = None, path: Store = None, as_json: options.AsJson = False) -> int:
    """Say what is in the store, and who has it open."""
    from hoosh import store

    file = _file(config, path)
    report = store.info(file)
    if as_json:
        output.put_json(report)
    else:
        output.put(store.told(file, report))
    return 0


def backup(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The copy, which must not be there yet.")],
    config: options.Config = None,
    path: Store = None,
) -> int:
    """Copy the store to a new file, also while a server writes to it."""
    from hoosh import store

    store.backup(_file(config, path), file)
    return 0


def _file(config: str | None, path: str | None) -> os.PathLike[str]:
    from hoosh._environment import load
    from hoosh.store import path_of

    return path_of(None, path) if path else path_of(load(config, secrets=False)[0])
