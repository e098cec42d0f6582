"""What an engine is asked."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import UnionType
from typing import Any

from hoosh.engines.refused import Refused

Json = dict[str, Any]


class Cancelled:
    """Set when nobody wants the answer any more. For code that works long between two words."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def is_set(self) -> bool:
        """Whether to stop."""
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Sleep for `seconds`, or until it is set; whether it is. Blocks: not for `async` code."""
        return self._event.wait(seconds)

    def set(self) -> None:
        """Have the work stop."""
        self._event.set()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One answer to a chat. For a request with `n` answers an engine is asked `n` times.

    Attributes:
        model: as the engine calls it.
        messages: OpenAI's: each has a `role` and mostly a `content`, a `str` or a list of parts; `texts` reads them.
        max_tokens: the most tokens of the answer; one that was cut ends with `Finish("length")`.
        temperature: None: the model's own.
        top_p: None: the model's own.
        stop: where the answer ends. hoosh cuts there itself, so that an engine may pass over it.
        tools: what may be called, as OpenAI writes it.
        tool_choice: `auto`, `none`, `required`, or the function.
        response_format: None, or such as `{"type": "json_object"}`.
        seed: for a repeatable answer; differs from answer to answer of one request.
        choice: which of the `n` answers, from 0.
        stream: whether the caller reads word by word.
        raw: the whole request, with all that has no field here. Not to be changed.
        cancelled: set when nobody wants the answer any more.

    """

    model: str
    messages: tuple[Json, ...]
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    tools: tuple[Json, ...] = ()
    tool_choice: str | Json | None = None
    response_format: Json | None = None
    seed: int | None = None
    choice: int = 0
    stream: bool = False
    raw: Json = field(default_factory=dict, repr=False)
    cancelled: Cancelled = field(default_factory=Cancelled, repr=False, compare=False)

    @property
    def texts(self) -> list[tuple[str, str]]:
        """Role and text of each message; pictures and sound are left out."""
        return [(str(message.get("role", "")), _text(message.get("content"))) for message in self.messages]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """One continuation of a text, `POST /v1/completions`. For several prompts or answers an engine is asked for each.

    Attributes: those of `ChatRequest`, with `prompt` in place of the messages.
    """

    model: str
    prompt: str
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    choice: int = 0
    stream: bool = False
    raw: Json = field(default_factory=dict, repr=False)
    cancelled: Cancelled = field(default_factory=Cancelled, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedRequest:
    """Texts that want vectors.

    Attributes:
        model: as the engine calls it.
        inputs: the texts.
        dimensions: how long each vector is to be; None: as the model makes it.
        raw: the whole request. Not to be changed.
        cancelled: set when nobody wants the answer any more.

    """

    model: str
    inputs: tuple[str, ...]
    dimensions: int | None = None
    raw: Json = field(default_factory=dict, repr=False)
    cancelled: Cancelled = field(default_factory=Cancelled, repr=False, compare=False)


def chat_requests(body: Json, cancelled: Cancelled) -> list[ChatRequest]:
    """What to ask an engine for a chat: once for each answer.

    Raises:
        Refused: a field is not what OpenAI has it to be. What the core reads it has checked.

    """
    return [
        ChatRequest(
            **_sampling(body, choice, cancelled),
            messages=_objects(body, "messages"),
            tools=_objects(body, "tools"),
            tool_choice=_of(body, "tool_choice", str | dict, "text or an object"),
            response_format=_of(body, "response_format", dict, "an object"),
        )
        for choice in range(body.get("n") or 1)
    ]


def completion_requests(body: Json, cancelled: Cancelled) -> list[CompletionRequest]:
    """What to ask an engine for a completion: once for each answer to each prompt.

    Raises:
        Refused: see `chat_requests`; a prompt is numbers of tokens.

    """
    count, prompts = body.get("n") or 1, _texts(body, "prompt")
    return [
        CompletionRequest(**_sampling(body, at * count + which, cancelled), prompt=prompt)
        for at, prompt in enumerate(prompts)
        for which in range(count)
    ]


def embed_request(body: Json, cancelled: Cancelled) -> EmbedRequest:
    """What to ask an engine for vectors.

    Raises:
        Refused: see `chat_requests`; an input is numbers of tokens.

    """
    dimensions = _of(body, "dimensions", int, "a number")
    if dimensions is not None and dimensions < 1:
        raise _wrong("dimensions", "at least 1")
    inputs = _texts(body, "input")
    return EmbedRequest(model=body["model"], inputs=inputs, dimensions=dimensions, raw=body, cancelled=cancelled)


def _sampling(body: Json, choice: int, cancelled: Cancelled) -> Json:
    caps = [cap for cap in (body.get("max_tokens"), body.get("max_completion_tokens")) if cap is not None]
    seed = _of(body, "seed", int, "a number")
    return {
        "model": body["model"],
        "max_tokens": min(caps, default=None),
        "temperature": body.get("temperature"),
        "top_p": body.get("top_p"),
        "stop": tuple(stop for stop in _texts(body, "stop") if stop),
        # Of a seed alone all `n` answers would be the same.
        "seed": None if seed is None else seed + choice,
        "choice": choice,
        "stream": bool(body.get("stream")),
        "raw": body,
        "cancelled": cancelled,
    }


def _of(body: Json, name: str, kind: type | UnionType, what: str) -> Any:
    given = body.get(name)
    if given is None or (isinstance(given, kind) and not isinstance(given, bool)):
        return given
    raise _wrong(name, what)


def _objects(body: Json, name: str) -> tuple[Json, ...]:
    given = () if (found := body.get(name)) is None else found
    if isinstance(given, Sequence) and all(isinstance(item, dict) for item in given):
        return tuple(given)
    raise _wrong(name, "a list of objects")


def _texts(body: Json, name: str) -> tuple[str, ...]:
    given = () if (found := body.get(name)) is None else found
    texts = [given] if isinstance(given, str) else given
    if isinstance(texts, Sequence) and all(isinstance(text, str) for text in texts):
        return tuple(texts)
    raise _wrong(name, "text or a list of texts (this model reads no numbers of tokens)")


def _wrong(name: str, what: str) -> Refused:
    return Refused(400, f"'{name}' must be {what}.", code="invalid_value", param=name)


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, Sequence) else ()
    texts = [part.get("text") for part in parts if isinstance(part, Mapping) and part.get("type") == "text"]
    return "".join(text for text in texts if isinstance(text, str))
