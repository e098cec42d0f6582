"""The driver's way to an upstream: one HTTP/1.1 exchange over httpx2, told truthfully and decided nowhere.

No retry, redirect, decompression, timeout or pool policy: the core has them all. What httpcore2's trace says is passed
on, because whether something was sent decides whether it may be sent again.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import httpx2

from hoosh._native import Exchange

Target = tuple[bool, str, int, bytes, str, bytes, list[tuple[bytes, bytes]], bytes]
"""(tls, host, port, authority, method, target, headers, body), as the core writes it."""

NO_TIMEOUT = {"connect": None, "read": None, "write": None, "pool": None}


def transport() -> httpx2.AsyncHTTPTransport:
    """A pool without bounds of its own."""
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=256, keepalive_expiry=30)
    return httpx2.AsyncHTTPTransport(http1=True, http2=False, limits=limits, retries=0)


def request_of(target: Target, trace: Callable[[str, Any], Awaitable[None]] | None = None) -> httpx2.Request:
    """The core's request as httpx2's."""
    tls, host, port, authority, method, path, headers, body = target
    bracketed = f"[{host}]" if ":" in host else host
    url = httpx2.URL(f"{'https' if tls else 'http'}://{bracketed}:{port}").copy_with(raw_path=path)
    framing = [(b"host", authority)]
    if method != "GET":
        framing.append((b"content-length", str(len(body)).encode()))
    extensions: dict[str, Any] = {"timeout": NO_TIMEOUT}
    if trace is not None:
        extensions["trace"] = trace
    return httpx2.Request(method, url, headers=framing + headers, content=body, extensions=extensions)


class Progress:
    """How far a request came, read off httpcore2's trace."""

    def __init__(self, exchange: Exchange, u: int, ring: Callable[[], None]) -> None:
        self.exchange, self.u, self.ring = exchange, u, ring
        self.fresh = False
        self.stage = "connect"

    async def trace(self, event: str, info: Any) -> None:
        """httpcore2's trace callback."""
        if event.startswith("connection.connect_"):
            self.fresh = True
        elif event == "connection.start_tls.started":
            self.stage = "tls"
        elif event == "http11.send_request_headers.started":
            self.stage = "send"
            self.exchange.connected(self.u)
            self.ring()
        elif event == "http11.send_request_body.complete":
            self.stage = "head"
            self.exchange.sent(self.u)
            self.ring()
        elif event == "http11.receive_response_headers.complete":
            self.stage = "body"


class Credit:
    """Bytes that may still be handed over; whoever has none waits."""

    def __init__(self) -> None:
        self._bytes = 0
        self._more = anyio.Event()

    def add(self, size: int) -> None:
        """Credits add up."""
        self._bytes += size
        self._more.set()

    async def take(self, wanted: int) -> int:
        """Wait for credit, and take as much of it as is wanted."""
        while self._bytes == 0:
            self._more = anyio.Event()
            await self._more.wait()
        taken = min(wanted, self._bytes)
        self._bytes -= taken
        return taken


async def ask(
    http: httpx2.AsyncHTTPTransport,
    exchange: Exchange,
    u: int,
    target: Target,
    credit: Credit,
    ring: Callable[[], None],
) -> None:
    """Send `target` and report all of its answer."""
    progress = Progress(exchange, u, ring)
    try:
        response = await http.handle_async_request(request_of(target, progress.trace))
        try:
            exchange.head(u, response.status_code, response.headers.raw)
            ring()
            stream = response.stream
            assert isinstance(stream, httpx2.AsyncByteStream)
            async for chunk in stream:
                start = 0
                while start < len(chunk):
                    size = await credit.take(len(chunk) - start)
                    exchange.data(u, chunk if size == len(chunk) else chunk[start : start + size])
                    start += size
                    ring()
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()
        exchange.end(u)
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        exchange.failed(u, stage_of(error, progress.stage), not progress.fresh and progress.stage in ("send", "head"))
    ring()


def stage_of(error: Exception, stage: str) -> str:
    """httpx2's exceptions met at a table: the kind where it says more than how far the request came."""
    if isinstance(error, httpx2.RemoteProtocolError) and "disconnected" not in str(error) and stage != "body":
        return "protocol"
    return stage


async def fetch(http: httpx2.AsyncHTTPTransport, target: Target, most: int) -> tuple[int, bytes]:
    """Ask on the gateway's own account; at most `most` bytes of the answer."""
    response = await http.handle_async_request(request_of(target))
    try:
        body = bytearray()
        stream = response.stream
        assert isinstance(stream, httpx2.AsyncByteStream)
        async for chunk in stream:
            body += chunk
            if len(body) > most:
                break
        return response.status_code, bytes(body)
    finally:
        with anyio.CancelScope(shield=True):
            await response.aclose()
