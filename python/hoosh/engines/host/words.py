"""Requests, what is said to them, and refusals, as JSON and back."""

from dataclasses import fields
from typing import Any

from hoosh.engines.delta import Delta, Finish, Logprob, Reasoning, Text, ToolCall, Usage
from hoosh.engines.host.frames import BadFrame, Message
from hoosh.engines.model import Health, Model
from hoosh.engines.refused import Refused
from hoosh.engines.request import Cancelled, ChatRequest, CompletionRequest, EmbedRequest

Request = ChatRequest | CompletionRequest | EmbedRequest

REQUESTS: dict[str, type[Request]] = {"chat": ChatRequest, "complete": CompletionRequest, "embed": EmbedRequest}
"""By the method that answers it."""
KINDS: dict[str, type[Delta]] = {kind.__name__: kind for kind in (Text, Reasoning, ToolCall, Finish, Usage)}
SENT_APART = ("messages", "tools", "prompt", "input")
"""What of `raw` has a field of its own, and may be long."""


def request_words(request: Request) -> Message:
    """A request as it is sent."""
    told = {field.name: getattr(request, field.name) for field in fields(request) if field.name != "cancelled"}
    told["raw"] = {name: value for name, value in request.raw.items() if name not in SENT_APART}
    return told


def request_of(method: str, told: Message, cancelled: Cancelled) -> Request:
    """A request as it was sent, with its `raw` whole again; of several prompts that has the one which is meant."""
    for name in ("messages", "tools", "stop", "inputs"):
        if name in told:
            told[name] = tuple(told[name])
    for name in ("messages", "tools", "prompt"):
        if name in told and (told[name] or name != "tools"):
            told["raw"][name] = told[name] if isinstance(told[name], str) else list(told[name])
    if "inputs" in told:
        told["raw"]["input"] = list(told["inputs"])
    return REQUESTS[method](**told, cancelled=cancelled)


def said_words(piece: object) -> list[Any]:
    """What an engine yielded, as it is sent.

    Raises:
        TypeError: it is nothing that an engine says.

    """
    if isinstance(piece, str):
        return ["Text", piece, []]
    if isinstance(piece, Text):
        return ["Text", piece.text, [_logprob_words(one) for one in piece.logprobs]]
    if not isinstance(piece, Delta):
        raise TypeError(f"an answer is made of str, {', '.join(KINDS)}, not of {type(piece).__name__}")
    return [type(piece).__name__, *(getattr(piece, field.name) for field in fields(piece))]


def delta_of(said: Any) -> Delta:
    """What was said. Its parts are looked at by whoever looks at those of every engine.

    Raises:
        BadFrame: it is nothing that is said.

    """
    match said:
        case ["Text", text, list(logprobs)]:
            return Text(text, tuple(map(_logprob_of, logprobs)))
        case [str(kind), *given] if kind != "Text" and kind in KINDS and len(given) == len(fields(KINDS[kind])):
            return KINDS[kind](*given)
    raise BadFrame(f"what is said is none of {', '.join(KINDS)}")


def refusal_words(refused: Refused) -> Message:
    """A refusal as it is sent."""
    return {name: getattr(refused, name) for name in ("status", "message", "code", "param", "retry_after")}


def refusal_of(told: object) -> Refused:
    """A refusal as it was sent.

    Raises:
        BadFrame: it is none.

    """
    try:
        return Refused(**told)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise BadFrame(f"a refusal is none: {error}") from error


def model_of(told: object) -> Model:
    """A model that an engine lists.

    Raises:
        BadFrame: it is none.

    """
    try:
        return Model(**told)  # type: ignore[arg-type]
    except TypeError as error:
        raise BadFrame(f"a model is none: {error}") from error


def health_of(told: object) -> Health:
    """How an engine says that it is.

    Raises:
        BadFrame: it does not say.

    """
    match told:
        case [bool(ok), str(words)]:
            return Health(ok, words)
    raise BadFrame("what tells of its health does not")


def _logprob_words(told: Logprob) -> list[Any]:
    return [*_likely_words(told), [_likely_words(one) for one in told.top]]


def _likely_words(told: Logprob) -> list[Any]:
    return [told.token, told.logprob, None if told.raw is None else list(told.raw)]


def _logprob_of(told: Any) -> Logprob:
    match told:
        case [token, logprob, given, list(top)]:
            return _likely_of([token, logprob, given], tuple(_likely_of(one) for one in top))
    raise BadFrame("what tells how likely a token was does not")


def _likely_of(told: Any, top: tuple[Logprob, ...] = ()) -> Logprob:
    match told:
        case [token, logprob, None]:
            return Logprob(token, logprob, None, top)
        case [token, logprob, list(given)]:
            try:
                return Logprob(token, logprob, bytes(given), top)
            except (TypeError, ValueError) as error:
                raise BadFrame(f"a token's bytes are none: {error}") from error
    raise BadFrame("what tells how likely a token was does not")
