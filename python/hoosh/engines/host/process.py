"""The gateway's end of a child: starts it, writes to it, hears it, and sees it end. One thread does all of that."""

import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoosh.engines.host.calls import Call, Died, Ended, Failed
from hoosh.engines.host.frames import BadFrame, Frames, Message, frame
from hoosh.engines.host.printed import Printed
from hoosh.engines.host.words import refusal_of

LOG = logging.getLogger("hoosh")

PACKAGES = str(Path(__file__).resolve().parents[3])
"""Where this package is found. Another Python looks there last, so that its own packages go before."""
BEGIN = "import sys; sys.path.append(sys.argv[2]); from hoosh.engines.host.child import main; main(int(sys.argv[3]))"
STUCK_SECONDS = 60.0
"""A call that nobody wants, and that goes on for so long, costs the process: it would never come back."""
END_SECONDS = 2.0
"""How long a child has to end by itself once its socket is closed."""
LARGEST_READ = 1 << 18


class Over(Exception):
    """The process has ended, or is about to: ask another."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What a child is to be."""

    name: str
    """For the log, and for whoever looks at the processes of a machine."""
    target: str
    """`module:Class`."""
    options: dict[str, Any]
    python: str | None = None
    """The interpreter; None: the one that runs here, and its `sys.path`."""
    idle_seconds: float | None = None
    """Without a call for so long, it ends."""


class Process:
    """One child. What is asked of it is a `Call`."""

    def __init__(self, engine: Engine, dies: Callable[[], None], died: Callable[[str], None]) -> None:
        """Start it. Unless its end was wanted, `dies` is called before it is `over`, and `died` told why before its calls are.

        Raises:
            OSError: it cannot be started.

        """
        self._engine, self._dies, self._died = engine, dies, died
        self._lock = threading.Lock()
        self._calls: dict[int, Call] = {}
        self._last = 0
        self._outbox: deque[Message | bytes] = deque()
        """What is to be written. It becomes bytes in the thread, not on the event loop: it may be long."""
        self._over = self._closing = False
        self._idle_since = time.monotonic()
        self._broken: str | None = None
        self._end, theirs = socket.socketpair()
        words = [engine.python or sys.executable, "-c", BEGIN, f"hoosh-engine:{engine.name}", PACKAGES]
        with theirs:
            # A session of its own: what a terminal sends to all of its programs is not for it.
            self._child = subprocess.Popen(
                [*words, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._end.setblocking(False)
        assert self._child.stdout is not None
        self._output = self._child.stdout
        self._printed = Printed(engine.name, self._output.fileno())
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._wake, False)
        path = [] if engine.python else [entry or os.getcwd() for entry in sys.path]
        self.say({"make": engine.target, "options": engine.options, "path": path})
        self._thread = threading.Thread(target=self._tend, name=f"hoosh-{engine.name}", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """The child's."""
        return self._child.pid

    @property
    def over(self) -> bool:
        """Whether nothing can be asked of it any more."""
        return self._over

    def ask(self, method: str, **what: Any) -> Call:
        """Ask for something.

        Raises:
            Over: it is too late.

        """
        with self._lock:
            if self._over:
                raise Over
            self._last += 1
            call = self._calls[self._last] = Call(self, self._last)
            self._outbox.append({"do": method, "call": call.number, **what})
        self._ring()
        return call

    def say(self, message: Message) -> None:
        """Tell it something; of no use once it is over."""
        with self._lock:
            self._outbox.append(message)
        self._ring()

    def close(self) -> None:
        """Have it end. Its calls are answered no more."""
        self._closing = True
        self._ring()

    def join(self) -> None:
        """Wait for its end, which `close` asked for."""
        self._thread.join()

    def _ring(self) -> None:
        with self._lock, suppress(BlockingIOError):  # it is awake
            if self._wake >= 0:
                os.write(self._wake, b"!")

    # --- the thread

    def _tend(self) -> None:
        try:
            why = self._converse()
        except BadFrame as error:
            why = f"does not keep to the protocol: {error}"
        except Exception as error:  # whatever it is, nobody may wait for ever
            LOG.exception("%s: its process cannot be heard", self._engine.name)
            why = f"cannot be heard: {error}"
        self._finish(why)

    def _converse(self) -> str | None:
        """Read and write until it is over. Why it is, unless that was wanted; an empty text: it ended."""
        frames = Frames()
        with selectors.DefaultSelector() as selector:
            selector.register(self._end, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            selector.register(self._output, selectors.EVENT_READ)
            while not self._closing:
                wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._outbox else 0)
                selector.modify(self._end, wanted)
                for key, events in selector.select(self._patience()):
                    if key.fileobj is self._end:
                        if events & selectors.EVENT_WRITE:
                            self._write()
                        if events & selectors.EVENT_READ and not self._read(frames):
                            return ""
                    elif key.fileobj is self._output and self._printed.read() == b"":
                        selector.unregister(self._output)
                    elif key.fileobj == self._woken:
                        with suppress(BlockingIOError):
                            os.read(self._woken, 1 << 16)
                if stuck := self._stuck():
                    return stuck
                if self._is_idle():
                    LOG.info("%s: idle, its process ends", self._engine.name)
                    return None
        return None

    def _write(self) -> None:
        with suppress(BlockingIOError):
            # Only this thread takes away; others add at the other end.
            while self._outbox:
                data = self._outbox[0]
                if not isinstance(data, bytes):
                    data = self._framed(data)
                self._outbox[0] = data[self._end.send(data) :] if data else b""
                if not self._outbox[0]:
                    self._outbox.popleft()

    def _framed(self, message: Message) -> bytes:
        try:
            return frame(message)
        except (TypeError, ValueError, RecursionError) as error:
            with self._lock:
                call = self._calls.pop(message.get("call", 0), None)
            if call is None:
                raise
            call.end(error)
            return b""

    def _read(self, frames: Frames) -> bool:
        try:
            data = self._end.recv(LARGEST_READ)
        except BlockingIOError:
            return True
        except ConnectionResetError:  # it died with words of ours unread
            return False
        for message, size in frames.feed(data):
            self._take(message, size)
        return bool(data)

    def _take(self, message: Message, size: int) -> None:
        match message:
            case {"call": int(number), **said}:
                with self._lock:
                    call = self._calls.get(number)
                if call is None:
                    raise BadFrame("it answers what nobody asked")
                self._answer(call, said, size)
            case {"made": True}:
                LOG.info("%s: its process %d is ready", self._engine.name, self.pid)
            case {"broken": str(words), "trace": str(trace)}:
                LOG.error("%s: the engine could not be made\n%s", self._engine.name, trace.rstrip())
                self._broken = words
            case _:
                raise BadFrame("it says what has no meaning")

    def _answer(self, call: Call, said: Message, size: int) -> None:
        end: Exception
        match said:
            case {"end": value}:
                end = Ended(value)
            case {"refused": told}:
                end = refusal_of(told)
            case {"failed": str(words), "trace": str(trace)}:
                end = Failed(words)
                end.add_note(f"In its process:\n{trace.rstrip()}")
            case {"said": _} | {"vector": _} | {"progress": [int(), int()]}:
                call.put(said, size)
                return
            case _:
                raise BadFrame("it answers what has no meaning")
        with self._lock:
            del self._calls[call.number]
            self._idle_since = time.monotonic()
        call.end(end)

    # --- time

    def _patience(self) -> float | None:
        now = time.monotonic()
        with self._lock:
            times = [call.left_at + STUCK_SECONDS for call in self._calls.values() if call.left_at is not None]
            if not self._calls and self._engine.idle_seconds is not None:
                times.append(self._idle_since + self._engine.idle_seconds)
        return max(0.0, min(times) - now) if times else None

    def _stuck(self) -> str:
        late = time.monotonic() - STUCK_SECONDS
        with self._lock:
            stuck = any(call.left_at is not None and call.left_at <= late for call in self._calls.values())
        return f"did not end what nobody wanted any more for {STUCK_SECONDS:.0f} seconds" if stuck else ""

    def _is_idle(self) -> bool:
        if (most := self._engine.idle_seconds) is None:
            return False
        with self._lock:
            self._over |= not self._calls and time.monotonic() - self._idle_since >= most
            return self._over

    # --- the end

    def _finish(self, why: str | None) -> None:
        """Have it gone, and tell everybody."""
        if why is not None:
            self._dies()
        self._over = True  # who asks from now on asks another
        if why:
            self._child.kill()
        self._end.close()
        try:
            self._child.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._printed.read_all()
        self._output.close()
        words = None if why is None else self._words(why)
        if words is not None:
            self._died(words)
        with self._lock:
            calls, self._calls = list(self._calls.values()), {}
            os.close(self._wake)
            os.close(self._woken)
            self._wake = -1
        for call in calls:
            call.end(Died(f"the engine's process {words or 'was closed'}"))

    def _words(self, why: str) -> str:
        if self._broken is not None:
            return f"could not make the engine: {self._broken}"
        status = self._child.returncode
        try:
            ended = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        except ValueError:
            ended = f"was ended by signal {-status}"
        last = f"; it printed last: {self._printed.last}" if self._printed.last else ""
        return f"{why or ended}{last}"
