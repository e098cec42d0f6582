"""One attempt of an exchange, as whoever answers it sees it."""

import anyio

from hoosh._driver.caller import Headers
from hoosh._driver.doors import Doors
from hoosh._driver.tasks import Credit, Pieces


class Attempt:
    """The doors for attempt `u`. With hooks there is another in front of it: `hooked.Between`."""

    def __init__(self, doors: Doors, u: int) -> None:
        self.doors, self.u = doors, u
        self.credit = Credit()
        """Bytes that may be handed over."""
        self.scope = anyio.CancelScope()
        """Cancelled when nothing more is wanted of it."""
        self.body = Pieces()
        """What is still to be written of a streamed body."""
        self.stage = "connect"
        """How far it came: `connect`, `send`, `head` (wanted now) or `body`."""

    def connected(self) -> None:
        """A connection stands. Other than with the other doors no step is taken: `sent` follows at once, or `step` does."""
        self.stage = "send"
        self.doors.exchange.connected(self.u)

    def took(self, size: int) -> None:
        """The transport took `size` more bytes of a streamed body."""
        self.doors.exchange.took(self.u, size)
        self.doors.step()

    def sent(self) -> None:
        """The request was written whole."""
        if self.stage == "send":  # an answer may have begun before
            self.stage = "head"
        self.doors.exchange.sent(self.u)
        self.doors.step()

    def head(self, status: int, headers: Headers) -> None:
        """The answer's head came."""
        self.stage = "body"
        self.doors.exchange.head(self.u, status, headers)
        self.doors.step()

    async def data(self, data: bytes) -> None:
        """Hand over more of the answer's body, as there is credit for it."""
        start = 0
        while start < len(data):
            size = await self.credit.take(len(data) - start)
            self.doors.exchange.data(self.u, data if size == len(data) else data[start : start + size])
            start += size
            self.doors.step()

    def end(self) -> None:
        """The answer is complete."""
        self.doors.exchange.end(self.u)
        self.doors.step()

    def failed(self, stage: str, *, reused: bool) -> None:
        """It failed, `reused`: on a connection that had served before."""
        self.doors.exchange.failed(self.u, stage, reused)
        self.doors.step()
