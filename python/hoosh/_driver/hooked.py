"""An attempt at a provider with hooks: over the same connections, with callables before and behind."""

import json
from collections.abc import Awaitable
from typing import Any

import anyio
import anyio.lowlevel

from hoosh import sse
from hoosh._driver import upstream
from hoosh._driver.attempt import Attempt
from hoosh._driver.caller import Caller, Headers
from hoosh._driver.connections import Connections, Request
from hoosh._driver.hooks import Declined, HookFailed, Json, ProviderAnswer, ProviderRequest, Runner, apart, written
from hoosh.errors import ConfigError, MalformedReply

LARGEST_ANSWER = 32 << 20
"""Of a whole answer that `on_answer` sees, bytes."""


async def call(
    runner: Runner,
    connections: Connections,
    caller: Caller,
    name: str,
    endpoint: str,
    given: Request,
    attempt: Attempt,
) -> None:
    """Have provider `name` answer, its hooks between, and report how that ended."""
    if not runner.of(name):
        caller.raised(ConfigError(f"Provider {name!r} has no hooks in this process."))
        attempt.failed("hook", reused=False)
        return
    try:
        request, made = await runner.outgoing(name, endpoint, given)
        if runner.of(name).on_answer is None:
            await upstream.ask(connections, made, attempt)
        else:
            between = Between(attempt, runner, request)
            with between.asking:
                await upstream.ask(connections, made, between)
            await between.finish()
    except Declined as why:
        attempt.doors.exchange.declined(attempt.u, why.status, why.message, why.param)
        attempt.doors.step()
    except HookFailed as failed:
        caller.raised(failed.__cause__ if isinstance(failed.__cause__, Exception) else failed)
        attempt.failed("hook", reused=False)
    except MalformedReply:
        attempt.failed("protocol", reused=False)


def _read(text: bytes) -> tuple[Json | None, bytes]:
    """A JSON object, and how it is written; None for what is none, or what Python cannot hold."""
    try:
        body: Any = json.loads(text)
        return (body, written(body)) if isinstance(body, dict) else (None, b"")
    except (ValueError, RecursionError):
        return None, b""


class Between(Attempt):
    """The same attempt for whoever reads the answer, with `on_answer` in front of the doors."""

    def __init__(self, attempt: Attempt, runner: Runner, request: ProviderRequest) -> None:
        self.doors, self.u, self.credit = attempt.doors, attempt.u, attempt.credit
        self.scope, self.stage = attempt.scope, attempt.stage
        self.asking = anyio.CancelScope()
        """Cancelled when a hook ended the attempt: its connection is closed, which stops the provider's work."""
        self._runner, self._request = runner, request
        self._judged = self._ended = False
        self._events: sse.Parser | None = None
        self._whole = bytearray()
        self._failure: Exception | None = None

    def head(self, status: int, headers: Headers) -> None:
        """See `Attempt`. Errors are for the core alone."""
        self._judged = 200 <= status < 300
        kind = next((value for name, value in headers if name.lower() == b"content-type"), b"")
        if kind.partition(b";")[0].strip().lower() == b"text/event-stream":
            self._events = sse.Parser()
        super().head(status, headers)

    async def data(self, data: bytes) -> None:
        """See `Attempt`: what there is to see of it is shown, and handed on as it is then."""
        if not self._judged:
            await super().data(data)
        elif self._events is None:
            self._whole += data
            if len(self._whole) > LARGEST_ANSWER:
                await self._give_up(HookFailed(f"on_answer sees at most {LARGEST_ANSWER} bytes"))
            self._sign_of_life()
        else:
            self._sign_of_life()
            await self._guard(self._each(self._events, data))

    def end(self) -> None:
        """See `Attempt`: told by `finish`, after what hooks have to say."""
        self._ended = True

    async def finish(self) -> None:
        """Say how it ended, once the answer was read.

        Raises:
            HookFailed: a hook raised or gave nonsense.
            Declined: a hook said no.
            MalformedReply: a line or event of the stream has no end.

        """
        if self._failure is not None:
            raise self._failure
        if not self._ended:
            return
        if self._judged and self._events is None:
            await super().data(await self._shown(bytes(self._whole), streams=False))
        super().end()

    async def _each(self, parser: sse.Parser, data: bytes) -> None:
        for event in parser.feed(data):
            text = event.data.encode()
            shown = text if text == b"[DONE]" else await self._shown(text, streams=True)
            kind = event.event if event.event != "message" else None
            await super().data(sse.write(shown.decode(), event=kind))

    async def _shown(self, text: bytes, *, streams: bool) -> bytes:
        """What the hook made of a JSON object; what is none is the core's to judge."""
        body, before = await apart(len(text), _read, text)
        if body is None or "error" in body:
            return text
        made = await self._runner.answered(ProviderAnswer(self._request, streams, body))
        after: bytes = await apart(len(text), written, made)
        return text if after == before else after

    async def _guard(self, work: Awaitable[None]) -> None:
        try:
            await work
        except (HookFailed, Declined, MalformedReply) as failure:
            await self._give_up(failure)

    async def _give_up(self, failure: Exception) -> None:
        # Not raised through whoever reads the answer, which has its own way with errors.
        self._failure = failure
        self.asking.cancel()
        await anyio.lowlevel.checkpoint()

    def _sign_of_life(self) -> None:
        """Nothing is handed on yet, and the provider is not silent."""
        self.doors.exchange.data(self.u, b"")
        self.doors.step()
