"""What an engine says, checked: it is foreign code, and the core trusts its driver's types.

Whatever is wrong is a `TypeError` or a `ValueError`, in words for the engine's author.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any, get_args

from hoosh.engines.delta import Delta, Finish, Logprob, Reason, Reasoning, Text, ToolCall, Usage
from hoosh.engines.model import Health, Model

REASONS = frozenset(get_args(Reason))
MOST_CALLS = 128
"""Tool calls of one answer; OpenAI takes as many tools."""
MOST_LOGPROBS = 256
"""Tokens told of with one piece of text, and likeliest in the place of one; OpenAI tells of 20."""
MOST_TOKENS = 1 << 40
"""More than anything can have used."""
KINDS = "str, Text, Reasoning, ToolCall, Finish or Usage"


class Judge:
    """Looks at each piece of one answer."""

    def __init__(self) -> None:
        self.finished = False
        self._calls: set[int] = set()

    def see(self, said: object) -> Delta:
        """A piece as the delta that it is.

        Raises:
            TypeError: it is none, or holds what it must not.
            ValueError: it makes no sense here.

        """
        delta = Text(said) if isinstance(said, str) else said
        if not isinstance(delta, Delta):
            raise TypeError(f"an answer is made of {KINDS}, not of {_kind(said)}")
        if self.finished and not isinstance(delta, Usage):
            raise ValueError(f"only Usage may follow Finish, not {type(delta).__name__}")
        match delta:
            case Text(text, logprobs):
                whole_text(text, "Text")
                _logprobs(logprobs, "logprobs of Text")
            case Reasoning(text):
                whole_text(text, "Reasoning")
            case ToolCall():
                self._call(delta)
            case Finish(reason):
                if not isinstance(reason, str) or reason not in REASONS:
                    raise ValueError(f"Finish has a reason of {', '.join(sorted(REASONS))}, not {reason!r}")
                self.finished = True
            case Usage(input_tokens, output_tokens):
                _count(input_tokens, "input_tokens")
                _count(output_tokens, "output_tokens")
        return delta

    @property
    def implied(self) -> Finish:
        """How an answer ends that says nothing of it."""
        return Finish("tool_calls" if self._calls else "stop")

    def begins(self, call: ToolCall) -> bool:
        """Whether this is the first piece of its call; asked once, before `see`."""
        return call.index not in self._calls

    def _call(self, call: ToolCall) -> None:
        if type(call.index) is not int or not 0 <= call.index < MOST_CALLS:
            raise ValueError(f"the index of a ToolCall is from 0 to {MOST_CALLS - 1}, not {call.index!r}")
        for what in ("id", "name"):
            if (given := getattr(call, what)) is not None:
                whole_text(given, f"the {what} of a ToolCall")
        whole_text(call.arguments, "arguments of a ToolCall (JSON text: json.dumps)")
        if call.index not in self._calls and not call.name:
            raise ValueError(f"the first piece of ToolCall {call.index} has its name")
        self._calls.add(call.index)


def whole_text(text: object, what: str) -> str:
    """Text that can be written.

    Raises:
        TypeError: it is no `str`.
        ValueError: it holds half of a surrogate pair.

    """
    if not isinstance(text, str):
        raise TypeError(f"{what} is a str, not {_kind(text)}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        words = f"{what} holds half of a surrogate pair ({text[error.start]!r}): decode bytes with a decoder that waits"
        raise ValueError(f"{words} for whole characters, such as codecs.getincrementaldecoder('utf-8')()") from None
    return text


def vectors(given: object, inputs: int, dimensions: int | None) -> list[list[float]]:
    """The vectors for so many inputs.

    Raises:
        TypeError: they are no lists of numbers.
        ValueError: they are too few or too many, not of one length, empty, or not finite.

    """
    rows = _listed(given, "embed")
    if len(rows) != inputs:
        raise ValueError(f"embed gives a vector for each input: {inputs}, not {len(rows)}")
    made = [_vector(_listed(row, "each vector of embed")) for row in rows]
    lengths = sorted({len(vector) for vector in made})
    if len(lengths) > 1 or lengths == [0]:
        raise ValueError(f"the vectors of embed are of one length, and not empty; these are of {lengths}")
    if dimensions is not None and lengths and lengths != [dimensions]:
        raise ValueError(f"{dimensions} dimensions were asked for, and embed gave {lengths[0]}")
    return made


def models(given: object) -> list[Model]:
    """What an engine lists.

    Raises:
        TypeError: it is no list of `Model`.
        ValueError: a name is empty, or there twice.

    """
    listed: list[Model] = []
    for model in given if isinstance(given, Sequence) and not isinstance(given, str) else [given]:
        if not isinstance(model, Model):
            raise TypeError(f"models gives a list of hoosh.engines.Model, not of {_kind(model)}")
        if not whole_text(model.name, "the name of a Model"):
            raise ValueError("the name of a Model is empty")
        _check_fields(model)
        listed.append(model)
    names = [model.name for model in listed]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"models lists {twice[0]!r} twice")
    return listed


def _check_fields(model: Model) -> None:
    for field in fields(model):
        given, kind = getattr(model, field.name), field.type
        if kind is bool and type(given) is not bool:
            raise TypeError(f"{field.name} of Model {model.name!r} is True or False, not {given!r}")
        if kind == int | None and given is not None and (type(given) is not int or not 0 <= given < MOST_TOKENS):
            raise TypeError(f"{field.name} of Model {model.name!r} is a number or None, not {given!r}")
        if kind == str | None and given is not None:
            whole_text(given, f"{field.name} of Model {model.name!r}")


def health(given: object) -> Health:
    """How an engine says that it is.

    Raises:
        TypeError: it says nothing of the kind.

    """
    if not isinstance(given, Health) or not isinstance(given.ok, bool):
        raise TypeError(f"health gives a hoosh.engines.Health(ok: bool, words: str), not {_kind(given)}")
    return given


def _logprobs(given: object, what: str) -> None:
    if not isinstance(given, tuple) or not all(isinstance(one, Logprob) for one in given):
        raise TypeError(f"{what} are a tuple of Logprob, not {_kind(given)}")
    if len(given) > MOST_LOGPROBS:
        raise ValueError(f"{what} are at most {MOST_LOGPROBS}, not {len(given)}")
    for one in given:
        whole_text(one.token, "the token of a Logprob")
        if one.raw is not None and not isinstance(one.raw, bytes):
            raise TypeError(f"raw of a Logprob is bytes or None, not {_kind(one.raw)}")
        if not isinstance(one.logprob, float | int) or not math.isfinite(one.logprob) or one.logprob > 0:
            raise ValueError(f"the logprob of a Logprob is a finite number, 0 at most, not {one.logprob!r}")
        if one.top:
            _logprobs(one.top, "top of a Logprob")
            if any(likely.top for likely in one.top):
                raise ValueError("what is in top of a Logprob has no top of its own")


def _count(tokens: object, what: str) -> None:
    if type(tokens) is not int or not 0 <= tokens < MOST_TOKENS:
        raise ValueError(f"{what} of Usage is a number of tokens, from 0 on, not {tokens!r}")


def _listed(given: Any, what: str) -> list[Any]:
    # An array's own way is many times faster, and gives Python's numbers.
    if callable(tolist := getattr(given, "tolist", None)):
        given = tolist()
    if not isinstance(given, Iterable) or isinstance(given, str | bytes | dict):
        raise TypeError(f"{what} is a list, not {_kind(given)}")
    return list(given)


def _vector(numbers: list[Any]) -> list[float]:
    try:
        vector = [float(number) for number in numbers if not isinstance(number, str)]
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"a vector is made of numbers: {error}") from error
    if len(vector) != len(numbers):
        raise TypeError("a vector is made of numbers, not of str")
    for at, number in enumerate(vector):
        if not math.isfinite(number) or abs(number) > 3.4e38:
            raise ValueError(f"number {at} of a vector is {number}; each is finite, and fits 32 bits")
    return vector


def _kind(given: object) -> str:
    return type(given).__name__
