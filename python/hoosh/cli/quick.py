"""`hoosh serve` with a plain command line, read without typer, whose loading alone takes a tenth of the time to the open port.

What is not plain (help, a mistake) is left to typer, which has the words for it. `tests/python/test_quick.py` holds the two
to the same options.
"""

import gc
from collections.abc import Callable, Sequence
from typing import Any


def tcp_port(text: str) -> int:
    """A port that can be listened on, 0 included.

    Raises:
        ValueError: it is none.
    """
    if not (text.isascii() and text.isdigit() and int(text) < 1 << 16):
        raise ValueError(f"{text!r} is no TCP port: 0 to 65535")
    return int(text)


def on_or_off(text: str) -> str:
    """`on` or `off`.

    Raises:
        ValueError: it is neither.
    """
    if text not in ("on", "off"):
        raise ValueError(f"{text!r} is neither on nor off")
    return text


OPTIONS: dict[str, tuple[str, Callable[[str], Any] | None]] = {
    "--config": ("config", str),
    "--bind": ("bind", str),
    "--port": ("port", tcp_port),
    "--edge": ("edge", on_or_off),
    "--first-answer": ("first_answer", None),
}
"""The parameter of `serve` that each option sets, and how its value is read; None: it is a flag."""


def options(arguments: Sequence[str]) -> dict[str, Any] | None:
    """What `arguments` say to `serve`, by its parameters; None if typer must look."""
    said: dict[str, Any] = {}
    rest = list(arguments)
    while rest:
        option, equals, value = rest.pop(0).partition("=")
        if option not in OPTIONS:
            return None
        name, parse = OPTIONS[option]
        if parse is None:
            if equals:
                return None
            said[name] = True
            continue
        if not equals:
            if not rest or rest[0].startswith("-"):
                return None
            value = rest.pop(0)
        try:
            said[name] = parse(value)
        except ValueError:  # typer meets it again, and says it in its own way
            return None
    return said


def serve(
    config: str | None = None,
    bind: str | None = None,
    port: int | None = None,
    edge: str | None = None,
    first_answer: bool = False,
) -> int:
    """Listen and answer, until SIGTERM or Ctrl-C; returns the exit code."""
    # What is loaded lives as long as the process: collecting garbage meanwhile finds none, and takes 0.07 of the start.
    # Set aside, it is not looked through again while requests are answered.
    gc.disable()
    from hoosh._environment import load
    from hoosh.edge import HOLDER, guarded, opened_front

    found, file = load(config)
    front = alone = None
    if edge != "off":
        from hoosh import alone as by_itself
        from hoosh.store import place

        # Before the event loop is loaded, so that the port is open the sooner.
        here = guarded(found.listening(bind, port))
        front = opened_front(here, place(here, HOLDER, needed=True))
        if by_itself.is_possible(found) and not first_answer:
            gc.enable()
            alone = by_itself.serve(front, here, file)
            gc.disable()
    from hoosh import server

    gc.freeze()
    gc.enable()
    return server.serve(found, file, bind, port, show_first=first_answer, front=front, alone=alone)
