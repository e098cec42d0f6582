"""`hoosh cache warm`: the file, the progress, the exit code."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hoosh.cli import options, output
from hoosh.errors import HooshError

if TYPE_CHECKING:
    from hoosh.cli.client import Server
    from hoosh.warm import Line, Summary

EXAMPLES = """
hoosh cache warm questions.jsonl
hoosh cache warm questions.jsonl --server http://10.0.0.5:8088 --concurrency 16
"""
STEPS = 10
"""Lines of progress where there is no terminal."""


def warm(
    file: Annotated[str, typer.Argument(metavar="FILE", help='A body a line, or {"endpoint": "chat", "body": {…}}.')],
    concurrency: Annotated[
        int, typer.Option("--concurrency", min=1, max=1000, metavar="N", help="Requests at once.")
    ] = 4,
    config: options.Config = None,
    server: options.Server = None,
    key: options.Key = None,
) -> int:
    """Ask each request of a file once, to fill the cache.

    A file of JSON lines, whose answers a running gateway keeps. It ends with 0 if each was answered, else with 1; at once
    where no server answers, or one without a cache.
    """
    import trio

    from hoosh.cli.ask import place
    from hoosh.cli.client import Server
    from hoosh.warm import read
    from hoosh.warm import warm as warmed

    url, own = place(config, server, key)
    try:
        with Path(file).open(encoding="utf-8") as text:
            lines = read(text)
            first = next(lines, None)
            total = (first is not None) + sum(1 for _ in lines)
        # What nobody answers, and a cache that is off, are found before anything is asked that costs.
        trio.run(_ask_first, Server(url, own), first, restrict_keyboard_interrupt_to_checkpoints=True)
        with Path(file).open(encoding="utf-8") as text, _progress(total) as told:
            summary = trio.run(
                lambda: warmed(read(text), server=url, key=own, concurrency=concurrency, told=told),
                restrict_keyboard_interrupt_to_checkpoints=True,
            )
    except OSError as error:
        raise output.Complaint(f"{file} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise output.Complaint(f"{file} is no text in UTF-8: {error.reason}.") from error
    for complaint in summary.complaints:
        output.tell(output.shown(complaint))
    output.put(f"{summary}\n")
    return 1 if summary.failed else 0


async def _ask_first(opening: "Server", line: "Line | None") -> None:
    """Whether somebody is there who knows the key and has a cache.

    Raises:
        Complaint: nobody is, or not hoosh.
        HooshError: the key is wrong, or the cache is off.

    """
    from hoosh.warm import NO_CACHE, PATHS

    if line is None:
        return
    endpoint = next(name for name, path in PATHS.items() if path == line.path)
    async with opening as asked:
        try:
            told = await asked.explain({"endpoint": endpoint, "body": line.body})
        except HooshError as error:
            if error.code == "invalid_api_key":
                raise
            return  # this key may not ask that, or the line is at fault: its answer says so
    if told.get("cache") is None and told["outcome"] != "refused":
        raise HooshError(NO_CACHE, code="no_cache")


@contextmanager
def _progress(total: int) -> Iterator[Callable[["Summary"], None]]:
    """A bar on a terminal, else a line now and then; both on standard error."""
    if not sys.stderr.isatty():
        yield _lines(total)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("warming", total=total)
        yield lambda summary: progress.update(
            task,
            completed=summary.done,
            description="warming" + (f", {summary.failed} failed" if summary.failed else ""),
        )


def _lines(total: int) -> Callable[["Summary"], None]:
    def told(summary: "Summary") -> None:
        step = summary.done * STEPS // max(total, 1)
        if step > (summary.done - 1) * STEPS // max(total, 1):
            output.tell(f"{summary.done} of {total}: {summary}")

    return told
