"""The gateway in process: `async with hoosh.Gateway(config) as gateway: await gateway.chat(...)`, on trio or asyncio.

The same exchanges as the server's, so the same keys of the configuration apply; only the framing is left out: a stream is
chunks as dicts, an error is an exception of `hoosh.errors`.
"""

import json
import warnings
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from hoosh import _environment, store
from hoosh._driver import Driver, Engine, Headers, Kept, Took, inside
from hoosh._driver.inside import Asked, Transport
from hoosh._native import Config
from hoosh.errors import HooshError, InvalidRequest, from_code

if TYPE_CHECKING:
    from hoosh.engines.model import Progress

Json = dict[str, Any]
CHAT = "/v1/chat/completions"


def _config(given: Config | str | Path | None) -> Config:
    if isinstance(given, Config):
        return given
    if isinstance(given, str):
        return _environment.parse(given) if _environment.is_text(given) else _environment.load(given)[0]
    return _environment.load(given)[0]


class Gateway:
    """A gateway in this process, on the event loop that enters it.

    Args:
        config: a `hoosh.Config`, TOML text, the path of a file, or None for `$HOOSH_CONFIG`, else
            `hoosh.toml` here, else what is found.
        stored: whether budgets and the ledger are kept in a file where the configuration writes `[storage] path`.
        transport: `python` drives calls on this event loop; `native` in a thread of the extension, for a fraction of the
            time, and the event loop only hands over what is asked and takes the answer.

    """

    def __init__(
        self, config: Config | str | Path | None = None, *, stored: bool = True, transport: Transport = "python"
    ) -> None:
        known, checked = inside.checked(transport), _config(config)
        place = store.place(checked, "hoosh.Gateway", needed=False) if stored else None
        self._driver = Driver(checked, place, transport=known)
        self._blocks = False
        self._stack = AsyncExitStack()
        self._entered = False

    @classmethod
    def _of(cls, driver: Driver) -> "Gateway":
        """Another door to a gateway that somebody else runs."""
        gateway = cls.__new__(cls)
        gateway._driver, gateway._stack, gateway._entered = driver, AsyncExitStack(), False
        gateway._blocks = False
        return gateway

    async def __aenter__(self) -> "Gateway":
        await self._stack.enter_async_context(self._driver.running())
        self._entered = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered = False
        await self._stack.aclose()

    def close(self) -> None:
        """Admit nothing any more, and have what is not stored yet stored. May be called again, and from any thread.

        Leaving `async with` ends a gateway in order; this is for those that are never entered, and for exits.
        """
        self._driver.close()

    def __del__(self) -> None:
        if getattr(self, "_entered", False) and not self._driver.closed:
            unclosed(self)

    def register(self, name: str, engine: "Engine") -> None:
        """Have provider `name` (of type `engine`) answered by `engine`.

        That is an object with `chat`, `complete` or `embed` (docs/engines.md), or a coroutine function of one `EngineCall`.

        Raises:
            ConfigError: it is neither.

        """
        self._driver.register(name, engine)

    async def load(self, name: str, model: str, progress: "Progress | None" = None) -> None:
        """Have a model of engine `name` in memory; without, it is loaded when it is asked first. Raises what the engine raises."""
        await self._running().engines.loader(name).load(model, progress)

    async def unload(self, name: str, model: str) -> None:
        """Have a model of engine `name` leave memory, until it is asked again. Raises what the engine raises."""
        await self._running().engines.loader(name).unload(model)

    @property
    def ledger(self) -> list[Json]:
        """One row for each exchange that reached an upstream, as far as stored, oldest first."""
        self._driver.check()
        return self._driver.store.rows()

    @property
    def requests(self) -> list[Json]:
        """Records of requests that asked no upstream (refused, answered by the cache, lists), as far as stored."""
        return self._driver.store.requests()

    @property
    def discovered(self) -> list[tuple[str, list[str]]]:
        """The models that providers said they have, by the provider's name: those that were asked and have answered."""
        return self._driver.gateway.discovered()

    async def chat(self, *, model: str, messages: Sequence[Mapping[str, Any]], **fields: Any) -> Json:
        """`POST /v1/chat/completions`: the whole answer.

        Raises:
            HooshError: the failure's class, with `code`, `status`, `param` and `request_id`.

        """
        if fields.get("stream"):
            words = "chat() gives a whole answer. For a stream: async with gateway.stream(...) as chunks."
            raise misused(words, param="stream")
        return await self._ask(CHAT, {"model": model, "messages": messages, **fields})

    async def embed(self, *, model: str, input: str | Sequence[Any], **fields: Any) -> Json:
        """`POST /v1/embeddings`: the whole answer."""
        return await self._ask("/v1/embeddings", {"model": model, "input": input, **fields})

    async def models(self) -> list[Json]:
        """`GET /v1/models`: the models that may be asked."""
        answer = await self._ask("/v1/models", None)
        data: list[Json] = answer["data"]
        return data

    async def capabilities(self) -> list[Json]:
        """`GET /v1/providers`: what each provider and its models can do, each value with its source."""
        answer = await self._ask("/v1/providers", None)
        providers: list[Json] = answer["providers"]
        return providers

    async def explain(self, question: Json) -> Json:
        """`POST /v1/explain`: what would become of a request, `{"endpoint": "chat", "body": {...}, "key": "team"}`."""
        return await self._ask("/v1/explain", question)

    async def listed(self) -> None:
        """Return when every provider that is asked for its models has said them, or had its time (10 seconds)."""
        await self._running().listed()

    @asynccontextmanager
    async def stream(
        self, *, model: str, messages: Sequence[Mapping[str, Any]], **fields: Any
    ) -> AsyncIterator[AsyncIterator[Json]]:
        """Stream a chat: `async with gateway.stream(...) as chunks: async for chunk in chunks: ...`.

        Leaving the context early stops the upstream's work.
        """
        body = _json({"model": model, "messages": messages, **fields, "stream": True})
        driver = self._running()
        if driver.transport == "native":
            with inside.asked(driver, "POST", CHAT, body, blocks=self._blocks) as asked:
                yield _Arriving(asked)
            return
        give, take = anyio.create_memory_object_stream[Json](16)
        caller = Chunks(body, give)
        failure: BaseException | None = None
        # In this order: who still gives chunks is cancelled before nobody takes them.
        async with take, give, anyio.create_task_group() as tasks:
            tasks.start_soon(_stream, driver, caller)
            try:
                yield _Each(take, caller)
            except (Exception, KeyboardInterrupt, SystemExit) as error:
                # Raised again outside of the group, which would wrap it.
                failure = error
            tasks.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _ask(self, path: str, fields: Json | None) -> Json:
        driver = self._running()
        method, body = ("GET", b"") if fields is None else ("POST", _json(fields))
        if driver.transport == "native":
            with inside.asked(driver, method, path, body, blocks=self._blocks) as asked:
                await asked.whole()
            if failure := asked.failure():
                raise failure
            return _answer(asked, b"".join(asked.pieces))
        caller = Kept(body)
        await driver.drive(caller, method, path, [], neutral=True)
        return _answer(caller, b"".join(caller.pieces))

    def _running(self) -> Driver:
        self._driver.check()
        if not self._driver.runs:
            words = "Ask it inside of `async with` (SyncGateway: `with`; Server: `async with server.running()`)."
            raise misused(f"The gateway does not run. {words}")
        return self._driver


async def _stream(driver: Driver, caller: "Chunks") -> None:
    async with caller.give:
        await driver.drive(caller, "POST", CHAT, [], neutral=True)


def unclosed(gateway: object) -> None:
    """Warn that a gateway was dropped while it ran."""
    words = f"unclosed {type(gateway).__name__}: leave its `with`, or call close()"
    warnings.warn(words, ResourceWarning, stacklevel=2, source=gateway)


def misused(words: str, param: str | None = None) -> InvalidRequest:
    """The error of a call that makes no sense."""
    return InvalidRequest(words, code="invalid_value", status=400, param=param)


def _json(fields: Json) -> bytes:
    try:
        return json.dumps(fields, default=_plain).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise misused(f"The request cannot be written as JSON: {error}.") from error


def _plain(value: Any) -> Any:
    """What `json` does not know by itself of what signatures here allow."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return list(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")


def _answer(caller: Kept, body: bytes) -> Json:
    answer: Json = json.loads(body)
    if caller.status >= 400:
        raise _failure(caller.status, caller.headers, answer) from caller.cause
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
        # The core is of this version: another code is an upstream's own, for a request that it refused.
        unknown=InvalidRequest if 400 <= status < 500 else None,
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

    def cut(self) -> None:
        """See `Caller`: the chunks that are there can still be taken, and then this."""
        self.failure = inside.cut_off()


class _Each:
    """The chunks, and then the failure, if there is one.

    No async generator: one that is left early lives on until it is collected, by whatever thread does that, while its own
    event loop may be closing it.
    """

    def __init__(self, take: MemoryObjectReceiveStream[Json], caller: Chunks) -> None:
        self._take, self._caller = take, caller

    def __aiter__(self) -> AsyncIterator[Json]:
        return self

    async def __anext__(self) -> Json:
        try:
            return await self._take.receive()
        except anyio.EndOfStream:
            failure, self._caller.failure = self._caller.failure, None
        if failure is not None:
            raise failure from self._caller.cause
        raise StopAsyncIteration


class _Arriving:
    """The chunks of a call that an edge drives, as they come, and then the failure, if there is one."""

    def __init__(self, asked: Asked) -> None:
        self._asked, self._over = asked, False

    def __aiter__(self) -> AsyncIterator[Json]:
        return self

    async def __anext__(self) -> Json:
        asked = self._asked
        while not self._over:
            if asked.arrived:
                chunk: Json = json.loads(asked.arrived.popleft())
                if (failure := self._failure(chunk)) is None:
                    return chunk
                self._over = True
                # To leave before its end would book less than is known of what it cost.
                while asked.end is None:
                    await asked.more()
                raise failure from asked.cause
            if asked.end is None:
                await asked.more()
            else:
                self._over = True
                if failure := asked.failure():
                    raise failure
        raise StopAsyncIteration

    def _failure(self, chunk: Json) -> HooshError | None:
        asked = self._asked
        if asked.end == "reply":
            return _failure(asked.status, asked.headers, chunk)  # a stream that never began
        return _failure(502, asked.headers, chunk) if "error" in chunk else None
