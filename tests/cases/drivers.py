"""The four drivers, each as something a case can be put to: `ask` it a request, then look at its `rows`."""

import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import h11
import trio

import hoosh
from hoosh._driver.inside import Transport
from tests.python.conftest import edge_serving, hypercorn_serving

from .check import check_answer, neutral_events
from .load import Answer, Request
from .pattern import Pattern

ROOT = Path(__file__).resolve().parents[2]
Row = dict[str, Any]


class Driver(Protocol):
    """One gateway for one case."""

    async def ask(self, request: Request, expect: Answer) -> list[str]:
        """Sends a request and holds the answer against what is expected: the differences in words."""

    def rows(self) -> list[Row]:
        """The ledger so far."""


class OverHttp:
    """Asks over one connection, and over another once that one was closed."""

    def __init__(self, port: int, rows: Any) -> None:
        self.port = port
        self.rows = rows
        self._stream: trio.SocketStream | None = None

    async def ask(self, request: Request, expect: Answer) -> list[str]:
        if self._stream is None:
            self._stream = await trio.open_tcp_stream("127.0.0.1", self.port)
            self._http = h11.Connection(h11.CLIENT)
        headers = [("host", "localhost"), *request.headers]
        if request.body:
            headers.append(("content-length", str(len(request.body))))
        head = h11.Request(method=request.method, target=request.target, headers=headers)
        sent = [self._http.send(event) for event in (head, h11.Data(data=request.body), h11.EndOfMessage())]
        await self._stream.send_all(b"".join(piece for piece in sent if piece))
        status, fields, body = await self._answer(self._stream)
        if self._http.our_state is self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        else:
            await self._stream.aclose()
            self._stream = None
        return check_answer(expect, status, fields, body)

    async def _answer(self, stream: trio.SocketStream) -> tuple[int, list[tuple[str, str]], bytes]:
        head, body = None, b""
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await stream.receive_some(65536))
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return head.status_code, [(n.decode(), v.decode("latin-1")) for n, v in head.headers], body


@asynccontextmanager
async def trio_server(config: str, folder: Path) -> AsyncIterator[Driver]:
    async with hypercorn_serving(config) as (url, app):
        yield OverHttp(int(url.rpartition(":")[2]), app.driver.store.rows)


@asynccontextmanager
async def native_edge(config: str, folder: Path) -> AsyncIterator[Driver]:
    async with edge_serving(config) as (url, app):
        yield OverHttp(int(url.rpartition(":")[2]), app.driver.store.rows)


@asynccontextmanager
async def c_program(config: str, folder: Path) -> AsyncIterator[Driver]:
    """cffi/samples, built by `make c-gateway`. HOOSH_C_WRAPPER may name a program that runs it (`make memcheck`)."""
    program = c_gateway()
    (folder / "hoosh.toml").write_text(config)
    rows = folder / "rows"
    rows.touch()
    command = [*os.environ.get("HOOSH_C_WRAPPER", "").split(), program, str(folder / "hoosh.toml"), "0", str(rows)]
    async with AsyncExitStack() as stack:
        nursery = await stack.enter_async_context(trio.open_nursery())
        process = await nursery.start(partial(trio.run_process, command, stdout=subprocess.PIPE, check=False))
        line = b""
        while not line.endswith(b"\n"):
            line += (piece := await process.stdout.receive_some())
            if not piece:
                raise RuntimeError(f"the C program ended before it listened, with {await process.wait()}")
        try:
            yield OverHttp(
                int(line.decode().rpartition(":")[2]),
                lambda: [json.loads(row) for row in rows.read_text().splitlines()],
            )
        finally:
            process.send_signal(signal.SIGTERM)
            with trio.CancelScope(shield=True), trio.move_on_after(20):
                await process.wait()
            status = process.returncode
            nursery.cancel_scope.cancel()
    assert status == 0, f"the C program ended with {status}"


class InProcess:
    """`hoosh.Gateway`: no HTTP, so what is compared is the JSON, and an exception stands for an error."""

    def __init__(self, gateway: hoosh.Gateway) -> None:
        self.gateway = gateway

    def rows(self) -> list[Row]:
        return self.gateway.ledger

    async def ask(self, request: Request, expect: Answer) -> list[str]:
        events: list[bytes] = []
        fields = json.loads(request.body) if request.body else {}
        try:
            if request.target == "/v1/models":
                events.append(_dump({"object": "list", "data": await self.gateway.models()}))
            elif request.target == "/v1/embeddings":
                events.append(_dump(await self.gateway.embed(**fields)))
            elif fields.pop("stream", False):
                async with self.gateway.stream(**fields) as chunks:
                    async for chunk in chunks:
                        events.append(_dump(chunk))  # noqa: PERF401, an error in the middle keeps what came before
            else:
                events.append(_dump(await self.gateway.chat(**fields)))
        except hoosh.errors.HooshError as error:
            return _check_error(expect, error, events)
        if b"event-stream" in (getattr(expect.header("content-type"), "text", "").encode()):
            return _check_events(neutral_events(expect), events)
        return check_answer(Answer(expect.status, (), expect.body), 200, [], events[0])


@asynccontextmanager
async def in_process(config: str, folder: Path, transport: Transport = "python") -> AsyncIterator[Driver]:
    async with hoosh.Gateway(hoosh.Config.parse(config, {}), transport=transport) as gateway:
        yield InProcess(gateway)


DRIVERS = {
    "trio": trio_server,
    "edge": native_edge,
    "in_process": in_process,
    "in_process_native": partial(in_process, transport="native"),
    "c": c_program,
}


def c_gateway() -> str:
    program = os.environ.get("HOOSH_C_GATEWAY", str(ROOT / "target" / "c-gateway"))
    if not Path(program).exists():
        raise FileNotFoundError(f"{program}: build it by `make c-gateway`")
    return program


def _dump(value: Any) -> bytes:
    """JSON as the cases write it: no white space, text as it is."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _check_events(expect: list[Pattern], got: list[bytes]) -> list[str]:
    wrong = [] if len(expect) == len(got) else [f"{len(got)} events, expected {len(expect)}: {got!r}"]
    return wrong + [
        f"event {at}\n  got      {event!r}\n  expected {pattern.text}"
        for at, (pattern, event) in enumerate(zip(expect, got, strict=False))
        if not pattern.matches(event)
    ]


def _check_error(expect: Answer, error: hoosh.errors.HooshError, events: list[bytes]) -> list[str]:
    """An exception against the error body, or the error event after what was streamed, that HTTP callers get."""
    said = {"message": str(error.args[0]) if error.args else str(error), "param": error.param, "code": error.code}
    *before, last = neutral_events(expect) or [expect.body]
    wrong = _check_events(before, events)
    if expect.status not in (200, error.status):
        wrong.append(f"status {error.status}, expected {expect.status}")
    body = _dump({"error": {"message": said["message"], "type": "?", "param": said["param"], "code": said["code"]}})
    pattern = Pattern(_without_type(last.text))
    return wrong if pattern.matches(body) else [*wrong, f"error\n  got      {body!r}\n  expected {pattern.text}"]


def _without_type(text: str) -> str:
    """The pattern of an error body with its `type`, which an exception's class says instead, open."""
    before, found, after = text.partition('"type":"')
    return before + found + "\\*" + after[after.index('"') :] if found else text
