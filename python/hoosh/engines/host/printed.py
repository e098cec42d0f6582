"""What a child prints: for whoever looks into its death, and for nobody else."""

import logging
import os
from collections import deque

LOG = logging.getLogger("hoosh")

LARGEST_READ = 1 << 18
LAST_LINES = 5
"""Lines that are told when it dies."""
LONGEST_LINE = 400


class Printed:
    """Lines out of a pipe, of which the last are kept."""

    def __init__(self, name: str, pipe: int) -> None:
        """`name` is whose lines these are, in the log."""
        self._name, self._pipe = name, pipe
        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        self._held = b""
        os.set_blocking(pipe, False)

    def read(self) -> bytes | None:
        """What it printed just now; nothing at its end, None: none for now."""
        try:
            data = os.read(self._pipe, LARGEST_READ)
        except BlockingIOError:
            return None
        *lines, self._held = (self._held + data).split(b"\n")
        self._held = self._held[:LONGEST_LINE]
        for line in [*lines, *([] if data else [self._held])]:
            self._keep(line[:LONGEST_LINE].decode(errors="replace"))
        return data

    def read_all(self) -> None:
        """What is left; another process may hold the pipe open."""
        while self.read():
            pass

    @property
    def last(self) -> str:
        """The last lines, in one."""
        return " | ".join(self._lines)

    def _keep(self, line: str) -> None:
        # What a terminal would act on is not for a log.
        if shown := "".join(letter if letter.isprintable() else " " for letter in line).strip():
            self._lines.append(shown)
            LOG.debug("%s: %s", self._name, shown)
