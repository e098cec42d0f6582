"""Whoever asks, as the driver sees it; and a caller of this process."""

from collections.abc import Callable
from typing import Protocol

import anyio

from hoosh._native import WireRefusal

Headers = list[tuple[bytes, bytes]]
Took = Callable[[int], None]
"""Told how many more bytes of a body the transport took."""


class Caller(Protocol):
    """What the driver needs of whoever asks."""

    joins: bool
    """Whether neighbouring pieces may be written as one."""

    async def read(self, credit: int) -> tuple[bytes, bool] | WireRefusal | None:
        """At most about `credit` bytes of the body, and whether that was the end. None: the caller is gone."""

    async def gone(self) -> None:
        """Return when the caller is gone."""

    async def go_on(self) -> None:
        """Send `100 Continue`."""

    async def reply(self, status: int, headers: Headers, body: bytes, took: Took) -> None:
        """Write a whole answer."""

    async def start(self, status: int, headers: Headers) -> None:
        """Begin a streamed answer."""

    async def emit(self, data: bytes, took: Took) -> None:
        """Write more of it; return when the transport took all."""

    async def finish(self) -> None:
        """End it."""

    def raised(self, error: Exception) -> None:
        """An engine or a hook that was asked for it raised `error`, which is for the operator: no caller over HTTP sees it."""

    def cut(self) -> None:
        """Cut the connection, and with it what is being written."""


class Kept:
    """A caller of this process that keeps what it is told."""

    joins = False

    def __init__(self, body: bytes = b"") -> None:
        self.status = 0
        self.headers: Headers = []
        self.pieces: list[bytes] = []
        self.cause: Exception | None = None
        """What an engine or a hook raised last."""
        self._body, self._read = body, 0

    async def read(self, credit: int) -> tuple[bytes, bool] | None:
        """See `Caller`."""
        begin = self._read
        self._read = min(begin + credit, len(self._body))
        return self._body[begin : self._read], self._read == len(self._body)

    async def gone(self) -> None:
        """See `Caller`: in process nobody hangs up; the task that waits is cancelled instead."""
        await anyio.sleep_forever()

    async def go_on(self) -> None:
        """See `Caller`."""

    async def reply(self, status: int, headers: Headers, body: bytes, took: Took) -> None:
        """See `Caller`."""
        self.status, self.headers, self.pieces = status, headers, [body]
        took(len(body))

    async def start(self, status: int, headers: Headers) -> None:
        """See `Caller`."""
        self.status, self.headers = status, headers

    async def emit(self, data: bytes, took: Took) -> None:
        """See `Caller`."""
        self.pieces.append(data)
        took(len(data))

    async def finish(self) -> None:
        """See `Caller`."""

    def raised(self, error: Exception) -> None:
        """See `Caller`."""
        self.cause = error

    def cut(self) -> None:
        """See `Caller`."""
