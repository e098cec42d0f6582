"""The wire guard in front of hypercorn: a connection of which h11 sees only what two parsers read in one way.

`docs/wire.md` lists what is refused. The rules are the core's (`native/core/src/wire`); here they meet the socket.
"""

import contextlib
import math
import secrets
import socket
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import trio

from hoosh._driver.connections import RESET
from hoosh._native import Gateway, WireGuard, WireRefusal

Message = MutableMapping[str, Any]

HEAD_SECONDS = 5.0
"""How long a head may take from its first byte to its last."""
LINGER_SECONDS = 2.0
"""How long what follows a refused head is read and dropped, so that the refusal is not lost in a reset."""
LARGEST_READ = 1 << 16
MAX_HEAD = 64 << 10
"""Longest head, bytes: `MAX_HEAD` of the core's guard."""

_EXPECT = b"hoosh-expect"
"""`Expect` as the core's guard renames it, so that h11 does not meet it before the exchange has seen the head."""
_PLACE = "/" + secrets.token_hex(16)
"""The path of the request that h11 sees in place of one that was refused; nobody outside can name it."""
_IN_PLACE = f"GET {_PLACE} HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n".encode()


class GuardedStream:
    """A `trio.SocketStream` as hypercorn uses it, whose bytes the guard has judged.

    After a refusal `refusal` is set, and h11 is given a request in its place (the head was wrong) or the end of the one
    it reads (the body was), so that the answer takes its turn behind earlier ones. A body that was cut off has no end for
    h11: it hears nothing more, and the application is told by `message`.
    """

    def __init__(
        self,
        stream: trio.SocketStream,
        on_end: Callable[[], Awaitable[None]],
        gateway: Gateway | None = None,
        prefix: str = "",
    ) -> None:
        """`on_end` is told when the peer will send no more. `gateway`: whose mounts, below `prefix`, may have websockets."""
        self._stream, self._on_end = stream, on_end
        self._guard = WireGuard(gateway, prefix)
        self._deadline = 0.0
        self._closed = trio.Event()
        self._reading = trio.CancelScope()
        self._waiting = trio.CancelScope()
        """Of a read that ends when it is known what became of a handshake."""
        self.refusal: WireRefusal | None = None

    @property
    def socket(self) -> trio.socket.SocketType:
        """Hypercorn asks it for the addresses."""
        return self._stream.socket

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """The next bytes that may be given on; none at the end."""
        if self.refusal is not None:
            return await self._after(self.refusal)
        while True:
            found = self._guard.next()
            if found is None:
                data = await self._more()
                if data is None:
                    continue
                if isinstance(data, WireRefusal):
                    return self._refuse(data)
                if not data:
                    return await self._end()
                self._guard.feed(data)
            elif isinstance(found, WireRefusal):
                return self._refuse(found)
            else:
                self._deadline = 0.0
                return found

    async def _more(self) -> bytes | bytearray | WireRefusal | None:
        """What comes next; None: look again."""
        with trio.CancelScope() as self._waiting:
            # What comes behind a handshake waits for what becomes of it.
            if self._guard.is_full:
                await trio.sleep_forever()
            return await self._receive()
        return None

    async def _receive(self) -> bytes | bytearray | WireRefusal:
        deadline = math.inf
        if self._guard.in_head:
            deadline = self._deadline = self._deadline or trio.current_time() + HEAD_SECONDS
        with trio.CancelScope(deadline=deadline):
            try:
                return await self._stream.receive_some(LARGEST_READ)
            except trio.BrokenResourceError:
                await self._on_end()
                raise
        return self._guard.slow_head()

    async def _end(self) -> bytes:
        cut_off = self._guard.end()
        if cut_off is not None:
            return self._refuse(cut_off) or await self._after(cut_off)
        await self._on_end()
        return b""

    def switched(self) -> None:
        """The handshake that was given on last succeeded: what comes is a websocket's, and not looked at."""
        self._guard.switched()
        self._waiting.cancel()

    def stayed(self) -> None:
        """If the last request was a handshake, it was refused, and the next request may come."""
        self._guard.stayed()
        self._waiting.cancel()

    def stood_in(self, path: str) -> bool:
        """Whether a request with this path is the one given in place of what was refused."""
        return path == _PLACE

    def headers(self, given: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """A request's headers with the expectation that the guard hid from h11 by its own name, and no other."""
        return [(b"expect" if name == _EXPECT else name, value) for name, value in given if name != b"expect"]

    @property
    def body_refusal(self) -> WireRefusal | None:
        """Of the body of the request that is answered now. A refused head is a request of its own, maybe behind it."""
        return self.refusal if self.refusal is not None and self.refusal.ending is not None else None

    async def message(self, receive: Callable[[], Awaitable[Message]]) -> Message | WireRefusal:
        """What the application is told next of the body: by hypercorn, or that it is refused."""
        if self.body_refusal is None:
            with trio.CancelScope() as self._reading:
                return await receive()
        assert self.refusal is not None
        return self.refusal

    async def go_on(self) -> None:
        """Write `100 Continue`; a caller that is gone is noticed elsewhere."""
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self._stream.send_all(b"HTTP/1.1 100 Continue\r\n\r\n")

    def cut(self) -> None:
        """Close the socket at once, without what was not taken yet. Whoever writes gets an error: hypercorn shields that."""
        with contextlib.suppress(OSError):  # closed before
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.socket.close()
        self._closed.set()

    def _refuse(self, refusal: WireRefusal) -> bytes:
        self.refusal = refusal
        if refusal.ending is None:
            return _IN_PLACE
        self._reading.cancel()
        return refusal.ending

    async def _after(self, refusal: WireRefusal) -> bytes:
        if refusal.ending == b"":
            await self._closed.wait()
            raise trio.ClosedResourceError
        with trio.move_on_after(LINGER_SECONDS):
            while await self._stream.receive_some(LARGEST_READ):
                pass
        return b""

    async def send_all(self, data: Any) -> None:
        """Write to the caller."""
        await self._stream.send_all(data)

    async def send_eof(self) -> None:
        """End writing."""
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close the socket."""
        self._closed.set()
        await self._stream.aclose()
