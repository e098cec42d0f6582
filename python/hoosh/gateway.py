"""The gateway in process: `async with hoosh.Gateway(config) as gateway: await gateway.chat(...)`, on trio or asyncio.

The same exchanges as the server's, so the same keys of the configuration apply; only the framing is left out: a stream is
chunks as dicts, an error is an exception of `hoosh.errors`.
"""

import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from hoosh import _environment
from hoosh._driver import Driver, Engine, Headers, Kept, Took
from hoosh._native import Config
from hoosh.errors import HooshError, from_code

Json = dict[str, Any]


def _config(given: Config | str | Path | None) -> Config:
    if isinstance(given, Config):
        return given
    if isinstance(given, str):
        return Config.parse(given, dict(os.environ)) if "\n" in given or "=" in given else _environment.load(given)[0]
    return _environment.load(given)[0]


class Gateway:
    """A gateway in this process, on the event loop that enters it.

    Args:
        config: a `hoosh.Config`, TOML text, the path of a file, or None for `hoosh.toml` here, else what is found.

    """

    def __init__(self, config: Config | str | Path | None = None) -> None:
        self._driver = Driver(_config(config))
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "Gateway":
        await self._stack.enter_async_context(self._driver.running())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def register(self, name: str, engine: Engine) -> None:
        """Have provider `name` (of type `engine`) answered by `engine`, a coroutine function of one `EngineCall`."""
        self._driver.engines[name] = engine

    @property
    def ledger(self) -> list[Json]:
        """One row for each exchange that reached an upstream, as far as stored, oldest first."""
        return self._driver.store.rows()

    async def chat(self, *, model: str, messages: Sequence[Mapping[str, Any]], **fields: Any) -> Json:
        """`POST /v1/chat/completions`: the whole answer.

        Raises:
            HooshError: the failure's class, with `code`, `status`, `param` and `request_id`.

        """
        return await self._ask("/v1/chat/completions", {"model": model, "messages": list(messages), **fields})

    async def embed(self, *, model: str, input: str | Sequence[Any], **fields: Any) -> Json:
        """`POST /v1/embeddings`: the whole answer."""
        return await self._ask("/v1/embeddings", {"model": model, "input": input, **fields})

    async def models(self) -> list[Json]:
        """`GET /v1/models`: the models that may be asked."""
        answer = await self._ask("/v1/models", None)
        data: list[Json] = answer["data"]
        return data

    @asynccontextmanager
    async def stream(
        self, *, model: str, messages: Sequence[Mapping[str, Any]], **fields: Any
    ) -> AsyncIterator[AsyncIterator[Json]]:
        """Stream a chat: `async with gateway.stream(...) as chunks: async for chunk in chunks: ...`.

        Leaving the context early stops the upstream's work.
        """
        body = json.dumps({"model": model, "messages": list(messages), **fields, "stream": True}).encode()
        give, take = anyio.create_memory_object_stream[Json](16)
        caller = Chunks(body, give)
        failure: Exception | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._stream, caller)
            try:
                async with take:
                    yield _each(take, caller)
            except Exception as error:
                # Raised again outside of the group, which would wrap it.
                failure = error
            tasks.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _stream(self, caller: "Chunks") -> None:
        async with caller.give:
            await self._driver.drive(caller, "POST", "/v1/chat/completions", [], neutral=True)

    async def _ask(self, path: str, fields: Json | None) -> Json:
        body = b"" if fields is None else json.dumps(fields).encode()
        caller = Kept(body)
        await self._driver.drive(caller, "GET" if fields is None else "POST", path, [], neutral=True)
        return _answer(caller.status, caller.headers, caller.pieces[0] if caller.pieces else b"")


def _answer(status: int, headers: Headers, body: bytes) -> Json:
    answer: Json = json.loads(body)
    if status >= 400:
        raise _failure(status, headers, answer)
    return answer


def _failure(status: int, headers: Headers, answer: Json) -> HooshError:
    error = answer["error"]
    named = dict(headers)
    after = named.get(b"retry-after")
    return from_code(
        str(error.get("code") or "upstream_refused"),
        status,
        str(error.get("message")),
        param=error.get("param"),
        request_id=named.get(b"x-request-id", b"").decode() or None,
        retry_after=float(after) if after else None,
    )


class Chunks(Kept):
    """A caller that gives each event on as it comes."""

    def __init__(self, body: bytes, give: MemoryObjectSendStream[Json]) -> None:
        super().__init__(body)
        self.give = give
        self.failure: HooshError | None = None

    async def reply(self, status: int, headers: Headers, body: bytes, took: Took) -> None:
        """See `Caller`: a stream that never began."""
        self.failure = _failure(status, headers, json.loads(body))
        took(len(body))

    async def emit(self, data: bytes, took: Took) -> None:
        """See `Caller`: one event's JSON."""
        chunk: Json = json.loads(data)
        if "error" in chunk:
            self.failure = _failure(502, self.headers, chunk)
        else:
            await self.give.send(chunk)
        took(len(data))


async def _each(take: MemoryObjectReceiveStream[Json], caller: Chunks) -> AsyncIterator[Json]:
    async for chunk in take:
        yield chunk
    if caller.failure is not None:
        raise caller.failure


class SyncGateway:
    """`Gateway` for code without an event loop: `with hoosh.SyncGateway(config) as gateway: gateway.chat(...)`."""

    def __init__(self, config: Config | str | Path | None = None) -> None:
        self._config = config
        self._portal_context: AbstractContextManager[BlockingPortal] | None = None

    def __enter__(self) -> "SyncGateway":
        self._portal_context = start_blocking_portal("trio")
        self._portal = self._portal_context.__enter__()
        self._gateway = Gateway(self._config)
        self._running = self._portal.wrap_async_context_manager(self._gateway)
        self._running.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.__exit__(None, None, None)
        if self._portal_context is not None:
            self._portal_context.__exit__(None, None, None)

    def chat(self, *, model: str, messages: Sequence[Mapping[str, Any]], **fields: Any) -> Json:
        """See `Gateway.chat`."""
        return self._portal.call(lambda: self._gateway.chat(model=model, messages=messages, **fields))

    def embed(self, *, model: str, input: str | Sequence[Any], **fields: Any) -> Json:
        """See `Gateway.embed`."""
        return self._portal.call(lambda: self._gateway.embed(model=model, input=input, **fields))

    def models(self) -> list[Json]:
        """See `Gateway.models`."""
        return self._portal.call(self._gateway.models)

    @contextmanager
    def stream(self, *, model: str, messages: Sequence[Mapping[str, Any]], **fields: Any) -> Iterator[Iterator[Json]]:
        """See `Gateway.stream`."""
        streaming = self._gateway.stream(model=model, messages=messages, **fields)
        with self._portal.wrap_async_context_manager(streaming) as chunks:
            yield self._each(chunks)

    def _each(self, chunks: AsyncIterator[Json]) -> Iterator[Json]:
        while True:
            try:
                yield self._portal.call(chunks.__anext__)
            except StopAsyncIteration:
                return

    @property
    def ledger(self) -> list[Json]:
        """See `Gateway.ledger`."""
        return self._gateway.ledger
