"""Credentials that are in files or that programs print, read within bounds: of size, of time, and of whoever waits."""

import atexit
import os
import selectors
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

COMMAND_SECONDS = 10
"""How long a command may take that prints a credential."""
MOST_BYTES = 64 << 10
"""The longest text that is read for a credential."""
MOST_FILE_BYTES = 4 << 20
"""The longest file of certificates or keys: all of a system's authorities are a few hundred KiB. And the longest catalogue: one of
all models that services offer has some hundred KiB."""
LOOK_SECONDS = 0.02
"""How often it is looked whether a command that holds its output open has ended, or nobody waits any more."""

_thread_starts = threading.Lock()
"""Held while a thread starts a command, which is not in `_running` yet."""
_running: set[subprocess.Popen[bytes]] = set()
_postponed: list[Callable[[], None]] | None = None
"""While the main thread starts a command, which is not in `_running` yet: what signal handlers want done after it."""
_nobody_waits: ContextVar[threading.Event | None] = ContextVar("nobody_waits", default=None)


def read(kind: str, words: list[str]) -> str:
    """The text of a file, or what a program prints; no shell reads the words.

    Raises:
        OSError: why it cannot be had, in words that quote nothing of it.

    """
    is_command = kind == "command"
    named, most = (
        f"the {'command' if is_command else 'file'} {words[0]}",
        MOST_FILE_BYTES if kind in ("pem", "catalogue") else MOST_BYTES,
    )
    text = _command(named, words) if is_command else _file(named, words[0], most)
    if len(text) > most:
        raise OSError(f"{named} {'printed' if is_command else 'has'} more than {most >> 10} KiB")
    if not text.strip():
        raise OSError(f"{named} {'printed nothing' if is_command else 'is empty'}")
    if is_command:
        return text.decode("utf-8", "replace")
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        # Without its cause, which quotes the text.
        raise OSError(f"{named} is no text in UTF-8") from None


@contextmanager
def while_waiting() -> Iterator[None]:
    """Have the commands that are started in this context, also those of its threads, killed when it is left."""
    left = threading.Event()
    token = _nobody_waits.set(left)
    try:
        yield
    finally:
        left.set()
        _nobody_waits.reset(token)


@atexit.register
def _at_exit() -> None:
    held = _thread_starts.acquire(timeout=1)  # in a fork nobody may be there to release it
    end_all()
    if held:
        _thread_starts.release()


def end_all() -> None:
    """Kill every command that runs, and what it started: the process ends. It waits for nothing, for signal handlers."""
    for process in list(_running):
        _signal(process)


def postpone(do: Callable[[], None]) -> bool:
    """For signal handlers: have it done once the command that is being started can be killed. Returns whether there is one."""
    if _postponed is None:
        return False
    _postponed.append(do)
    return True


@contextmanager
def _starting() -> Iterator[None]:
    global _postponed
    if threading.current_thread() is not threading.main_thread():
        with _thread_starts:
            yield
        return
    postponed: list[Callable[[], None]] = []
    _postponed = postponed
    try:
        yield
    finally:
        _postponed = None
        for do in postponed:
            do()


def _file(named: str, path: str, most: int) -> bytes:
    """Up to one byte more than it may have."""
    try:
        # A FIFO without a writer would hold the opening for ever.
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            # A device or a FIFO may have no end, or nothing for a long time.
            regular = stat.S_ISREG(os.fstat(file).st_mode)
            text = bytearray()
            while regular and len(text) <= most and (more := os.read(file, most + 1 - len(text))):
                text += more
        finally:
            os.close(file)
    except (OSError, ValueError) as error:
        raise OSError(f"{named} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not regular:
        raise OSError(f"{named} cannot be read: it is no regular file")
    return bytes(text)


def _command(named: str, words: list[str]) -> bytes:
    """What it prints until it ends, up to one byte more than a credential may have."""
    try:
        # In a session of its own, so that it can be killed with all that it started.
        with _starting():
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                bufsize=0,
            )
            _running.add(process)
    except (OSError, ValueError) as error:
        raise OSError(f"{named} cannot be run: {getattr(error, 'strerror', None) or error}") from error
    try:
        text = _printed(named, process)
    finally:
        _kill(process)
        _running.discard(process)
    if len(text) <= MOST_BYTES and process.returncode != 0:
        raise OSError(f"{named} ended with {process.returncode}")
    return text


def _printed(named: str, process: subprocess.Popen[bytes]) -> bytes:
    """What it has printed by its end. What it leaves running may hold its output open, and is not waited for."""
    assert process.stdout is not None
    nobody_waits, until = _nobody_waits.get(), time.monotonic() + COMMAND_SECONDS
    text, open_ = bytearray(), True
    with process.stdout as out, selectors.DefaultSelector() as waiting:
        waiting.register(out, selectors.EVENT_READ)
        while len(text) <= MOST_BYTES:
            ended = process.poll() is not None
            if open_ and waiting.select(0 if ended else LOOK_SECONDS):
                more = out.read(MOST_BYTES + 1 - len(text))
                text += more
                open_ = bool(more)
            elif ended:
                break
            elif not open_:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(LOOK_SECONDS)
            if nobody_waits is not None and nobody_waits.is_set():
                raise OSError(f"{named} is no longer waited for")
            if time.monotonic() > until:
                raise OSError(f"{named} did not end within {COMMAND_SECONDS} seconds")
    return bytes(text)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill it and what it started, if it runs. What a program leaves behind when it ends is its own affair."""
    if _signal(process):
        process.wait()


def _signal(process: subprocess.Popen[bytes]) -> bool:
    """Send the signal. Returns whether it ran."""
    if process.poll() is not None:
        return False
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    return True
