"""The way to an upstream: one request and its answer, told truthfully and decided nowhere.

Whether a request was written whole, and whether on a connection that had served before, decides if it may be sent again.
"""

import h11

from hoosh._driver.attempt import Attempt
from hoosh._driver.connections import Connection, Connections, Request
from hoosh._driver.tasks import task_group
from hoosh._driver.ways import BROKEN, Unreachable


async def ask(connections: Connections, request: Request, attempt: Attempt) -> None:
    """Send `request` and report all of its answer."""
    try:
        connection = await connections.take(request.place)
    except Unreachable as error:
        attempt.failed(error.stage, reused=False)
        return
    try:
        attempt.connected()
        pieces = connection.request(request)
        streamed = not isinstance(request.body, bytes)
        if len(pieces) == 1 and not streamed:
            await _write(connection, pieces, attempt)
            await _read(connections, connection, attempt)
        else:
            # The answer to a long request may come before all of it is written.
            attempt.doors.step()
            async with task_group() as tasks:
                tasks.start_soon(_stream if streamed else _write, connection, pieces, attempt)
                await _read(connections, connection, attempt)
                tasks.cancel_scope.cancel()
    finally:
        await connections.give_back(connection)


async def _write(connection: Connection, pieces: list[bytes], attempt: Attempt) -> None:
    try:
        await connection.write(pieces)
    except BROKEN:
        return  # What the upstream answered before it hung up is still to be read; after that, reading fails too.
    attempt.sent()


async def _stream(connection: Connection, pieces: list[bytes], attempt: Attempt) -> None:
    try:
        await connection.write_streamed(pieces, attempt.body, attempt.took)
    except BROKEN:
        return
    attempt.sent()


async def _read(connections: Connections, connection: Connection, attempt: Attempt) -> None:
    try:
        while not isinstance(event := await connection.event(), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                await attempt.data(bytes(event.data))
            elif isinstance(event, h11.Response):
                attempt.head(event.status_code, list(event.headers))
        attempt.end()
    except h11.RemoteProtocolError:
        attempt.failed("protocol", reused=connection.served)
    except BROKEN:
        if connection.served and attempt.stage != "body":
            await connections.forget(connection)
        attempt.failed(attempt.stage, reused=connection.served)


async def fetch(connections: Connections, request: Request, most: int) -> tuple[int, bytes]:
    """Ask on the gateway's own account: status and body, of which no more is read than `most` bytes and one piece.

    Raises:
        Exception: whatever kept it from an answer.

    """
    connection = await connections.take(request.place)
    try:
        await connection.write(connection.request(request))
        status, body = 0, bytearray()
        while not isinstance(event := await connection.event(), h11.EndOfMessage) and len(body) <= most:
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += event.data
        return status, bytes(body)
    finally:
        await connections.give_back(connection)
