"""Methods of an engine, which may be `async` or not, and may block."""

import inspect
import logging
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import Any

from hoosh._driver.handover import End, Handover
from hoosh._driver.places import Places
from hoosh._driver.tasks import task_group
from hoosh.engines.delta import Reasoning, Text, ToolCall

LOG = logging.getLogger("hoosh")

Take = Callable[[object], Awaitable[bool]]
"""Told of each piece; whether more is wanted."""


def is_async(method: Callable[..., Any]) -> bool:
    """Whether calling it is the event loop's to do."""
    return inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method)


async def ask(places: Places, method: Callable[..., Any], *given: Any) -> Any:
    """What a method gives back: on the event loop if it is `async`, else in a thread."""
    if is_async(method):
        async with places.place():
            return await method(*given)
    made = await places.thread(method, *given)
    return await made if inspect.isawaitable(made) else made


async def each(places: Places, method: Callable[..., Any], request: Any, take: Take) -> None:
    """Hand every piece of an answer to `take`, as it comes, until that wants no more.

    Raises:
        TypeError: the method gives back no pieces.
        Exception: what the method, its generator or `take` raises.

    """
    made: Any = None
    if is_async(method):
        async with places.place():
            made = method(request)
            made = await made if inspect.isawaitable(made) else made
            if isinstance(made, AsyncIterable):
                return await _from_loop(made, take)
    return await _from_thread(places, (lambda _: made) if is_async(method) else method, request, take)


async def _from_loop(made: AsyncIterable[object], take: Take) -> None:
    pieces = aiter(made)
    try:
        async for piece in pieces:
            if not await take(piece):
                return
    finally:
        # A generator that is left is ended here and now, not by whoever collects it.
        if callable(close := getattr(pieces, "aclose", None)):
            await close()


async def _from_thread(places: Places, method: Callable[..., Any], request: Any, take: Take) -> None:
    handover, failure, late = Handover(request.cancelled), None, None
    async with task_group() as tasks:
        tasks.start_soon(_run, places, handover, method, request)
        try:
            while await take(await handover.take()):
                pass
            handover.cancel()
        except End as end:
            late = end.args[0]
        except Exception as error:  # raised outside of the group, which would wrap it
            failure = error
            handover.cancel()
        except BaseException:
            handover.cancel()
            raise
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
    if isinstance(late, AsyncIterable):  # of a function that does not look it: what a decorator made
        await _from_loop(late, take)
    elif late is not None:
        await each(places, _given(late), request, take)


def _given(awaitable: Awaitable[Any]) -> Callable[[Any], Awaitable[Any]]:
    async def method(_: Any) -> Any:
        return await awaitable

    return method


async def _run(places: Places, handover: Handover, method: Callable[..., Any], request: Any) -> None:
    try:
        await places.thread(_pump, handover, method, request)
    except Exception as error:
        handover.end(error)


def _pump(handover: Handover, method: Callable[..., Any], request: Any) -> None:
    """Run a generator to its end or until nobody wants more of it, in a thread; how it ended is handed over too."""
    try:
        made = method(request)
        if isinstance(made, AsyncIterable) or inspect.isawaitable(made):
            return handover.end(End(made))
        _iterate(handover, made)
    except BaseException as error:
        handover.end(error if isinstance(error, Exception) else RuntimeError(f"it raised {error!r}"))
        if handover.cancelled:
            LOG.warning("An engine failed after its caller had left", exc_info=error)
    else:
        handover.end(End(None))


def _iterate(handover: Handover, made: object) -> None:
    if isinstance(made, str):
        handover.put(made, len(made))
        return
    if not isinstance(made, Iterable):
        words = "gives back what it says: a generator (with `yield`), a list, or a str"
        raise TypeError(f"chat or complete {words}, not {type(made).__name__}")
    pieces = iter(made)
    try:
        for piece in pieces:
            if not handover.put(piece, _size(piece)):
                break
    finally:
        if callable(close := getattr(pieces, "close", None)):
            close()


def _size(piece: object) -> int:
    match piece:
        case str():
            return len(piece)
        case Text(text) | Reasoning(text) if isinstance(text, str):
            return len(text)
        case ToolCall() if isinstance(piece.arguments, str):
            return len(piece.arguments)
    return 1
