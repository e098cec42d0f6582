"""The driver's way to an upstream: one request and its answer, told truthfully and decided nowhere.

What was written, and whether on a connection that had served before, decides whether it may be sent again.
"""

from collections.abc import Callable

import h11

from hoosh._connections import BROKEN, Connection, Connections, Target, Unreachable
from hoosh._native import Exchange
from hoosh._tasks import Credit, task_group


async def ask(
    connections: Connections,
    exchange: Exchange,
    u: int,
    target: Target,
    credit: Credit,
    ring: Callable[[], None],
) -> None:
    """Send `target` and report all of its answer."""
    try:
        connection = await connections.take(target[:3])
    except Unreachable as error:
        exchange.failed(u, error.stage, False)
        ring()
        return
    try:
        await Attempt(connection, exchange, u, credit, ring).run(target)
    finally:
        await connections.give_back(connection)


class Attempt:
    """One request on its way over one connection."""

    def __init__(
        self, connection: Connection, exchange: Exchange, u: int, credit: Credit, ring: Callable[[], None]
    ) -> None:
        self._connection, self._exchange, self._u = connection, exchange, u
        self._credit, self._ring = credit, ring
        self._stage = "send"

    async def run(self, target: Target) -> None:
        """Write the request and read the answer, which may come before all of a long request is written."""
        self._exchange.connected(self._u)
        pieces = self._connection.request(target)
        if len(pieces) == 1:
            await self._write(pieces)
            await self._read()
        else:
            self._ring()
            async with task_group() as tasks:
                tasks.start_soon(self._write, pieces)
                await self._read()
                tasks.cancel_scope.cancel()

    async def _write(self, pieces: list[bytes]) -> None:
        try:
            await self._connection.write(pieces)
        except BROKEN:
            return  # What the upstream answered before it hung up is still to be read; after that, reading fails too.
        if self._stage == "send":
            self._stage = "head"
            self._exchange.sent(self._u)
            self._ring()

    async def _read(self) -> None:
        exchange, u = self._exchange, self._u
        try:
            while not isinstance(event := await self._connection.event(), h11.EndOfMessage):
                if isinstance(event, h11.Data):
                    await self._hand_over(bytes(event.data))
                elif isinstance(event, h11.Response):
                    self._stage = "body"
                    exchange.head(u, event.status_code, list(event.headers))
                    self._ring()
            exchange.end(u)
        except h11.RemoteProtocolError:
            exchange.failed(u, "protocol", self._connection.served)
        except BROKEN:
            exchange.failed(u, self._stage, self._connection.served)
        self._ring()

    async def _hand_over(self, data: bytes) -> None:
        start = 0
        while start < len(data):
            size = await self._credit.take(len(data) - start)
            self._exchange.data(self._u, data if size == len(data) else data[start : start + size])
            start += size
            self._ring()


async def fetch(connections: Connections, target: Target, most: int) -> tuple[int, bytes]:
    """Ask on the gateway's own account; of the answer's body at most about `most` bytes.

    Raises:
        Exception: whatever kept it from an answer.

    """
    connection = await connections.take(target[:3])
    try:
        await connection.write(connection.request(target))
        status, body = 0, bytearray()
        while not isinstance(event := await connection.event(), h11.EndOfMessage) and len(body) <= most:
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += event.data
        return status, bytes(body)
    finally:
        await connections.give_back(connection)
