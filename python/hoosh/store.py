"""The durable store: when and where a gateway keeps one, and what `hoosh store` says of it. `docs/store.md` explains it.

A store can be inspected and copied while a server has it open.
"""

import os
from typing import Any

from hoosh import _environment
from hoosh._native import Config, store_backup, store_inspect
from hoosh._stores import Place
from hoosh.errors import ConfigError

MEMORY = ":memory:"
"""The path of a store that keeps nothing."""

Report = dict[str, Any]


def place(config: Config, holder: str, *, needed: bool) -> Place | None:
    """Where a gateway with `config` keeps its store; None if in memory.

    Args:
        config: the configuration.
        holder: which program this is, for an operator who wants the same store.
        needed: whether one is kept where `[storage] path` is not written.

    Raises:
        ConfigError: it is in memory, and earlier turns are to be kept in it.

    """
    if config.storage_path == MEMORY or (config.storage_path is None and not needed):
        if config.keeps_in_store:
            raise ConfigError('[dialects] history is "store", and there is none. Write [storage] path.')
        return None
    return Place(str(path_of(config)), holder)


def path_of(config: Config | None, path: str | None = None) -> os.PathLike[str]:
    """The file: `path`, else the configuration's, else the platform's."""
    written = path or (config.storage_path if config is not None else None)
    return _environment.expanded(written) if written else _environment.store_file()


def check(path: str | os.PathLike[str]) -> Report:
    """Read everything in the store: whether the file is whole, and its rows add up to what is booked.

    Returns `info` with `problems`, a list of sentences that is empty if all is well.

    Raises:
        ConfigError: there is no store, it is not ours, or cannot be read.

    """
    return store_inspect(os.fspath(path), True)


def info(path: str | os.PathLike[str]) -> Report:
    """What is in the store.

    Returns `holder` (the process that has it open, or None), `format`, `bytes`, `runs`, `crashed`, `rows`, `requests`,
    `turns` and `turn_bytes` (earlier turns of the Responses API), `homes` (responses that providers keep), and `budgets`, each with `name`, `capacity`, `used`, `lost` and `leased` in tokens.

    Raises:
        ConfigError: there is no store, it is not ours, or cannot be read.

    """
    return store_inspect(os.fspath(path), False)


def backup(path: str | os.PathLike[str], to: str | os.PathLike[str]) -> None:
    """Copy the store to the new file `to`, whole and as of one instant, also while a server writes to it.

    Raises:
        ConfigError: there is no store, or `to` is there already or cannot be written.

    """
    store_backup(os.fspath(path), os.fspath(to))


def told(path: str | os.PathLike[str], report: Report) -> str:
    """A report for a terminal."""
    holder = f"open in {report['holder']}" if report["holder"] else "not open"
    lines = [
        f"{os.fspath(path)}: format {report['format']}, {report['bytes']:,} bytes, {holder}",
        f"{_counted(report['runs'], 'run')}, {report['crashed']:,} without an orderly end",
        f"{_counted(report['rows'], 'ledger row')}, {_counted(report['requests'], 'record')} of requests that asked no provider",
        f"{_counted(report['turns'], 'earlier turn')} of {report['turn_bytes']:,} bytes, "
        f"{_counted(report['homes'], 'response')} kept by providers",
    ]
    for budget in report["budgets"]:
        numbers = ", ".join(f"{word} {budget[word]:,}" for word in ("capacity", "used", "lost", "leased"))
        lines.append(f"budget {budget['name']}: {numbers}")
    return "".join(f"{line}\n" for line in [*lines, *(f"problem: {words}" for words in report["problems"])])


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
