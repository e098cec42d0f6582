"""Sockets on asyncio, read so that nothing of what the event loop delivered stays behind unseen."""

from collections.abc import Callable, Mapping
from typing import Any

from anyio.abc import ByteStream

LARGEST_READ = 1 << 20
"""More than an event loop delivers at once: asyncio 256 KiB, uvloop 250 KiB. Asking for so much allocates nothing."""
FULL_READ = 250 << 10
"""Of this size or more, uvloop may have delivered another behind it."""


class Whole(ByteStream):
    """A socket of anyio on asyncio.

    The event loop reads before it is asked how much, and anyio keeps what was not asked for in a queue that nothing shows:
    neither the socket nor the stream tells that more is there. Taking each delivery whole leaves none.
    """

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self.more = False
        """Whether anything may have been left in the queue."""

    async def receive(self, max_bytes: int = LARGEST_READ) -> bytes:
        """What was delivered, also if that is more than `max_bytes`."""
        data = await self._stream.receive(LARGEST_READ)
        self.more = len(data) >= FULL_READ
        return data

    async def send(self, item: bytes) -> None:
        """Write all of it."""
        await self._stream.send(item)

    async def send_eof(self) -> None:
        """End writing."""
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close it."""
        await self._stream.aclose()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """Those of the socket."""
        return self._stream.extra_attributes
