"""The signals of `hoosh serve` from the first moment that its code is loaded until its event loop hears them."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType

HANGUP: "signal.Signals | None" = getattr(signal, "SIGHUP", None)
"""What asks for a reload, where there is such a signal."""

_asked = False


def is_serve() -> bool:
    """Whether this process is `hoosh serve`, and not a program that imports the package."""
    argv: list[str] = getattr(sys, "argv", None) or [""]
    program, *arguments = argv
    if arguments[:1] != ["serve"]:
        return False
    if program == "-m":  # what it is called while the package is looked for
        return sys.orig_argv[: -len(arguments)][-2:] == ["-m", "hoosh"]
    return os.path.basename(program) == "hoosh"


def catch() -> dict[signal.Signals, object]:
    """Remember SIGHUP, and end at once and without a word at the others. Returns the handlers before."""
    before: dict[signal.Signals, object] = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM, HANGUP):
            if number is None:
                continue
            # Also a hangup that nohup has ignored asks for a reload, as it does once the server is up.
            if number == HANGUP or signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, _remember if number == HANGUP else _end)
    except ValueError:  # not the main thread, which alone has signals
        pass
    return before


@contextmanager
def caught() -> Iterator[None]:
    """Have the signals caught meanwhile."""
    before = catch()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]


def reload_asked() -> bool:
    """Whether a reload was asked for since this was last said."""
    global _asked
    asked, _asked = _asked, False
    return asked


def _remember(_number: int, _frame: FrameType | None) -> None:
    global _asked
    _asked = True


def _end(number: int, _frame: FrameType | None) -> None:
    credential = sys.modules.get("hoosh._credential")
    if credential is not None and hasattr(credential, "_signal"):  # else it is half loaded, and nothing runs
        if credential.postpone(partial(_end, number, None)):
            return
        credential.end_all()
    if number == signal.SIGINT:
        # An exception might come up in the middle of an import, with a traceback or as another one.
        os._exit(130)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
