"""The wire guard in front of hypercorn: a connection of which h11 sees only what two parsers read in one way.

`docs/wire.md` lists what is refused. The rules are the core's (`native/core/src/wire`); here they meet the socket.
"""

import secrets
from typing import Any

import trio

from hoosh._native import WireGuard, WireRefusal

HEAD_SECONDS = 30.0
"""How long a head may take from its first byte to its last."""
LINGER_SECONDS = 2.0
"""How long what follows a refused head is read and dropped, so that the refusal is not lost in a reset."""
LARGEST_READ = 1 << 16
MAX_HEAD = 64 << 10
"""Longest head, bytes: `MAX_HEAD` of the core's guard."""

_PLACE = "/" + secrets.token_hex(16)
"""The path of the request that h11 sees in place of one that was refused; nobody outside can name it."""
_IN_PLACE = f"GET {_PLACE} HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n".encode()


class GuardedStream:
    """A `trio.SocketStream` as hypercorn uses it, whose bytes the guard has judged.

    After a refusal `refusal` is set, and h11 is given a request in its place (the head was wrong) or the end of the one
    it reads (the body was), so that the answer takes its turn behind earlier ones.
    """

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._guard = WireGuard()
        self._deadline = 0.0
        self.refusal: WireRefusal | None = None

    @property
    def socket(self) -> trio.socket.SocketType:
        """Hypercorn asks it for the addresses."""
        return self._stream.socket

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """The next bytes that may be given on; none at the end."""
        if self.refusal is not None:
            await self._linger()
            return b""
        while True:
            found = self._guard.next()
            if found is None:
                data = await self._receive()
                if isinstance(data, WireRefusal):
                    return self._refuse(data)
                if not data:
                    return b""
                self._guard.feed(data)
            elif isinstance(found, WireRefusal):
                return self._refuse(found)
            else:
                self._deadline = 0.0
                return found

    async def _receive(self) -> bytes | bytearray | WireRefusal:
        if not self._guard.in_head:
            return await self._stream.receive_some(LARGEST_READ)
        if not self._deadline:
            self._deadline = trio.current_time() + HEAD_SECONDS
        with trio.CancelScope(deadline=self._deadline) as scope:
            return await self._stream.receive_some(LARGEST_READ)
        if scope.cancelled_caught:
            return self._guard.slow_head()
        return b""

    def stood_in(self, path: str) -> bool:
        """Whether a request with this path is the one given in place of what was refused."""
        return path == _PLACE

    def _refuse(self, refusal: WireRefusal) -> bytes:
        self.refusal = refusal
        return _IN_PLACE if refusal.ending is None else refusal.ending

    async def _linger(self) -> None:
        with trio.move_on_after(LINGER_SECONDS):
            while await self._stream.receive_some(LARGEST_READ):
                pass

    async def send_all(self, data: Any) -> None:
        """Write to the caller."""
        await self._stream.send_all(data)

    async def send_eof(self) -> None:
        """End writing."""
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close the socket."""
        await self._stream.aclose()
