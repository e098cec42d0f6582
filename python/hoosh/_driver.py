"""Drives exchanges on any anyio event loop: does what a step says, reports through the doors, decides nothing."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

import anyio
import anyio.to_thread

from hoosh import _upstream
from hoosh._connections import Connections, Target
from hoosh._native import Config, Exchange, Gateway, Job, MemoryStore, StoreOp, WakeQueue, WireRefusal
from hoosh._tasks import Bell, Credit, Tasks, now, task_group

# The kinds of steps: the order is that of `_native.step_names()`, which a test compares.
(
    CONTINUE, READ_CALLER, SEND, READ, ABORT, CALL, WORK, CHILD, REPLY, START, EMIT, FINISH, BREAK, WAIT, DONE,
) = range(15)  # fmt: skip
FETCH, CANCEL, STORE, LOOP_WAIT = range(4)

KEPT_ROWS = 100_000
"""Ledger rows that the memory store keeps."""
LARGEST_FETCH = 8 << 20
"""Of an answer to the gateway's own question, bytes."""

Headers = list[tuple[bytes, bytes]]
Engine = Callable[["EngineCall"], Awaitable[None]]


class Caller(Protocol):
    """Whoever asked: what the driver needs of it."""

    joins: bool
    """Whether neighbouring pieces may be written as one."""

    async def read(self, credit: int) -> tuple[bytes, bool] | WireRefusal | None:
        """At most about `credit` bytes of the body, and whether that was the end. None: the caller is gone."""

    async def gone(self) -> None:
        """Return when the caller is gone."""

    async def go_on(self) -> None:
        """Send `100 Continue`."""

    async def reply(self, status: int, headers: Headers, body: bytes) -> None:
        """Write a whole answer."""

    async def start(self, status: int, headers: Headers) -> None:
        """Begin a streamed answer."""

    async def emit(self, data: bytes) -> None:
        """Write more of it; return when the transport took it."""

    async def finish(self) -> None:
        """End it."""

    async def cut(self) -> None:
        """Cut the connection."""


class EngineCall:
    """What an engine of this process is asked, and its way to answer."""

    def __init__(self, exchange: Exchange, u: int, endpoint: str, body: bytes, ring: Callable[[], None]) -> None:
        self.endpoint, self.body = endpoint, body
        self._exchange, self._u, self._ring = exchange, u, ring
        self.credit = Credit()

    async def text(self, text: str, choice: int = 0) -> None:
        """Say more text."""
        await self._take(len(text.encode()))
        self._exchange.delta_text(self._u, choice, text)
        self._ring()

    async def tool_call(
        self, index: int, *, id: str | None = None, name: str | None = None, arguments: str = "", choice: int = 0
    ) -> None:
        """Call a tool, or say more of its arguments."""
        await self._take(len(arguments.encode()) + len(id or "") + len(name or ""))
        self._exchange.delta_tool_call(self._u, choice, index, id, name, arguments)
        self._ring()

    async def embedding(self, index: int, vector: list[float]) -> None:
        """Give one input's vector."""
        await self._take(4 * len(vector))
        self._exchange.delta_embedding(self._u, index, vector)
        self._ring()

    async def finish(self, reason: str = "stop", choice: int = 0) -> None:
        """Finish a choice."""
        self._exchange.delta_finish(self._u, choice, reason)
        self._ring()

    async def usage(self, input_tokens: int, output_tokens: int) -> None:
        """Say what it cost; without, hoosh counts."""
        self._exchange.delta_usage(self._u, input_tokens, output_tokens)
        self._ring()

    async def _take(self, size: int) -> None:
        left = max(size, 1)
        while left > 0:
            left -= await self.credit.take(left)


class Driver:
    """One gateway on one event loop."""

    def __init__(self, config: Config) -> None:
        self.gateway = Gateway(config, secrets.randbits(64))
        self.store = MemoryStore(KEPT_ROWS)
        self.engines: dict[str, Engine] = {}
        self._queue = WakeQueue()
        self._bells: dict[int, Callable[[], None]] = {}
        self._last = 0
        self._connections = Connections()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Driver"]:
        """Run the gateway's own loop while the context lasts."""
        async with task_group() as tasks:
            tasks.start_soon(self._hear)
            tasks.start_soon(self._loop, tasks)
            tasks.start_soon(self._connections.expire)
            try:
                yield self
            finally:
                with anyio.CancelScope(shield=True):
                    await self._flush()
                    await self._connections.aclose()
                tasks.cancel_scope.cancel()

    def reload(self, config: Config) -> None:
        """Use `config` for what begins from now on."""
        self.gateway.reload(config, *now())

    async def drive(self, caller: Caller, method: str, target: str, headers: Headers, *, neutral: bool) -> None:
        """Answer one request."""
        self._last += 1
        number = self._last
        exchange = self.gateway.exchange(self._queue, number)
        exchange.begin(method, target, headers, neutral)
        await self._drive(exchange, caller, number)

    async def refuse(self, caller: Caller, refusal: WireRefusal) -> None:
        """Answer a request whose head could not be read."""
        self._last += 1
        number = self._last
        exchange = self.gateway.exchange(self._queue, number)
        exchange.refused(refusal)
        await self._drive(exchange, caller, number)

    async def _drive(
        self, exchange: Exchange, caller: Caller, number: int, bells: dict[int, Callable[[], None]] | None = None
    ) -> None:
        if bells is None:
            bells = self._bells
        async with task_group() as tasks:
            run = Run(self, exchange, caller, tasks)
            bells[number] = run.ring
            try:
                await run.steps()
            finally:
                del bells[number]
                tasks.cancel_scope.cancel()

    async def _hear(self) -> None:
        """Ring for every exchange that another thread, or another exchange, woke."""
        while True:
            await anyio.wait_readable(self._queue.fileno())
            for number in self._queue.take():
                if bell := self._bells.get(number):
                    bell()

    async def _loop(self, tasks: Tasks) -> None:
        """The gateway's own loop: leases, ledger, probes, model lists."""
        bell = Bell()
        self._bells[0] = bell.ring
        self.gateway.set_waker(self._queue)
        fetches: dict[int, anyio.CancelScope] = {}
        while True:
            step = self.gateway.next(*now())
            if step[0] == STORE:
                await self._perform(step[1], step[2])
            elif step[0] == FETCH:
                fetches[step[1]] = anyio.CancelScope()
                tasks.start_soon(self._fetch, step[1], step[2], fetches, bell)
            elif step[0] == CANCEL:
                if scope := fetches.pop(step[1], None):
                    scope.cancel()
            else:
                await bell.wait(step[1])

    async def _perform(self, id: int, op: StoreOp) -> None:
        self.gateway.stored(id, self.store.perform(op), *now())

    async def _fetch(self, id: int, target: Target, fetches: dict[int, anyio.CancelScope], bell: Bell) -> None:
        with fetches[id]:
            try:
                status, body = await _upstream.fetch(self._connections, target, LARGEST_FETCH)
                self.gateway.fetched(id, status, body, None, *now())
            except Exception as error:
                self.gateway.fetched(id, 0, b"", type(error).__name__, *now())
        fetches.pop(id, None)
        bell.ring()

    async def _flush(self) -> None:
        """Store the last rows."""
        with anyio.move_on_after(2):
            while self.gateway.rows_waiting():
                step = self.gateway.next(*now())
                if step[0] == STORE:
                    await self._perform(step[1], step[2])
                elif step[0] == LOOP_WAIT:
                    await anyio.sleep(0.005)


class Run:
    """One exchange being driven."""

    def __init__(self, driver: Driver, exchange: Exchange, caller: Caller, tasks: Tasks) -> None:
        self._driver, self._exchange, self._caller, self._tasks = driver, exchange, caller, tasks
        self._bell = Bell()
        self._children: dict[int, Callable[[], None]] = {}
        self._upstreams: dict[int, tuple[anyio.CancelScope, Credit]] = {}
        self._reading: Credit | None = None
        self._writes: list[tuple[Any, ...]] = []
        self._writing = False
        self._write_scope = anyio.CancelScope()
        self._watching = False

    def ring(self) -> None:
        """Have this exchange and its children, which share its waker, look again."""
        self._bell.ring()
        for ring in self._children.values():
            ring()

    async def steps(self) -> None:
        """Take steps until the exchange is over and everything written."""
        exchange = self._exchange
        while True:
            step = exchange.next(*now())
            kind = step[0]
            if kind == WAIT:
                self._watch()
                await self._bell.wait(step[1])
            elif kind == DONE:
                break
            elif kind in (REPLY, START, EMIT, FINISH, CONTINUE):
                self._write(step)
            else:
                self._perform(kind, step)
        while self._writing:
            await self._bell.wait(None)

    def _perform(self, kind: int, step: tuple[Any, ...]) -> None:
        if kind == SEND:
            scope, credit = self._open(step[1])
            self._tasks.start_soon(self._ask, scope, step[1], step[2], credit)
        elif kind == READ:
            if step[1] in self._upstreams:
                self._upstreams[step[1]][1].add(step[2])
        elif kind == ABORT:
            if opened := self._upstreams.pop(step[1], None):
                opened[0].cancel()
        elif kind == READ_CALLER:
            if self._reading is None:
                self._reading = Credit()
                self._watching = True
                self._tasks.start_soon(self._read, self._reading)
            self._reading.add(step[1])
        elif kind == CALL:
            scope, credit = self._open(step[1])
            call = EngineCall(self._exchange, step[1], step[3], step[4], self.ring)
            call.credit = credit
            self._tasks.start_soon(self._call, scope, step[1], step[2], call)
        elif kind == WORK:
            self._tasks.start_soon(self._work, step[1])
        elif kind == CHILD:
            self._tasks.start_soon(self._child, step[1], step[2])
        elif kind == BREAK:
            self._write_scope.cancel()
            self._tasks.start_soon(self._caller.cut)

    def _open(self, u: int) -> tuple[anyio.CancelScope, Credit]:
        self._upstreams[u] = anyio.CancelScope(), Credit()
        return self._upstreams[u]

    async def _ask(self, scope: anyio.CancelScope, u: int, target: Target, credit: Credit) -> None:
        with scope:
            await _upstream.ask(self._driver._connections, self._exchange, u, target, credit, self.ring)

    async def _call(self, scope: anyio.CancelScope, u: int, engine: str, call: EngineCall) -> None:
        with scope:
            self._exchange.connected(u)
            self.ring()
            try:
                await self._driver.engines[engine](call)
                self._exchange.end(u)
            except Exception:
                # An engine is foreign code: whatever it raises is an attempt that failed.
                self._exchange.failed(u, "body", False)
            self.ring()

    async def _work(self, job: Job) -> None:
        self._exchange.worked(await anyio.to_thread.run_sync(job.run))
        self.ring()

    async def _child(self, c: int, exchange: Exchange) -> None:
        answer = Kept()
        await self._driver._drive(exchange, answer, c, self._children)
        self._exchange.child(c, answer.status, b"".join(answer.pieces))
        self.ring()

    async def _read(self, credit: Credit) -> None:
        """Hand the caller's body over as it is asked for, then watch for the caller's leaving."""
        ended = False
        while not ended:
            size = await credit.take(1 << 20)
            part = await self._caller.read(size)
            if part is None:
                self._exchange.caller_gone()
                self.ring()
                return
            if isinstance(part, WireRefusal):
                self._exchange.refused(part)
                self.ring()
                break
            data, ended = part
            if data:
                self._exchange.body(data)
            if ended:
                self._exchange.body_end()
            elif len(data) < size:
                credit.add(size - len(data))
            self.ring()
        await self._await_gone()

    def _watch(self) -> None:
        if not self._watching:
            self._watching = True
            self._tasks.start_soon(self._await_gone)

    async def _await_gone(self) -> None:
        await self._caller.gone()
        self._exchange.caller_gone()
        self.ring()

    def _write(self, step: tuple[Any, ...]) -> None:
        self._writes.append(step)
        if not self._writing:
            self._writing = True
            self._write_scope = anyio.CancelScope()
            self._tasks.start_soon(self._writer)

    async def _writer(self) -> None:
        """Write in order, apart from the steps: a caller that takes nothing must not keep the exchange from its time."""
        caller, exchange = self._caller, self._exchange
        with self._write_scope:
            while self._writes:
                step = self._writes.pop(0)
                if step[0] == REPLY:
                    await caller.reply(step[1], step[2], step[3])
                    exchange.written(len(step[3]))
                elif step[0] == EMIT:
                    # Neighbouring events leave in one write, each still counted.
                    data = step[1]
                    while self._writes and self._writes[0][0] == EMIT and caller.joins:
                        data += self._writes.pop(0)[1]
                    await caller.emit(data)
                    exchange.written(len(data))
                elif step[0] == START:
                    await caller.start(step[1], step[2])
                elif step[0] == FINISH:
                    await caller.finish()
                else:
                    await caller.go_on()
                self.ring()
        self._writing = False
        self.ring()


class Kept:
    """A caller of this process that keeps what it is told."""

    joins = False

    def __init__(self, body: bytes = b"") -> None:
        self.status = 0
        self.headers: Headers = []
        self.pieces: list[bytes] = []
        self._body = body

    async def read(self, credit: int) -> tuple[bytes, bool] | None:
        """See `Caller`."""
        part, self._body = self._body[:credit], self._body[credit:]
        return part, not self._body

    async def gone(self) -> None:
        """See `Caller`: in process nobody hangs up; the task that waits is cancelled instead."""
        await anyio.sleep_forever()

    async def go_on(self) -> None:
        """See `Caller`."""

    async def reply(self, status: int, headers: Headers, body: bytes) -> None:
        """See `Caller`."""
        self.status, self.headers, self.pieces = status, headers, [body]

    async def start(self, status: int, headers: Headers) -> None:
        """See `Caller`."""
        self.status, self.headers = status, headers

    async def emit(self, data: bytes) -> None:
        """See `Caller`."""
        self.pieces.append(data)

    async def finish(self) -> None:
        """See `Caller`."""

    async def cut(self) -> None:
        """See `Caller`."""
