"""`hoosh serve` while nothing needs an event loop: the edge answers in its threads, and this thread waits for signals.

It is left, and the event loop loaded, at the first signal, or when the edge asks for what only Python has: a credential that
is read anew, a model that is Python, a hook.
"""

import os
import selectors
import signal
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from hoosh import _early, announce
from hoosh._driver import own
from hoosh._native import Config, NativeEngine, WakeQueue
from hoosh.edge import Front

LIST_SECONDS = announce.LIST_SECONDS
LOOK_SECONDS = 0.05
"""How often the edge is asked whether the providers have said what they have."""


class Alone(NamedTuple):
    """What was done before the event loop came."""

    engines: dict[str, NativeEngine]
    """By the provider's name."""
    signals: "Signals"
    """That came meanwhile, and that come until somebody else hears them."""
    announced: bool
    """Whether it was said what there is."""


def is_possible(config: Config) -> bool:
    """Whether all engines that `config` has made are hoosh's own, and no application is mounted."""
    return not config.mounts and all(
        kind != "python" and target.startswith((own.NATIVE, "register")) for _, kind, target, _ in config.engines()
    )


def serve(front: Front, config: Config, file: Path | None) -> Alone:
    """Answer until an event loop is needed.

    Raises:
        ConfigError: an engine cannot be made.

    """
    engines = {
        name: own.made(name, target.removeprefix(own.NATIVE), options)
        for name, _, target, options in config.engines()
        if target.startswith(own.NATIVE)
    }
    front.edge.engines(engines)
    signals, wanted = Signals(), WakeQueue()
    front.edge.open_host(wanted, 0)
    front.edge.accept()
    say = announce.Voice(front.gateway, front.edge)
    host, port = front.edge.address
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    announce.listening(say, config, file, address, engines, front.store.path)
    # Not `select.select`, which takes no descriptor beyond 1,023.
    with selectors.DefaultSelector() as waiting:
        for descriptor in (signals.reader, wanted.fileno()):
            waiting.register(descriptor, selectors.EVENT_READ)
        is_announced = _wait(waiting, front)
        if is_announced:
            announce.found(say, front.gateway, config, file, address)
            waiting.select()
    signals.let_go()
    return Alone(engines, signals, is_announced)


def _wait(waiting: selectors.BaseSelector, front: Front) -> bool:
    """Until the providers have said what they have, or had their time; False if the event loop is needed before."""
    for _ in range(int(LIST_SECONDS / LOOK_SECONDS)):
        if front.edge.is_listed:
            break
        if waiting.select(LOOK_SECONDS):
            return False
    return True


class Signals:
    """Those of a server, noted until an event loop hears them itself."""

    def __init__(self) -> None:
        self._noted: list[int] = []
        self.reader, self._writer = os.pipe()
        """The first becomes readable when a signal came, whichever thread the system gave it to."""
        os.set_blocking(self._writer, False)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, _early.HANGUP):
            if number is not None:
                signal.signal(number, self._note)
        if _early.reload_asked() and _early.HANGUP is not None:
            self._note(_early.HANGUP, None)
            os.write(self._writer, b"\0")

    def let_go(self) -> None:
        """Leave the descriptor to an event loop."""
        signal.set_wakeup_fd(-1)

    def take(self) -> list[int]:
        """Those that were noted, in their order."""
        noted, self._noted = self._noted, []
        return noted

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._noted.append(number)
