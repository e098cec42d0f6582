"""Engines: what answers in this process as an upstream does."""

from collections.abc import Awaitable, Callable, Sequence

from hoosh._driver.attempt import Attempt
from hoosh._driver.caller import Caller, Headers
from hoosh._native import HEAVIEST, NativeEngine, refusal
from hoosh.errors import ConfigError

Logprob = tuple[str, bytes, float, Sequence[tuple[str, bytes, float]]]
"""Text, bytes and logarithm of a token's probability, and the same of the likeliest in its place."""


class EngineCall:
    """What an engine of this process is asked, and its way to answer."""

    def __init__(self, endpoint: str, body: bytes, attempt: Attempt) -> None:
        self.endpoint, self.body = endpoint, body
        self.attempt, self._doors, self._u = attempt, attempt.doors, attempt.u

    async def text(self, text: str, choice: int = 0, logprobs: Sequence[Logprob] = ()) -> None:
        """Say more text, with how likely its tokens were, if that was asked for."""
        await self._take(len(text.encode()) + sum(map(_weight, logprobs)))
        tokens = [(token, bytes_, logprob, list(top)) for token, bytes_, logprob, top in logprobs]
        self._doors.exchange.delta_text(self._u, choice, text, tokens)
        self._doors.step()

    async def reasoning(self, text: str, choice: int = 0) -> None:
        """Say more of what is thought before the answer."""
        await self._take(len(text.encode()))
        self._doors.exchange.delta_reasoning(self._u, choice, text)
        self._doors.step()

    async def tool_call(
        self, index: int, *, id: str | None = None, name: str | None = None, arguments: str = "", choice: int = 0
    ) -> None:
        """Call a tool, or say more of its arguments."""
        await self._take(len(arguments.encode()) + len((id or "").encode()) + len((name or "").encode()))
        self._doors.exchange.delta_tool_call(self._u, choice, index, id, name, arguments)
        self._doors.step()

    async def embedding(self, index: int, vector: list[float]) -> None:
        """Give one input's vector."""
        await self._take(4 * len(vector))
        self._doors.exchange.delta_embedding(self._u, index, vector)
        self._doors.step()

    async def finish(self, reason: str = "stop", choice: int = 0) -> None:
        """Finish a choice."""
        self._doors.exchange.delta_finish(self._u, choice, reason)
        self._doors.step()

    async def usage(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> None:
        """Say what it cost; without, hoosh counts."""
        self._doors.exchange.delta_usage(self._u, input_tokens, output_tokens, cached_tokens)
        self._doors.step()

    async def refuse(self, status: int, code: str, message: str, retry_after_secs: int | None = None) -> None:
        """Refuse, before anything was said, as an upstream would: 400 the request, 429 or 503 because there is no room.

        Nothing is said after it.
        """
        headers, body = refusal(status, code, message, retry_after_secs)
        await refuse(self.attempt, status, headers, body)

    async def _take(self, size: int) -> None:
        # The heaviest always comes within some credit: the core counts so as well.
        left = min(max(size, 1), HEAVIEST)
        while left > 0:
            left -= await self.attempt.credit.take(left)


EngineFunction = Callable[[EngineCall], Awaitable[None]]
"""An engine as the driver calls it."""
Engine = EngineFunction | NativeEngine


async def call(
    engines: dict[str, EngineFunction], caller: Caller, name: str, endpoint: str, body: bytes, attempt: Attempt
) -> None:
    """Have an engine answer, and report how that ended."""
    engine = engines.get(name)
    if engine is None:
        caller.raised(
            ConfigError(f"No engine is registered as {name!r}. Call register({name!r}, ...) before it is asked.")
        )
        attempt.failed("connect", reused=False)
        return
    attempt.connected()
    attempt.doors.step()
    try:
        await engine(EngineCall(endpoint, body, attempt))
    except Exception as error:
        # An engine is foreign code: whatever it raises is an attempt that failed.
        caller.raised(error)
        attempt.failed("body", reused=False)
    else:
        attempt.end()


async def refuse(attempt: Attempt, status: int, headers: Headers, body: bytes) -> None:
    """Say no as an upstream over HTTP does, so that the core judges it as it judges those."""
    attempt.head(status, headers)
    await attempt.data(body)
    attempt.end()


def _weight(logprob: Logprob) -> int:
    """What it costs of the credit: its bytes, numbers included."""
    token, bytes_, _, top = logprob
    return sum(len(text.encode()) + len(raw) + 4 for text, raw, _ in [(token, bytes_, 0.0), *top])
