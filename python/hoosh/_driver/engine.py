"""Engines: what answers in this process as an upstream does."""

import json
import math
from collections.abc import Awaitable, Callable, Mapping

from hoosh._driver.attempt import Attempt
from hoosh._driver.caller import Caller, Headers
from hoosh.engines.refused import Refused
from hoosh.errors import ConfigError, RequestError

HEAVIEST = 32 << 10
"""What one item costs of the credit at most: the core's `Item::weight`."""
LARGEST_TEXT = 8 << 10
"""Characters said at once, so that no piece is larger than a caller is behind."""


class EngineCall:
    """What an engine of this process is asked, and its way to answer."""

    def __init__(self, endpoint: str, body: bytes, attempt: Attempt) -> None:
        self.endpoint, self.body = endpoint, body
        self.attempt, self._doors, self._u = attempt, attempt.doors, attempt.u
        self.begun = False
        """Whether anything was said, so that it cannot be refused any more."""

    async def text(self, text: str, choice: int = 0) -> None:
        """Say more text. Saying none says that it lives."""
        for piece in _pieces(text):
            await self._take(len(piece.encode()))
            self._doors.exchange.delta_text(self._u, choice, piece)
            self._doors.step()

    async def reasoning(self, text: str, choice: int = 0) -> None:
        """Say more of what the model thinks before it answers."""
        tell = getattr(self._doors.exchange, "delta_reasoning", None)
        for piece in _pieces(text):
            await self._take(len(piece.encode()))
            if tell is None:  # an extension of before that has no place for it: it lives, and says nothing
                self._doors.exchange.delta_text(self._u, choice, "")
            else:
                tell(self._u, choice, piece)
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

    async def usage(self, input_tokens: int, output_tokens: int) -> None:
        """Say what it cost; without, hoosh counts."""
        await self._take(1)
        self._doors.exchange.delta_usage(self._u, input_tokens, output_tokens)
        self._doors.step()

    async def _take(self, size: int) -> None:
        left = min(max(size, 1), HEAVIEST)
        while left > 0:
            left -= await self.attempt.credit.take(left)
        self.begun = True


EngineFunction = Callable[[EngineCall], Awaitable[None]]
"""An engine as the driver calls it."""


def _pieces(text: str) -> list[str]:
    return [text[at : at + LARGEST_TEXT] for at in range(0, max(len(text), 1), LARGEST_TEXT)]


async def call(
    engines: Mapping[str, EngineFunction], caller: Caller, name: str, endpoint: str, body: bytes, attempt: Attempt
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
    asked = EngineCall(endpoint, body, attempt)
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
    """Say no as an upstream over HTTP does, so that the core judges it as it judges those."""
    kind = "invalid_request_error" if refused.status < 500 else "server_error"
    message = str(refused.message).encode(errors="replace").decode()  # half of a surrogate pair is no text
    error = {"message": message, "type": kind, "param": refused.param, "code": refused.code}
    headers: Headers = [(b"content-type", b"application/json")]
    if refused.retry_after is not None:
        headers.append((b"retry-after", str(math.ceil(refused.retry_after)).encode()))
    attempt.head(refused.status, headers)
    await attempt.data(json.dumps({"error": error}).encode())
    attempt.end()
