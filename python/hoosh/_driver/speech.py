"""One answer of an engine on its way to the core: checked, cut at its stop strings, ended where the engine does not end it."""

import secrets

from hoosh._driver import said
from hoosh._driver.engine import EngineCall
from hoosh.engines.delta import Delta, Finish, Logprob, Reasoning, Text, ToolCall, Usage
from hoosh.engines.request import ChatRequest, CompletionRequest
from hoosh.engines.stops import Stops


class Speech:
    """One answer of an engine on its way to the core."""

    def __init__(self, call: EngineCall, request: ChatRequest | CompletionRequest) -> None:
        self._call, self._choice = call, request.choice
        self._judge, self._stops = said.Judge(), Stops(request.stop)
        self._speaks_in_tools = call.endpoint == "chat"
        self._stopped = False
        self.usage: Usage | None = None

    async def take(self, piece: object) -> bool:
        """Say what an engine yielded; whether more is wanted.

        Raises:
            TypeError: see `said.Judge`.
            ValueError: see `said.Judge`.

        """
        first = isinstance(piece, ToolCall) and self._judge.begins(piece)
        await self._say(self._judge.see(piece), first=first)
        return not self._stopped

    async def end(self) -> None:
        """Say that it is complete, unless the engine said so."""
        if not self._judge.finished and not self._stopped:
            await self._finish(self._judge.implied.reason)

    async def _say(self, delta: Delta, *, first: bool) -> None:
        match delta:
            case Text(text, logprobs):
                words, self._stopped = self._stops.see(text)
                if words or logprobs or not text:
                    await self._call.text(words, self._choice, [_logprob(one) for one in logprobs])
                if self._stopped:
                    await self._call.finish("stop", self._choice)
            case Reasoning(text):
                await self._call.reasoning(text, self._choice)
            case ToolCall(index, id, name, arguments):
                if not self._speaks_in_tools:
                    raise ValueError("a completion is text: it calls no tools")
                made = id or (f"call_{secrets.token_hex(12)}" if first else None)
                await self._call.tool_call(index, id=made, name=name, arguments=arguments, choice=self._choice)
            case Finish(reason):
                await self._finish(reason)
            case Usage():
                self.usage = delta

    async def _finish(self, reason: str) -> None:
        if rest := self._stops.rest():
            await self._call.text(rest, self._choice)
        await self._call.finish(reason, self._choice)


def _logprob(told: Logprob) -> tuple[str, bytes, float, list[tuple[str, bytes, float]]]:
    return (*_likely(told), [_likely(one) for one in told.top])


def _likely(told: Logprob) -> tuple[str, bytes, float]:
    return told.token, told.token.encode() if told.raw is None else told.raw, float(told.logprob)
