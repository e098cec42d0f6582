"""Work that may block, in threads that hold nothing up: neither the event loop nor the interpreter's exit."""

import asyncio
import contextlib
import contextvars
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import sniffio
import trio


async def aside(work: Callable[..., Any], *given: Any, limiter: anyio.CapacityLimiter) -> Any:
    """What `work` returns or raises. When cancelled, its thread is left behind, and counts until it has ended.

    Where trio runs, anyio's threads are such; under asyncio it joins its own at the interpreter's exit, which one that is
    stuck would hold up for ever. There the thread is one of trio's, which need no loop of trio's.
    """
    if sniffio.current_async_library() == "trio":
        return await anyio.to_thread.run_sync(work, *given, abandon_on_cancel=True, limiter=limiter)
    loop, borrower = asyncio.get_running_loop(), object()
    await limiter.acquire_on_behalf_of(borrower)
    result: asyncio.Future[Any] = loop.create_future()  # of an `Outcome`

    def take(made: Any) -> None:
        limiter.release_on_behalf_of(borrower)
        if not result.done():
            result.set_result(made)

    def deliver(made: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop may be closed by now
            loop.call_soon_threadsafe(take, made)

    context = contextvars.copy_context()
    context.run(sniffio.current_async_library_cvar.set, None)
    try:
        trio.lowlevel.start_thread_soon(partial(context.run, work, *given), deliver, "hoosh-aside")
    except BaseException:
        limiter.release_on_behalf_of(borrower)
        raise
    return (await result).unwrap()
