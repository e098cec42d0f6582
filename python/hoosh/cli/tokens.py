"""`hoosh tokens`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from hoosh.cli import options, output
from hoosh.cli.output import Complaint

EXAMPLES = """
hoosh tokens README.md docs/*.md           a line for each file, and their sum
git diff | hoosh tokens -m gpt-4
hoosh tokens --json notes.txt
"""
STANDARD_INPUT = "-"


def tokens(
    files: Annotated[list[str] | None, typer.Argument(help="Files; `-` or none is standard input.")] = None,
    model: Annotated[str, typer.Option("-m", "--model", help="Count as this model of OpenAI's does.")] = "gpt-4o",
    as_json: options.AsJson = False,
) -> int:
    """Count the tokens of files.

    Exactly, and without a network.
    """
    from hoosh.tokens import count, encoding_for_model

    known = "`-m` takes a model of OpenAI's, such as gpt-4o (the default) or gpt-4"
    if not model:
        raise Complaint(f"The name of the model is empty: {known}.")
    if encoding_for_model(model) is None:
        raise Complaint(f"It is not known how {output.shown(model)} counts: {known}.")

    counted = [(file, count(_text(file), model=model)) for file in files or [STANDARD_INPUT]]
    total = sum(number for _, number in counted)
    if as_json:
        output.put_json({"model": model, "files": [{"file": f, "tokens": n} for f, n in counted], "tokens": total})
        return 0
    rows = [[str(number), file] for file, number in counted]
    if len(rows) > 1:
        rows.append([str(total), "total"])
    output.put_table(["TOKENS", "FILE"], rows, right=(0,))
    return 0


def _text(file: str) -> str:
    try:
        data = sys.stdin.buffer.read() if file == STANDARD_INPUT else Path(file).read_bytes()
        return data.decode()
    except OSError as error:
        raise Complaint(f"{file} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise Complaint(f"{file} is no text in UTF-8: {error.reason} at byte {error.start}.") from error
