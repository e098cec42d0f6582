"""Engines: what answers in this process as an upstream does."""

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from hoosh._driver.attempt import Attempt
from hoosh._driver.caller import Caller, Headers
from hoosh._native import HEAVIEST, NativeEngine, refusal
from hoosh.engines.refused import Refused
from hoosh.errors import ConfigError, RequestError

if TYPE_CHECKING:
    from hoosh.engines.protocol import Engine as EngineObject

Logprob = tuple[str, bytes, float, Sequence[tuple[str, bytes, float]]]
"""Text, bytes and logarithm of a token's probability, and the same of the likeliest in its place."""
Standing = tuple[int, int | None]
"""How a caller stands to others: which of five priorities it has, from 0, and whose work its answer may use."""
LARGEST_TEXT = 8 << 10
"""Characters said at once, so that no piece is larger than a caller is behind."""


class EngineCall:
    """What an engine of this process is asked, and its way to answer."""

    def __init__(self, endpoint: str, body: bytes, standing: Standing, attempt: Attempt) -> None:
        self.endpoint, self.body, self.standing = endpoint, body, standing
        self.attempt, self._doors, self._u = attempt, attempt.doors, attempt.u
        self.begun = False
        """Whether anything was said, so that it cannot be refused any more."""

    async def text(self, text: str, choice: int = 0, logprobs: Sequence[Logprob] = ()) -> None:
        """Say more text, with how likely its tokens were, if that was asked for. Saying none says that it lives."""
        tokens = [(token, bytes_, logprob, list(top)) for token, bytes_, logprob, top in logprobs]
        # What its tokens are told of is not cut.
        for piece in [text] if tokens else _pieces(text):
            await self._take(len(piece.encode()) + sum(map(_weight, tokens)))
            self._doors.exchange.delta_text(self._u, choice, piece, tokens)
            self._doors.step()

    async def reasoning(self, text: str, choice: int = 0) -> None:
        """Say more of what is thought before the answer."""
        for piece in _pieces(text):
            await self._take(len(piece.encode()))
            self._doors.exchange.delta_reasoning(self._u, choice, piece)
            self._doors.step()

    async def tool_call(
        self, index: int, *, id: str | None = None, name: str | None = None, arguments: str = "", choice: int = 0
    ) -> None:
        """Call a tool, or say more of its arguments."""
        for at, piece in enumerate(_pieces(arguments)):
            called, named = (id, name) if at == 0 else (None, None)
            await self._take(len(piece.encode()) + len((called or "").encode()) + len((named or "").encode()))
            self._doors.exchange.delta_tool_call(self._u, choice, index, called, named, piece)
            self._doors.step()

    async def embedding(self, index: int, vector: list[float]) -> None:
        """Give one input's vector."""
        await self._take(4 * len(vector))
        self._doors.exchange.delta_embedding(self._u, index, vector)
        self._doors.step()

    async def finish(self, reason: str = "stop", choice: int = 0) -> None:
        """Finish a choice."""
        await self._take(1)
        self._doors.exchange.delta_finish(self._u, choice, reason)
        self._doors.step()

    async def usage(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> None:
        """Say what it cost; without, hoosh counts."""
        await self._take(1)
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
        self.begun = True


EngineFunction = Callable[[EngineCall], Awaitable[None]]
"""An engine as the driver calls it."""
Engine: TypeAlias = "EngineFunction | NativeEngine | EngineObject"
"""What can be registered."""


async def call(
    engines: Mapping[str, EngineFunction],
    caller: Caller,
    name: str,
    endpoint: str,
    body: bytes,
    standing: Standing,
    attempt: Attempt,
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
    asked = EngineCall(endpoint, body, standing, attempt)
    try:
        await engine(asked)
    except RequestError as why:
        # As hooks decline: nobody else is asked.
        attempt.doors.exchange.declined(
            attempt.u, why.status if 400 <= why.status < 500 else 400, why.message, why.param
        )
        attempt.doors.step()
    except Refused as refused:
        if asked.begun:
            refused.add_note("An engine refuses before it says anything; this one had begun to answer.")
            caller.raised(refused)
            attempt.failed("body", reused=False)
        else:
            await say_no(attempt, refused)
    except (Exception, SystemExit) as error:
        # An engine is foreign code: whatever it raises is an attempt that failed.
        caller.raised(error if isinstance(error, Exception) else RuntimeError(f"the engine called sys.exit({error})"))
        attempt.failed("body", reused=False)
    else:
        attempt.end()


async def say_no(attempt: Attempt, refused: Refused) -> None:
    """Refuse in the words of an exception."""
    message = str(refused.message).encode(errors="replace").decode()  # half of a surrogate pair is no text
    after = None if refused.retry_after is None else math.ceil(refused.retry_after)
    headers, body = refusal(refused.status, refused.code, message, after, refused.param)
    await refuse(attempt, refused.status, headers, body)


async def refuse(attempt: Attempt, status: int, headers: Headers, body: bytes) -> None:
    """Say no as an upstream over HTTP does, so that the core judges it as it judges those."""
    attempt.head(status, headers)
    await attempt.data(body)
    attempt.end()


def _pieces(text: str) -> list[str]:
    return [text[at : at + LARGEST_TEXT] for at in range(0, max(len(text), 1), LARGEST_TEXT)]


def _weight(logprob: Logprob) -> int:
    """What it costs of the credit: its bytes, numbers included."""
    token, bytes_, _, top = logprob
    return sum(len(text.encode()) + len(raw) + 4 for text, raw, _ in [(token, bytes_, 0.0), *top])
