"""The command line: `hoosh serve`, `infer`, `check` and so on; `docs/cli.md` has every command.

Each command is a file here. `main` turns whatever ends one into an exit code and at most one sentence:

| Code | Means |
| --- | --- |
| 0 | done |
| 1 | it failed: one sentence on standard error says why, and what to do |
| 2 | the command line cannot be understood; or `check --strict` met a warning |
| 130 | interrupted |
| 141 | whoever read standard output closed it, and wanted no more |
"""

import sys
from collections.abc import Sequence

from hoosh import __version__, _early
from hoosh.cli import output
from hoosh.errors import ConfigError, HooshError

CLOSED = 141
"""What a shell says of a program that SIGPIPE ended, as it would end others here."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    output.prepare()
    try:
        return _run(list(sys.argv[1:] if arguments is None else arguments))
    finally:
        output.settle()


def _run(given: list[str]) -> int:
    try:
        if given == ["--version"]:  # without the command line's library, which takes longer than the answer
            output.put(f"hoosh {__version__}\n")
            return 0
        if given[:1] == ["serve"]:
            with _early.caught():
                return _serve(given)
        from hoosh.cli.app import run

        return run(given)
    except output.ClosedError:
        output.abandon()
        return CLOSED
    except output.OutputError as error:
        output.abandon()
        return _failed(f"Standard output cannot be written: {error}.")
    except (ConfigError, output.Complaint) as error:
        return _failed(str(error))
    except HooshError as error:
        return _failed(f"{error} [{error.code}]")
    except KeyboardInterrupt:
        return 130


def _serve(given: list[str]) -> int:
    from hoosh.cli import quick

    said = quick.options(given[1:])
    if said is not None:
        return quick.serve(**said)
    from hoosh.cli.app import run

    return run(given)


def _failed(words: str) -> int:
    output.tell(f"hoosh: {words}")
    return 1
