"""Connections to upstreams: h11 over anyio's sockets, kept for the next request to the same place.

Two machines without I/O meet here, h11 and (in `upstream`) the exchange; this moves bytes between them and the socket. No
retry, redirect, decompression or timeout: the core has them all.
"""

import select
import socket
import ssl
import struct
import time
from typing import NamedTuple

import anyio
import anyio.to_thread
import h11
import sniffio
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSAttribute, TLSStream

from hoosh._driver import trust
from hoosh._driver.caller import Took
from hoosh._driver.tasks import Pieces
from hoosh._driver.ways import BROKEN, Proxy, Unreachable, authorized, close, guarded, tunnel
from hoosh._driver.whole import Whole
from hoosh._native import TlsTerms

Place = tuple[bool, str, int, bool, TlsTerms | None, Proxy | None]
"""(tls, host, port, trusted, terms, proxy): requests to equal places may share a connection."""

KEPT_CONNECTIONS = 256
"""Idle connections in all; each is a file descriptor here and a place at an upstream."""
KEPT_S = 30.0
"""How long a connection may be idle: less than most servers keep theirs (nginx 75 s, load balancers 60 s), so that few are
closed under a request. One that was is told as such, and the core decides."""
SLICE_BYTES = 64 << 10
"""Read, or written, at once. What a fresh socket takes without its peer reading."""
MOST_CONTEXTS = 1_024
"""What is kept of TLS terms."""
MAX_HEAD = 100 << 10
"""Longest head of an answer, bytes: httpcore's limit."""

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER on, for 0 seconds: closing resets."""


class Request(NamedTuple):
    """A request as the core writes it."""

    tls: bool
    host: str
    port: int
    trusted: bool
    """Its operator named it. Any other must not lead into this machine or its networks."""
    terms: TlsTerms | None
    """What TLS must be like, beside the system's authorities."""
    proxy: Proxy | None
    authority: bytes
    method: str
    target: bytes
    headers: list[tuple[bytes, bytes]]
    """Without framing."""
    body: bytes | int
    """Its length where it follows in pieces, -1 if that is not known."""

    @property
    def place(self) -> Place:
        """Where to."""
        return self[:6]

    @property
    def whole(self) -> bytes:
        """The body, where it does not follow in pieces."""
        return self.body if isinstance(self.body, bytes) else b""


class Connection:
    """One connection, which carries one request after another."""

    def __init__(self, place: Place, stream: ByteStream, whole: Whole | None) -> None:
        self.place = place
        self.served = False
        """Whether it answered a request before."""
        self.idle_since = 0.0
        self._stream = stream
        self._socket = stream.extra(SocketAttribute.raw_socket)
        self._tls = stream.extra(TLSAttribute.ssl_object, None)
        self._whole = whole
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._written = True

    def request(self, request: Request) -> list[bytes]:
        """The bytes of the next request, to be written in this order; one piece if it is short."""
        body = request.body
        headers, target = [(b"host", request.authority), *request.headers], request.target
        if request.proxy is not None and not request.tls:
            # Passed on by the proxy, which must be told where to (RFC 9112, section 3.2.2).
            target = b"http://" + request.authority + target
            headers += authorized(request.proxy)
        length = len(body) if isinstance(body, bytes) else body
        if length < 0:
            headers.append((b"transfer-encoding", b"chunked"))
        elif request.method != "GET":
            headers.append((b"content-length", b"%d" % length))
        head = self._http.send(h11.Request(method=request.method, target=target, headers=headers)) or b""
        if not isinstance(body, bytes):
            return [head]
        if body:
            # The body as it is: for a content length h11 would only copy it.
            self._http.send_with_data_passthrough(h11.Data(data=body))
        self._http.send(h11.EndOfMessage())
        return [head + body] if len(head) + len(body) <= SLICE_BYTES else [head, body]

    async def write(self, pieces: list[bytes]) -> None:
        """Write a request whole.

        Raises:
            BROKEN: the upstream closed the connection. It may have answered before: `event` tells.

        """
        self._written = False
        for piece in pieces:
            for at in range(0, len(piece), SLICE_BYTES):
                await self._stream.send(piece[at : at + SLICE_BYTES])
        self._written = True

    async def write_streamed(self, head: list[bytes], body: Pieces, took: Took) -> None:
        """Write a request whose body follows in pieces. Without its end it is never ended: the peer sees it cut off.

        Raises:
            BROKEN: the upstream closed the connection. It may have answered before: `event` tells.

        """
        self._written = False
        await self._stream.send(head[0])
        while (piece := await body.take()) is not None:
            for at in range(0, len(piece), SLICE_BYTES):
                part = piece[at : at + SLICE_BYTES]
                framed = self._http.send_with_data_passthrough(h11.Data(data=part)) or []
                await self._stream.send(framed[0] if len(framed) == 1 else b"".join(framed))
                took(len(part))
        if end := self._http.send(h11.EndOfMessage()):
            await self._stream.send(end)
        self._written = True

    async def event(self) -> h11.Event:
        """What comes next of the answer.

        Raises:
            BROKEN: the connection ended before the answer did.
            h11.RemoteProtocolError: this is no HTTP.

        """
        http = self._http
        while (event := http.next_event()) is h11.NEED_DATA:
            try:
                http.receive_data(await self._stream.receive(SLICE_BYTES))
            except anyio.EndOfStream:
                # The end of a body that is framed by it, and of nothing else.
                http.receive_data(b"")
                try:
                    event = http.next_event()
                except h11.RemoteProtocolError:
                    raise anyio.EndOfStream from None
                break
        assert isinstance(event, h11.Event)
        return event

    def rest(self) -> bool:
        """Make ready for the next request; False if there can be none."""
        http = self._http
        done = self._written and http.our_state is h11.DONE and http.their_state is h11.DONE
        if not done or http.trailing_data != (b"", False) or not self.stands():
            return False
        http.start_next_cycle()
        self.served = True
        self.idle_since = time.monotonic()
        return True

    def stands(self) -> bool:
        """Whether nothing came behind the last answer; that could only be its end, or words that nobody asked for.

        They may wait in the system, in the event loop or, decrypted or not, in the TLS machine: the next request would
        take them for its answer.
        """
        if self._socket.fileno() < 0 or (self._whole is not None and self._whole.more):
            return False
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0) and (self._tls is None or silent(self._tls))

    async def close(self) -> None:
        """Close it, whatever state its other side is in."""
        if not self._written and self._socket.fileno() >= 0:
            # Else the system goes on to send what it took of the request, and the end comes behind it.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        await close(self._stream)


class Connections:
    """What is idle, the youngest taken first."""

    def __init__(self) -> None:
        self._idle: dict[Place, list[Connection]] = {}
        self._contexts: dict[TlsTerms | None, ssl.SSLContext] = {}

    async def take(self, place: Place) -> Connection:
        """An idle connection that still stands, else a new one.

        Raises:
            Unreachable: there is no way to the upstream.

        """
        while idle := self._idle.get(place):
            connection = self._drop(idle, -1)
            if connection.stands() and connection.idle_since > time.monotonic() - KEPT_S:
                return connection
            await connection.close()
        return await self._connect(place)

    async def give_back(self, connection: Connection) -> None:
        """Keep a connection whose answer was read to its end; close any other."""
        if not connection.rest():
            await connection.close()
            return
        self._idle.setdefault(connection.place, []).append(connection)
        if sum(map(len, self._idle.values())) > KEPT_CONNECTIONS:
            await self._drop(self._longest_idle(), 0).close()

    async def forget(self, stale: Connection) -> None:
        """Close what is idle to the same place for as long as `stale` was, which its upstream had closed."""
        idle = self._idle.pop(stale.place, [])
        if younger := [connection for connection in idle if connection.idle_since > stale.idle_since]:
            self._idle[stale.place] = younger
        for connection in idle:
            if connection not in younger:
                await connection.close()

    async def expire(self) -> None:
        """Close what was idle for long enough, for ever."""
        while True:
            await anyio.sleep(KEPT_S / 4)
            long_ago = time.monotonic() - KEPT_S
            while self._idle and (idle := self._longest_idle())[0].idle_since < long_ago:
                await self._drop(idle, 0).close()

    async def aclose(self) -> None:
        """Close all that is idle."""
        while self._idle:
            await self._drop(self._longest_idle(), 0).close()

    def _longest_idle(self) -> list[Connection]:
        """The list that begins with the connection that is idle for the longest."""
        return min(self._idle.values(), key=lambda idle: idle[0].idle_since)

    def _drop(self, idle: list[Connection], at: int) -> Connection:
        connection = idle.pop(at)
        if not idle:
            del self._idle[connection.place]
        return connection

    async def _connect(self, place: Place) -> Connection:
        tls, host, port, trusted, terms, proxy = place
        try:
            if trusted:
                stream: ByteStream = await anyio.connect_tcp(*(proxy[1:3] if proxy else (host, port)))
            else:
                stream = await guarded(host, port, proxy)
        except (OSError, UnicodeError) as error:  # a host name that cannot be one is a `UnicodeError`
            raise Unreachable("connect") from error
        whole = None
        if sniffio.current_async_library() == "asyncio":
            stream = whole = Whole(stream)
        if proxy is not None and proxy[0]:
            stream = await self._secure(stream, proxy[1], None)
        if proxy is not None and tls:
            await tunnel(stream, host, port, proxy)
        if tls:
            stream = await self._secure(stream, host, terms)
        return Connection(place, stream, whole)

    async def _secure(self, stream: ByteStream, host: str, terms: TlsTerms | None) -> ByteStream:
        try:
            context = await self._context(terms)
            secured = await TLSStream.wrap(stream, hostname=host, ssl_context=context, standard_compatible=False)
            if not trust.is_pinned(terms, secured.extra(TLSAttribute.ssl_object)):
                raise ssl.SSLCertVerificationError("the certificate has none of the pinned keys")
            return secured
        except BaseException as error:
            await close(stream)
            if isinstance(error, (*BROKEN, UnicodeError)):
                raise Unreachable("tls") from error
            raise

    async def _context(self, terms: TlsTerms | None) -> ssl.SSLContext:
        if (context := self._contexts.get(terms)) is None:
            context = await anyio.to_thread.run_sync(trust.context, terms)
            if len(self._contexts) >= MOST_CONTEXTS:  # of configurations that are no more in force
                self._contexts.clear()
            self._contexts[terms] = context
        return context


def silent(tls: ssl.SSLObject) -> bool:
    """Whether a TLS machine has nothing to read: no bytes, no end, no error. Asks it without waiting."""
    try:
        tls.read(1)
    except ssl.SSLWantReadError:
        return True
    except ssl.SSLError:
        pass
    return False
