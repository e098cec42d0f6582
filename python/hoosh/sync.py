"""The gateway in process for code without an event loop."""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from anyio.from_thread import BlockingPortal

from hoosh._driver import Engine
from hoosh._driver.inside import Transport, finished
from hoosh._driver.process import close_at_exit
from hoosh._driver.thread import LoopThread
from hoosh._native import Config
from hoosh.gateway import Gateway, Json, misused, unclosed

if TYPE_CHECKING:
    from hoosh.engines.model import Progress

T = TypeVar("T")


class SyncGateway:
    """`Gateway` for code without an event loop: `with hoosh.SyncGateway(config) as gateway: gateway.chat(...)`.

    With `transport="native"` its thread is for engines and hooks of Python alone: who asks waits where it asks.
    """

    def __init__(self, config: Config | str | Path | None = None, *, transport: Transport = "python") -> None:
        self._gateway = Gateway(config, transport=transport)
        self._gateway._blocks = self._blocks = transport == "native"
        self._thread: LoopThread | None = None

    def start(self) -> "SyncGateway":
        """Run it, in a thread of its own, until `close`; for programs in which no `with` is at hand."""
        self._thread = LoopThread(self._gateway._driver)
        close_at_exit(self)
        return self

    def close(self) -> None:
        """End it, and with it its thread; what is in progress is cancelled. May be called again, and from any thread."""
        self._end()
        self._gateway.close()

    def _end(self) -> None:
        thread, self._thread = self._thread, None
        # In a child of a fork the thread is not there: it is the parent's to end.
        if thread is not None and not self._gateway._driver.elsewhere:
            thread.stop()
            thread.join()

    def __del__(self) -> None:
        thread = getattr(self, "_thread", None)
        if thread is not None and not self._gateway._driver.elsewhere:
            unclosed(self)
            thread.stop()

    def __enter__(self) -> "SyncGateway":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def register(self, name: str, engine: "Engine") -> None:
        """See `Gateway.register`: what is `async` runs in a trio event loop, in a thread of its own."""
        self._gateway.register(name, engine)

    def load(self, name: str, model: str, progress: "Progress | None" = None) -> None:
        """See `Gateway.load`."""
        self._running().call(lambda: self._gateway.load(name, model, progress))

    def unload(self, name: str, model: str) -> None:
        """See `Gateway.unload`."""
        self._running().call(lambda: self._gateway.unload(name, model))

    def chat(self, *, model: str, messages: Sequence[Mapping[str, Any]], **fields: Any) -> Json:
        """See `Gateway.chat`."""
        return self._ask(lambda: self._gateway.chat(model=model, messages=messages, **fields))

    def embed(self, *, model: str, input: str | Sequence[Any], **fields: Any) -> Json:
        """See `Gateway.embed`."""
        return self._ask(lambda: self._gateway.embed(model=model, input=input, **fields))

    def models(self) -> list[Json]:
        """See `Gateway.models`."""
        return self._ask(self._gateway.models)

    def capabilities(self) -> list[Json]:
        """See `Gateway.capabilities`."""
        return self._ask(self._gateway.capabilities)

    def listed(self) -> None:
        """See `Gateway.listed`."""
        self._running().call(self._gateway.listed)

    @contextmanager
    def stream(self, *, model: str, messages: Sequence[Mapping[str, Any]], **fields: Any) -> Iterator[Iterator[Json]]:
        """See `Gateway.stream`."""
        streaming = self._gateway.stream(model=model, messages=messages, **fields)
        running = self._running()
        with _finished_around(streaming) if self._blocks else running.wrap_async_context_manager(streaming) as chunks:
            yield self._each(chunks)

    def _each(self, chunks: AsyncIterator[Json]) -> Iterator[Json]:
        while True:
            try:
                yield self._ask(lambda: _next(chunks))
            except StopAsyncIteration:
                return

    def _ask(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Have it done: by the event loop of the thread, or right here."""
        running = self._running()
        return finished(work()) if self._blocks else running.call(work)

    def _running(self) -> BlockingPortal:
        self._gateway._driver.check()
        if self._thread is None:
            raise misused("The gateway does not run. Ask it inside of `with`, or after `start()`.")
        return self._thread.portal

    @property
    def ledger(self) -> list[Json]:
        """See `Gateway.ledger`."""
        return self._gateway.ledger


@contextmanager
def _finished_around(work: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """A context whose ends never suspend."""
    entered = finished(work.__aenter__())
    try:
        yield entered
    except BaseException as error:
        if not finished(work.__aexit__(type(error), error, error.__traceback__)):
            raise
    else:
        finished(work.__aexit__(None, None, None))


async def _next(chunks: AsyncIterator[Json]) -> Json:
    return await anext(chunks)
