"""The engine's end: a process that holds one engine, and does what the gateway's end asks over a socket.

The engine is an object of the contract in `hoosh.engines.protocol`, with plain methods. Each call has a thread. The main
thread only reads, so that whatever an engine does, the process ends in the moment in which the gateway does: then the
socket is closed. Signals are not for it: a terminal's interrupt and a supervisor's SIGTERM to all are the gateway's to follow,
which answers what it has begun.
"""

import importlib
import os
import selectors
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from hoosh.engines.host.frames import BadFrame, Frames, Message, frame
from hoosh.engines.host.words import refusal_words, request_of, said_words
from hoosh.engines.refused import Refused
from hoosh.engines.request import Cancelled

AHEAD_BYTES = 1 << 20
"""How far an answer goes on that is not taken: more than any model says, and not all that one could that never stops."""
NICENESS = 10
"""Below the gateway, which has to answer while a model computes."""
PARENT_SECONDS = 2.0
"""How often it is looked whether the gateway is still there, should another process hold the other end open."""
LARGEST_READ = 1 << 18
EX_PROTOCOL = 76
"""The exit status of a process whose other end does not keep to the protocol, as sysexits.h has it."""


class Host:
    """One engine and its calls."""

    def __init__(self, end: socket.socket) -> None:
        self._end, self._writing = end, threading.Lock()
        self._calls: dict[int, Call] = {}
        self._engine: Any = None
        self._made = threading.Event()

    def run(self) -> None:
        """Do what is asked until the gateway is gone. Never returns."""
        frames, parent = Frames(), os.getppid()
        # The descriptor has the gateway's number, and `select.select` takes none beyond 1,023.
        waiting = selectors.DefaultSelector()
        waiting.register(self._end, selectors.EVENT_READ)
        while True:
            readable = waiting.select(PARENT_SECONDS)
            data = self._end.recv(LARGEST_READ) if readable else b""
            if (readable and not data) or os.getppid() != parent:
                # Not `sys.exit`: a thread in native code, or an engine's own cleaning up, would hold it up.
                os._exit(0)
            for message, _ in frames.feed(data):
                self._take(message)

    def say(self, message: Message) -> int:
        """Write a message; its size."""
        data = frame(message)
        with self._writing:
            self._end.sendall(data)
        return len(data)

    def engine(self) -> Any:
        """The engine, once it is made."""
        self._made.wait()
        return self._engine

    def forget(self, number: int) -> None:
        """A call has ended."""
        self._calls.pop(number, None)

    def _take(self, message: Message) -> None:
        match message:
            case {"make": str(target), "options": dict(options), "path": list(path)}:
                threading.Thread(target=self._make, args=(target, options, path), daemon=True).start()
            case {"do": str(method), "call": int(number)}:
                made = self._calls[number] = Call(self, number)
                threading.Thread(target=made.run, args=(method, message), daemon=True).start()
            case {"cancel": int(number)}:
                if call := self._calls.get(number):
                    call.cancel()
            case {"took": int(size), "call": int(number)}:
                if call := self._calls.get(number):
                    call.taken(size)
            case _:
                raise BadFrame("this is nothing that is asked of an engine")

    def _make(self, target: str, options: Message, path: list[str]) -> None:
        try:
            sys.path.extend(entry for entry in path if entry not in sys.path)
            module, _, name = target.partition(":")
            made: Any = importlib.import_module(module)
            for part in name.split("."):
                made = getattr(made, part)
            self._engine = made(**options)
        except BaseException as error:
            self.say({"broken": _line(error), "trace": traceback.format_exc()})
            os._exit(1)
        self._made.set()
        self.say({"made": True})


class Call:
    """One thing that is asked."""

    def __init__(self, host: Host, number: int) -> None:
        self._host, self._number, self._cancelled = host, number, Cancelled()
        self._change = threading.Condition()
        self._ahead = 0
        """Bytes that were said and not taken yet."""

    def cancel(self) -> None:
        """Nobody wants it any more."""
        self._cancelled.set()
        with self._change:
            self._change.notify_all()

    def taken(self, size: int) -> None:
        """So many bytes were taken."""
        with self._change:
            self._ahead -= size
            self._change.notify_all()

    def run(self, method: str, message: Message) -> None:
        """Do it, and say how it ended."""
        try:
            end: Message = {"end": self._do(method, message)}
        except Refused as refused:
            end = {"refused": refusal_words(refused)}
        except BaseException as error:  # an engine that calls `sys.exit` ends nothing here
            end = {"failed": _line(error), "trace": traceback.format_exc()}
        self._host.forget(self._number)
        self._say(end)

    def _do(self, method: str, message: Message) -> Any:
        engine = self._host.engine()
        match method:
            case "chat" | "complete":
                request = request_of(method, message["request"], self._cancelled)
                self._speak(getattr(engine, method)(request))
            case "embed":
                for vector in engine.embed(request_of(method, message["request"], self._cancelled)):
                    self._hand({"vector": vector.tolist() if hasattr(vector, "tolist") else list(vector)})
            case "models":
                return [asdict(model) for model in engine.models()]
            case "load":
                _optional(engine, "load")(message["model"], self._progress)
            case "unload":
                _optional(engine, "unload")(message["model"])
            case "health":
                health = engine.health() if hasattr(engine, "health") else None
                return [True, ""] if health is None else [health.ok, health.words]
            case _:
                raise ValueError(f"nobody can {method}")
        return None

    def _speak(self, made: Any) -> None:
        # A single text is a whole answer, and no row of letters.
        pieces = iter([made] if isinstance(made, str) else made)
        try:
            for piece in pieces:
                if not self._hand({"said": said_words(piece)}):
                    return
        finally:
            if callable(close := getattr(pieces, "close", None)):
                close()

    def _hand(self, message: Message) -> bool:
        """Say more, no further ahead than it may be. False: nobody wants it any more."""
        with self._change:
            self._change.wait_for(lambda: self._cancelled.is_set() or self._ahead < AHEAD_BYTES)
        if self._cancelled.is_set():
            return False
        size = self._say(message)
        with self._change:
            self._ahead += size
        return True

    def _progress(self, done: int, whole: int) -> None:
        self._say({"progress": [done, whole]})

    def _say(self, message: Message) -> int:
        return self._host.say({"call": self._number, **message})


def main(descriptor: int) -> None:
    """Be an engine's process, asked over a socket that was inherited as `descriptor`."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with suppress(OSError):
        os.nice(NICENESS)
    host = Host(socket.socket(fileno=descriptor))
    try:
        host.run()
    except (BadFrame, OSError) as error:
        sys.stderr.write(f"{error}\n")
        sys.stderr.flush()
        os._exit(EX_PROTOCOL)


def _optional(engine: Any, method: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(engine, method, lambda *_: None)
    return found


def _line(error: BaseException) -> str:
    return " ".join(line.strip() for line in traceback.format_exception_only(error))
