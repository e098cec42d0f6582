"""Standard output, which can be closed, full, or of few characters."""

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Sequence
from typing import Any


class Complaint(Exception):
    """Why a command cannot do what it should, in one sentence with the way out."""


class OutputError(Exception):
    """Standard output cannot be written."""


class ClosedError(OutputError):
    """Whoever read standard output has gone: `| head -1` has its line."""


def prepare() -> None:
    r"""Have what the terminal's encoding lacks written as `\uXXXX`, and something under each standard stream.

    One that was closed before the start would else be the next file or socket that is opened, and get what is meant for it.
    """
    for place in range(3):
        try:
            os.fstat(place)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the system takes the lowest number that is free
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as long as the process
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def put(text: str) -> None:
    """Write `text` at once.

    Raises:
        ClosedError: nobody reads it any more.
        OutputError: there is none, or no room for it.

    """
    if sys.stdout is None:  # closed before the start
        raise OutputError("it is closed")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError as error:
        raise ClosedError(str(error)) from error
    except OSError as error:
        raise OutputError(error.strerror or str(error)) from error


def tell(words: str) -> None:
    """Write a line to standard error; where nobody can read it, the exit code says enough."""
    with contextlib.suppress(OSError, ValueError):
        print(words, file=sys.stderr, flush=True)


def settle() -> None:
    """Leave nothing for the interpreter to write to standard error at its end: it ends with 120 where that fails."""
    try:
        sys.stderr.flush()
    except (OSError, ValueError):
        sys.stderr = None


def put_json(value: Any) -> None:
    """Write a value for programs, and for who reads along."""
    put(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def put_table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Write rows: at a terminal under heads and in columns, else with tabs between and nothing around, to be cut.

    `right`: columns of numbers.
    """
    rows = [[shown(cell) for cell in row] for row in rows]
    if sys.stdout is None or not sys.stdout.isatty():
        put("".join("\t".join(row) + "\n" for row in rows))
        return
    import io

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text as Cell

    table = Table(box=None, pad_edge=False, header_style="bold")
    for at, head in enumerate(heads):
        table.add_column(head, justify="right" if at in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Cell(cell) for cell in row))  # foreign words are no markup
    drawn = io.StringIO()
    Console(file=drawn, force_terminal=True, width=shutil.get_terminal_size().columns).print(table)
    put(drawn.getvalue())


def abandon() -> None:
    """Give up what is not written, which the interpreter would try again at its end."""
    stdout, sys.stdout = sys.stdout, None
    if stdout is not None:
        with contextlib.suppress(OSError):
            stdout.close()


class Text:
    """Text in pieces, of which a character may be cut in two: a surrogate waits for its other half."""

    def __init__(self) -> None:
        self._high = ""

    def add(self, piece: str) -> str:
        """What is whole now."""
        piece = self._high + piece
        self._high = piece[-1:] if "\ud800" <= piece[-1:] <= "\udbff" else ""
        return _joined(piece[: len(piece) - len(self._high)])

    def end(self) -> str:
        """The half that stayed alone."""
        half, self._high = self._high, ""
        return half


def _joined(text: str) -> str:
    """Both halves of a character as one; halves that are alone stay."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def shown(text: str) -> str:
    """Foreign text for one line: control characters are written as escapes."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
