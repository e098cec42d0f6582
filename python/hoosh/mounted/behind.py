"""hypercorn on a private Unix socket, over which the native edge has applications answer."""

import hmac
import json
import logging
import os
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, MutableMapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self, cast

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config as HypercornConfig
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState

from hoosh._native import Edge
from hoosh.mounted.passage import CALLER, Passage, scope_of
from hoosh.mounted.talk import Receive, Send, Talk
from hoosh.wire import MAX_HEAD

if TYPE_CHECKING:
    from hoosh.mounted.mounts import Mounts

LOG = logging.getLogger("hoosh")

MAX_ADDED = 4 << 10
"""What the edge adds to a caller's head, bytes: the secret, the mount's path, ids and addresses."""
BACKLOG = 1024
"""Connections that wait to be taken: each request has one."""


class Caller(NamedTuple):
    """Who asks, in the words of the edge."""

    passage: Passage
    client: tuple[str, int] | None
    server: tuple[str, int] | None


class Behind:
    """The socket, in a folder that nobody else may enter, and the secret that the edge shows with each request."""

    def __init__(self, mounts: "Mounts", edge: Edge) -> None:
        self._mounts, self._edge = mounts, edge
        self._secret = secrets.token_urlsafe(32)
        self._folder = self._path = ""

    def __enter__(self) -> Self:
        """Choose the place of the socket, and tell the edge."""
        self._folder = tempfile.mkdtemp(prefix="hoosh-")  # mode 0700
        self._path = os.path.join(self._folder, "mounts")
        self._edge.pass_to(self._path, self._secret)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Leave nothing there."""
        shutil.rmtree(self._folder, ignore_errors=True)

    async def serve(self, up: Callable[[], None]) -> None:
        """Serve until that fails; `up` is told when the edge can ask.

        Raises:
            OSError: the socket cannot be opened, or is gone.

        """
        settings = HypercornConfig()
        settings.h11_max_incomplete_size = MAX_HEAD + MAX_ADDED
        settings.include_server_header = False
        # The edge ends its connections itself, and a request may be slow to come: a limit of its own cuts that off.
        settings.keep_alive_timeout = sys.maxsize
        settings.errorlog = None

        async def connection(stream: trio.SocketStream) -> None:
            app = ASGIWrapper(cast(Any, self._answer))
            try:
                await TCPServer(app, settings, WorkerContext(None), ConnectionState({}), cast(Any, stream))
            except Exception as error:  # of one request, which must not end the others
                LOG.error("A connection to the applications that are mounted failed", exc_info=error)

        with self._listening() as listening:
            listener = trio.SocketListener(listening)
            async with listener:
                up()
                await trio.serve_listeners(connection, [listener])

    def _listening(self) -> trio.socket.SocketType:
        if os.path.lexists(self._path):
            os.unlink(self._path)
        own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            own.bind(self._path)
            os.chmod(self._path, 0o600)
            own.listen(BACKLOG)
            own.setblocking(False)
            return trio.socket.from_stdlib_socket(own)
        except BaseException:
            own.close()
            raise

    async def _answer(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        caller = self._caller(scope["headers"])
        if caller is None:
            await _refuse(scope["type"], receive, send)
            return
        app, shared = self._mounts.app(caller.passage.mount)
        seen = scope_of(scope, caller.passage, self._mounts.prefix, shared)
        seen["client"], seen["server"] = caller.client, caller.server
        await Talk(caller.passage, receive, send).run(app, seen)

    def _caller(self, headers: list[tuple[bytes, bytes]]) -> Caller | None:
        """Who asks; None: it is not the edge that says so."""
        said = [value for name, value in headers if name == CALLER]
        if len(said) != 1:
            return None
        secret, _, words = said[0].partition(b" ")
        if not hmac.compare_digest(secret, self._secret.encode()):
            return None
        told = json.loads(words)
        passage = Passage(told["mount"], told["request_id"], told["key"])
        return Caller(passage, _address(told.get("client")), _address(told.get("server")))


def _address(told: list[Any] | None) -> tuple[str, int] | None:
    return (str(told[0]), int(told[1])) if told else None


async def _refuse(kind: str, receive: Receive, send: Send) -> None:
    """Of this machine's processes only the edge may ask here."""
    await receive()
    if kind == "websocket":
        await send({"type": "websocket.close"})
        return
    await send({"type": "http.response.start", "status": 403, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
