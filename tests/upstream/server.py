"""Moves the bytes: listens on loopback, reads requests, carries out scripts, remembers everything."""

import json
import select
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import h11
import trio

from . import answers
from .answers import Answer
from .dialects import Dialects
from .passed import Passed
from .plan import Plan, PlanError
from .wire import script

_READ = 64 << 10
_LITTLE = 16 << 10
"""What the system holds of an endless answer, bytes: else it is megabytes."""
_LARGEST_BODY = 256 << 20
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER on, 0 seconds: closing sends RST."""
_BEFORE_RESET = 0.02
"""Seconds between the last byte and a reset, so that the peer can read the byte first."""


@dataclass
class Recorded:
    """One request as it came, and what became of its connection. Times are `trio.current_time()`."""

    method: str
    path: str
    """The target as it came, query included."""
    headers: list[tuple[str, str]]
    """In order, names in lower case."""
    body: bytes
    connection: int
    """Which connection it came on, counted from 0."""
    received_at: float
    asked: Any = None
    """What it asks without its dialect (`mind.Asked`): of chats in a dialect that `dialects` knows, if they are accepted."""
    sent: int = 0
    """Bytes of the answer that the socket took."""
    answered_at: float | None = None
    """When the answer was written whole, as planned."""
    closed_at: float | None = None
    """When the client closed or reset the connection; None while it has not."""
    closed: trio.Event = field(default_factory=trio.Event, repr=False)
    """Set when the connection ended, whoever ended it."""

    def header(self, name: str) -> str | None:
        """The first value of a header."""
        return next((value for given, value in self.headers if given == name.lower()), None)

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def cancelled(self) -> bool:
        """Whether the client left before the answer was written whole."""
        return self.closed_at is not None and (self.answered_at is None or self.closed_at < self.answered_at)


class Upstream:
    """The running fake. `requests` grows as they arrive; `plan` queues the faults of the next ones."""

    def __init__(
        self, host: str, port: int, refused_port: int, key: str | None, models: Sequence[str], *, strict: bool = False
    ):
        self.port = port
        self.key = key
        self.models = tuple(models)
        self.requests: list[Recorded] = []
        self.connections = 0
        """How many were accepted."""
        self.open = 0
        """How many of them stand."""
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        """Without `/v1`: whatever stands before `/v1` in a path is ignored, so that one fake can be many providers."""
        self.refused_url = f"http://127.0.0.1:{refused_port}"
        """A port of ours that nobody listens on, for as long as the fake runs: connections are refused."""
        self.strict = strict
        self.dialects = Dialects(strict=strict)
        self.passed = Passed()
        """The endpoints that hoosh passes on, with the files that were given to them."""
        self.says: dict[str, Any] = {}
        """Bodies that stand for the usual answers, by `METHOD /path` and, where it is of one model alone, ` model`."""
        self.cut_off: list[int] = []
        """Of each request that was cut off in its body, how many bytes of that came."""
        self.released = trio.Event()
        """Set when answers that are held back may begin."""
        self._plans: deque[Plan] = deque()
        self._arrived = trio.Condition()

    def plan(self, plan: Plan | None = None, **fields: Any) -> None:
        """Queues what happens to the next request that has no plan yet (`Plan()`: nothing does)."""
        self._plans.append(plan if plan is not None else Plan(**fields))

    @property
    def plans_left(self) -> int:
        """Plans that no request has used."""
        return len(self._plans)

    def reset(self) -> None:
        """Forgets requests and plans."""
        self.requests.clear()
        self._plans.clear()

    async def wait_for(self, count: int) -> Recorded:
        """Waits until so many requests have arrived; the last of them."""
        async with self._arrived:
            while len(self.requests) < count:
                await self._arrived.wait()
        return self.requests[count - 1]

    def take_at_accept(self) -> Plan | None:
        """The next plan, if it is one for a connection rather than a request."""
        return self._plans.popleft() if self._plans and self._plans[0].at_accept else None

    def next_is_early(self) -> bool:
        """Whether the next request is to be answered before its body is read."""
        return bool(self._plans) and self._plans[0].early

    async def arrived(self) -> None:
        """Wakes who waits for requests."""
        async with self._arrived:
            self._arrived.notify_all()

    def respond(self, request: Recorded) -> tuple[Answer, Plan]:
        """The answer to a request, and what is to go wrong with it."""
        path = request.path.partition("?")[0]
        path = path[max(path.find("/v1"), 0) :]
        query = request.path.partition("?")[2]
        try:
            if path.startswith("/_fake/"):
                return self._command(path, request), Plan()
            # What a gateway asks of its own accord, whenever it likes, is none of those that plans are for.
            plan = Plan() if self.strict and request.method == "GET" else self._plan_for(request)
        except (PlanError, TypeError) as error:
            return answers.error(400, f"fake upstream: {error}", "bad_plan"), Plan()
        if self.key is not None and request.header("authorization") != f"Bearer {self.key}":
            return answers.error(401, "Incorrect API key provided.", "invalid_api_key"), plan
        content_type = request.header("content-type") or ""
        said = self._said(request) or self.dialects.answer(request.method, request.path, request.headers, request.body)
        if said is not None:
            return said, plan
        if plan.status is None:
            passed = self.passed.answer(request.method, f"{path}?{query}", content_type, request.body)
            if passed is not None:
                return passed, plan
        return answers.answer(request.method, path, request.body, self.models), plan

    def _said(self, request: Recorded) -> Answer | None:
        """Its own words, where it has any for this request."""
        if not self.says:
            return None
        asked = f"{request.method} {request.path}"
        try:
            model = json.loads(request.body)["model"]
        except (ValueError, KeyError, TypeError):
            model = None
        body = self.says.get(f"{asked} {model}", self.says.get(asked))
        return None if body is None else Answer(body=body)

    def _plan_for(self, request: Recorded) -> Plan:
        if self._plans:
            return self._plans.popleft()
        if header := request.header("x-fake-plan"):
            return Plan.from_json(header)
        try:
            model = json.loads(request.body)["model"]
        except (ValueError, KeyError, TypeError):
            return Plan()
        return (Plan.from_model(model) if isinstance(model, str) else None) or Plan()

    def _command(self, path: str, request: Recorded) -> Answer:
        """Control from outside the process; its own requests are not recorded."""
        self.requests.remove(request)
        if path == "/_fake/plan":
            self.plan(Plan.from_json(request.body))
            return Answer(body={"queued": len(self._plans)})
        if path == "/_fake/requests":
            shown = [
                {"method": r.method, "path": r.path, "headers": r.headers, "body": r.body.decode("latin-1"),
                 "connection": r.connection, "sent": r.sent, "cancelled": r.cancelled}
                for r in self.requests
            ]  # fmt: skip
            return Answer(body={"requests": shown, "open": self.open})
        if path == "/_fake/forget":
            self.requests.clear()
            return Answer(body={})
        if path == "/_fake/release":
            self.released.set()
            return Answer(body={})
        return answers.error(
            404, "There are /_fake/plan, /_fake/requests, /_fake/forget and /_fake/release.", "unknown_url"
        )


@asynccontextmanager
async def open_upstream(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    key: str | None = None,
    models: Sequence[str] | None = None,
    strict: bool = False,
) -> AsyncIterator[Upstream]:
    """Runs a fake upstream on loopback while the block runs. `key`: the only bearer key it accepts (None: any or none).
    `strict`: chat completions too are judged as their provider does.
    """
    listener = trio.socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    refused = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with listener, refused:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        await listener.bind((host, port))
        listener.listen(512)
        refused.bind(("127.0.0.1", 0))
        ports = listener.getsockname()[1], refused.getsockname()[1]
        upstream = Upstream(host, *ports, key, models or answers.MODELS, strict=strict)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_accept, listener, upstream, nursery)
            try:
                yield upstream
            finally:
                nursery.cancel_scope.cancel()


async def _accept(listener: trio.socket.SocketType, upstream: Upstream, nursery: trio.Nursery) -> None:
    while True:
        sock, _ = await listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number = upstream.connections
        upstream.connections += 1
        nursery.start_soon(_Connection(sock, number, upstream).run)


class _Gone(Exception):
    """The connection is over, orderly or not."""


class _Connection:
    """One client connection. A reader runs beside the answers, so that a client that leaves is seen at once."""

    def __init__(self, sock: trio.socket.SocketType, number: int, upstream: Upstream):
        self.sock = sock
        self.number = number
        self.upstream = upstream
        self.served: list[Recorded] = []
        self.unread = bytearray()
        self.more = trio.Event()
        self.ended = False
        self.deaf = False
        self.coming: bytearray | None = None
        """The body of a request that is not whole yet."""

    async def run(self) -> None:
        self.upstream.open += 1
        with self.sock:
            try:
                async with trio.open_nursery() as nursery:
                    plan = self.upstream.take_at_accept()
                    if plan is not None and plan.stall is None:
                        self._end("reset")
                        return
                    self.deaf = plan is not None
                    nursery.start_soon(self._read_on, nursery.cancel_scope)
                    if self.deaf:
                        await trio.sleep_forever()
                    await self._serve()
                    nursery.cancel_scope.cancel()
            except* (_Gone, OSError, h11.RemoteProtocolError):
                pass
            finally:
                self.upstream.open -= 1
                for request in self.served:
                    request.closed.set()

    async def _read_on(self, scope: trio.CancelScope) -> None:
        """Takes in what the client sends. Its leaving cancels whatever is being answered."""
        try:
            while not self.deaf:
                data = await self.sock.recv(_READ)
                self.unread += data
                if not data or len(self.unread) > _LARGEST_BODY:
                    break
                self._wake()
            else:
                await self._left()
        except trio.ClosedResourceError:
            return  # closed by us
        except OSError:
            pass
        self.ended = True
        if self.coming is not None:
            self.upstream.cut_off.append(len(self.coming))
        now = trio.current_time()
        for request in self.served:
            if request.closed_at is None:
                request.closed_at = now
        self._wake()
        scope.cancel()

    async def _left(self) -> None:
        """Waits until the client closes, whose bytes stay unread."""
        poll = select.poll()
        poll.register(self.sock, select.POLLRDHUP)
        while self.sock.fileno() >= 0 and not poll.poll(0):
            await trio.sleep(0.01)
        if self.sock.fileno() < 0:
            raise trio.ClosedResourceError

    def _wake(self) -> None:
        self.more.set()
        self.more = trio.Event()

    async def _some(self) -> bytes:
        while not self.unread:
            if self.ended:
                raise _Gone
            await self.more.wait()
        data = bytes(self.unread)
        self.unread.clear()
        return data

    async def _serve(self) -> None:
        rest = b""
        while True:
            request, rest, keep = await self._request(rest)
            self.served.append(request)
            # In one step: who sees that it has come may plan for the next one.
            self.upstream.requests.append(request)
            answer, plan = self.upstream.respond(request)
            request.asked = answer.asked
            await self.upstream.arrived()
            await self._carry_out(request, answer, plan)
            if plan.stale == "next":
                rest = rest or await self._some()
                self._end("reset")
            if plan.stale == "idle" or not keep:
                self._end("close")

    async def _request(self, rest: bytes) -> tuple[Recorded, bytes, bool]:
        """Reads one request; what came after it, and whether the connection may serve another."""
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        if rest:
            parser.receive_data(rest)
        head, body = None, bytearray()
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                if parser.they_are_waiting_for_100_continue and head is not None:
                    await self._send(b"HTTP/1.1 100 Continue\r\n\r\n")
                parser.receive_data(await self._some())
            elif isinstance(event, h11.Request):
                head, self.coming = event, body
                if self.upstream.next_is_early():
                    self.deaf = True
                    break
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                break
            else:
                raise _Gone
        self.coming = None
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers]
        method, target = head.method.decode("ascii"), head.target.decode("latin-1")
        keep = head.http_version == b"1.1" and ("connection", "close") not in headers
        recorded = Recorded(method, target, headers, bytes(body), self.number, trio.current_time())
        return recorded, parser.trailing_data[0], keep

    async def _carry_out(self, request: Recorded, answer: Answer, plan: Plan) -> None:
        await trio.sleep(plan.delay_ms / 1000)
        if plan.after_requests:
            await self.upstream.wait_for(plan.after_requests)
        if plan.hold:
            await self.upstream.released.wait()
        todo = script(answer, plan)
        for at, piece in enumerate(todo.writes):
            if at:
                await trio.sleep(plan.drip_ms / 1000)
            await self._send(piece)
            request.sent += len(piece)
        if todo.again:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LITTLE)
        while todo.again:
            await self._send(todo.again)
            request.sent += len(todo.again)
        if todo.end == "stall":
            await trio.sleep_forever()
        request.answered_at = trio.current_time()
        if todo.end == "reset":
            await trio.sleep(_BEFORE_RESET if todo.writes else 0)
        if todo.end != "keep":
            self._end(todo.end)

    async def _send(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[await self.sock.send(rest) :]

    def _end(self, how: str) -> None:
        """Ends the connection: RST for `reset`, FIN for the rest."""
        if how == "reset":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.sock.close()
        raise _Gone
