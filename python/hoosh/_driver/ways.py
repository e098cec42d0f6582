"""Ways to upstreams: what they go through, where they must not lead, and how they end."""

import contextlib
import socket

import anyio
import h11
from anyio.abc import ByteStream

from hoosh._native import is_forbidden

Proxy = tuple[bool, str, int, bytes | None]
"""(tls, host, port, authorization): what the way to a place goes through."""
READ_BYTES = 16 << 10
"""Of a proxy's answer, read at once; and its longest head."""

BROKEN = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, OSError)
"""What a socket raises when its connection ends; `ssl.SSLError` is an `OSError`."""


class Unreachable(Exception):
    """No connection: it failed at `stage`, `connect` or `tls`."""

    def __init__(self, stage: str) -> None:
        super().__init__(stage)
        self.stage = stage


def authorized(proxy: Proxy) -> list[tuple[bytes, bytes]]:
    """The field that a proxy is told who asks by."""
    return [(b"proxy-authorization", proxy[3])] if proxy[3] is not None else []


async def tunnel(stream: ByteStream, host: str, port: int, proxy: Proxy) -> None:
    """Have the proxy at the other end be the other end no more, but `host` (RFC 9110, section 9.3.6).

    Raises:
        Unreachable: it opens no tunnel.

    """
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=READ_BYTES)
    authority = b"%s:%d" % ((f"[{host}]" if ":" in host else host).encode(), port)
    headers = [(b"host", authority), *authorized(proxy)]
    try:
        await stream.send(http.send(h11.Request(method="CONNECT", target=authority, headers=headers)) or b"")
        http.send(h11.EndOfMessage())
        while (event := http.next_event()) is h11.NEED_DATA or isinstance(event, h11.InformationalResponse):
            if event is h11.NEED_DATA:
                http.receive_data(await stream.receive(READ_BYTES))
        # Whoever speaks TLS speaks second: what comes behind the head is no upstream's.
        if isinstance(event, h11.Response) and 200 <= event.status_code < 300 and not http.trailing_data[0]:
            return
        error: Exception | None = None
    except (*BROKEN, h11.RemoteProtocolError) as broken:
        error = broken
    except BaseException:
        await close(stream)
        raise
    await close(stream)
    raise Unreachable("connect") from error


async def guarded(host: str, port: int, proxy: Proxy | None) -> ByteStream:
    """A connection to a place that came from anybody but the operator: its address is judged, which may be another each time.

    Raises:
        OSError: there is no address that it may lead to, or none answers.

    """
    error = OSError("it leads to no address on the public internet")
    if proxy is not None:
        raise error  # where a proxy leads cannot be judged from here
    for family, _, _, _, address in await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        if family in (socket.AF_INET, socket.AF_INET6) and not is_forbidden(str(address[0])):
            try:
                return await anyio.connect_tcp(str(address[0]), port)
            except OSError as unreachable:
                error = unreachable
    raise error


async def close(stream: ByteStream) -> None:
    """Close a stream, also when its task is cancelled."""
    with anyio.CancelScope(shield=True):
        with contextlib.suppress(*BROKEN):
            await stream.aclose()
