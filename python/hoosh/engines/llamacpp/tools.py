"""Calls of functions in what a model writes, in the form of Hermes and Qwen: a JSON object between tags.

Where a call is demanded, the answer is held to one from its first token on. Where it is left to the model, what looks like a
call is one; what does not stays text.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from hoosh.engines.delta import Delta, Finish, Text, ToolCall
from hoosh.engines.llamacpp import schema
from hoosh.engines.llamacpp.fields import wrong
from hoosh.engines.request import ChatRequest, Json

DEFINITIONS = ("$defs", "definitions")
OPEN, CLOSE = "<tool_call>", "</tool_call>"


@dataclass(frozen=True, slots=True)
class Tools:
    """What a chat offers."""

    offered: tuple[Json, ...] = ()
    """As OpenAI writes them; none where they are not to be called."""
    demanded: Json | None = None
    """The schema of the call, where there has to be one."""


def of_request(request: ChatRequest) -> Tools:
    """What a chat offers, and whether one has to be called.

    Raises:
        Refused: a tool is none, or cannot be demanded.

    """
    choice = request.tool_choice
    if not request.tools or choice == "none":
        return Tools()
    functions = {_name(tool): tool["function"] for tool in request.tools}
    match choice:
        case None | "auto":
            if any(function.get("strict") for function in functions.values()):
                words = "cannot be strict unless `tool_choice` demands one: this engine holds only such calls to their schema"
                raise wrong("tools", words, "unsupported_value")
            if request.raw.get("parallel_tool_calls") is False:
                raise wrong(
                    "parallel_tool_calls", "can only be false where `tool_choice` demands a call", "unsupported_value"
                )
            return Tools(request.tools)
        case "required":
            wanted = list(functions)
        case {"type": "function", "function": {"name": str(name)}} if name in functions:
            wanted = [name]
        case _:
            raise wrong("tool_choice", "must be `auto`, `none`, `required`, or a function that is in `tools`")
    return Tools(request.tools, _demand({name: functions[name].get("parameters") for name in wanted}))


def found(said: Iterable[Delta]) -> Iterator[Delta]:
    """An answer with the calls in it as calls."""
    reader = Reader()
    for delta in said:
        match delta:
            case Text(text, logprobs):
                yield from _with(logprobs, reader.push(text))
            case Finish(reason):
                yield from reader.finish()
                yield Finish("tool_calls") if reason == "stop" and reader.calls else delta
            case _:
                yield delta


def demanded(said: Iterable[Delta]) -> Iterator[Delta]:
    """An answer that is a call, and nothing else. One that was cut short is none."""
    written = ""
    for delta in said:
        match delta:
            case Text(text):
                written += text
                yield Text("")  # it lives
            case Finish("stop"):
                call = json.loads(written)
                yield ToolCall(0, name=call["name"], arguments=_text(call["arguments"]))
                yield Finish("tool_calls")
            case _:
                yield delta


class Reader:
    """Takes text as it comes, and gives text and calls."""

    def __init__(self) -> None:
        self._held = ""
        """What may be, or become, a call."""
        self.calls = 0

    def push(self, text: str) -> list[Text | ToolCall]:
        """Take more text."""
        self._held += text
        pieces: list[Text | ToolCall] = []
        while (start := self._held.find(OPEN)) >= 0 and (end := self._held.find(CLOSE, start)) >= 0:
            inner, after = self._held[start + len(OPEN) : end], end + len(CLOSE)
            call = self._call(inner)
            self._give(pieces, self._held[:after] if call is None else self._held[:start].rstrip())
            pieces += [] if call is None else [call]
            self._held = self._held[after:]
        open_at = len(self._held) - _open_tag(self._held) if start < 0 else start
        # White space before a call is the call's, and there may be one yet.
        given = self._held[:open_at].rstrip()
        self._held = self._held[len(given) :]
        self._give(pieces, given)
        return pieces

    def finish(self) -> list[Text | ToolCall]:
        """What is left, because nothing follows. A call whose closing tag is missing is one."""
        before, tag, inner = self._held.partition(OPEN)
        pieces: list[Text | ToolCall] = []
        call = self._call(inner) if tag else None
        said = self._held if call is None else before
        self._give(pieces, said.rstrip() if self.calls else said)
        return pieces + ([] if call is None else [call])

    def _call(self, written: str) -> ToolCall | None:
        try:
            call = json.loads(written)
        except (ValueError, RecursionError):
            return None
        if not isinstance(call, dict) or not isinstance(call.get("name"), str):
            return None
        self.calls += 1
        return ToolCall(self.calls - 1, name=call["name"], arguments=_text(call.get("arguments")))

    def _give(self, pieces: list[Text | ToolCall], text: str) -> None:
        if text:
            pieces.append(Text(text))


def _with(logprobs: Any, pieces: list[Text | ToolCall]) -> Iterator[Delta]:
    """Pieces, the first of text with how likely the tokens were; where there is none, that alone."""
    for piece in pieces:
        if isinstance(piece, Text):
            yield Text(piece.text, logprobs)
            logprobs = ()
        else:
            yield piece
    if logprobs:
        yield Text("", logprobs)


def _text(arguments: object) -> str:
    """Arguments as OpenAI has them. Some models write the object as a string."""
    if isinstance(arguments, str):
        return arguments
    return "{}" if arguments is None else json.dumps(arguments, ensure_ascii=False)


def _name(tool: Json) -> str:
    match tool:
        case {"type": "function", "function": {"name": str(name)}}:
            return name
    raise wrong("tools", "must be functions with a name")


def _demand(functions: dict[str, Any]) -> Json:
    """The schema of a call of one of these functions, of which the parameters are given."""
    forms: list[Json] = []
    definitions: dict[str, Json] = {}
    for name, given in functions.items():
        parameters = schema.checked(given or {"type": "object"}, "tools")
        # Definitions are at the top, where references look for them.
        for place in DEFINITIONS:
            for word, one in parameters.pop(place, {}).items():
                if definitions.setdefault(place, {}).setdefault(word, one) != one:
                    raise wrong(
                        "tools", f"define `{word}` in two ways, and any of them may be called", "unsupported_value"
                    )
        properties = {"name": {"const": name}, "arguments": parameters}
        forms.append({"type": "object", "properties": properties, "required": list(properties)})
    return {**(forms[0] if len(forms) == 1 else {"anyOf": forms}), **definitions}


def _open_tag(text: str) -> int:
    """How many characters at the end of `text` may be the beginning of a tag."""
    return next((size for size in range(len(OPEN) - 1, 0, -1) if text.endswith(OPEN[:size])), 0)
