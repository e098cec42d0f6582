"""What a process does to its gateways: it forks, and it ends."""

import atexit
import logging
import os
from typing import Protocol
from weakref import WeakSet

from hoosh.errors import ForkError

LOG = logging.getLogger("hoosh")

_forks = 0
"""How many forks lie between the first process and this one."""


def _forked() -> None:
    global _forks
    _forks += 1


os.register_at_fork(after_in_child=_forked)


class Birth:
    """Where something was made that a fork leaves behind: threads, wake-ups, the right to spend a budget."""

    def __init__(self) -> None:
        self._forks = _forks

    @property
    def elsewhere(self) -> bool:
        """Whether this process is a fork of the one in which it was made."""
        return self._forks != _forks

    def check(self) -> None:
        """Only where it was made.

        Raises:
            ForkError: this is a child of a fork.

        """
        if self.elsewhere:
            raise ForkError("This gateway belongs to the process that forked this one. Make one here, after the fork.")


class Closing(Protocol):
    """What has something to do before the interpreter ends."""

    def close(self) -> None:
        """Do it; once is enough."""


_open: WeakSet[Closing] = WeakSet()


def close_at_exit(closing: Closing) -> None:
    """Have `closing` closed before the interpreter ends, if it lives as long."""
    _open.add(closing)


def _close_all() -> None:
    for closing in list(_open):
        try:
            closing.close()
        except Exception:
            LOG.exception("A gateway was not closed in order")


atexit.register(_close_all)
