"""Engines: functions of this process that answer as an upstream does."""

from collections.abc import Awaitable, Callable

from hoosh._driver.attempt import Attempt
from hoosh._driver.caller import Caller
from hoosh.errors import ConfigError


class EngineCall:
    """What an engine of this process is asked, and its way to answer."""

    def __init__(self, endpoint: str, body: bytes, attempt: Attempt) -> None:
        self.endpoint, self.body = endpoint, body
        self._attempt, self._doors, self._u = attempt, attempt.doors, attempt.u

    async def text(self, text: str, choice: int = 0) -> None:
        """Say more text."""
        await self._take(len(text.encode()))
        self._doors.exchange.delta_text(self._u, choice, text)
        self._doors.step()

    async def tool_call(
        self, index: int, *, id: str | None = None, name: str | None = None, arguments: str = "", choice: int = 0
    ) -> None:
        """Call a tool, or say more of its arguments."""
        await self._take(len(arguments.encode()) + len(id or "") + len(name or ""))
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

    async def usage(self, input_tokens: int, output_tokens: int) -> None:
        """Say what it cost; without, hoosh counts."""
        self._doors.exchange.delta_usage(self._u, input_tokens, output_tokens)
        self._doors.step()

    async def _take(self, size: int) -> None:
        left = max(size, 1)
        while left > 0:
            left -= await self._attempt.credit.take(left)


Engine = Callable[[EngineCall], Awaitable[None]]


async def call(
    engines: dict[str, Engine], caller: Caller, name: str, endpoint: str, body: bytes, attempt: Attempt
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
