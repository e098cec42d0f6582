"""What a request may say to llama.cpp. What would change the answer and cannot be done is refused, never ignored.

The names, the ranges and what holds where nothing is said are those of the models that hoosh computes itself
(`native/candle/src/request`), so that one request means the same to both.
"""

import math
import secrets
from dataclasses import dataclass
from typing import Any

from hoosh.engines.refused import Refused
from hoosh.engines.request import ChatRequest, CompletionRequest

SAMPLING = frozenset(
    [
        "frequency_penalty",
        "max_completion_tokens",
        "max_tokens",
        "min_p",
        "n",
        "presence_penalty",
        "repetition_penalty",
        "seed",
        "stop",
        "temperature",
        "top_k",
        "top_p",
    ]
)
"""What both endpoints know."""
IN_CHAT = frozenset(
    ["messages", "response_format", "tool_choice", "tools", "parallel_tool_calls", "logprobs", "top_logprobs"]
)
IN_COMPLETIONS = frozenset(["prompt", "best_of", "echo", "suffix", "logprobs"])
WITHOUT_EFFECT = frozenset(
    [
        "metadata",
        "model",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "user",
    ]
)
"""What says nothing about the answer itself: who asks, how it is sent, where it is kept."""
UNLESS = {
    "echo": (False, "is not supported: answers do not repeat their prompt"),
    "suffix": ("", "is not supported: text is only continued, not filled in"),
}
"""What is known with one value alone."""
MOST_LIKELY = 20
"""OpenAI's bound."""
MOST_SEED = 0xFFFFFFFE
"""llama.cpp's seeds have 32 bits, of which all set ask for a random one."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen, in the words of `Llama.generate`."""

    temp: float
    top_p: float
    top_k: int
    min_p: float
    frequency_penalty: float
    presence_penalty: float
    repeat_penalty: float


def check(request: ChatRequest | CompletionRequest) -> None:
    """All that it says can be done.

    Raises:
        Refused: something cannot.

    """
    own = IN_CHAT if isinstance(request, ChatRequest) else IN_COMPLETIONS
    for name, value in request.raw.items():
        if value is None or name in WITHOUT_EFFECT:
            continue
        if name not in SAMPLING | own:
            raise wrong(name, "is not supported by this engine; leave it out", "unsupported_parameter")
        if name in UNLESS and value != UNLESS[name][0]:
            raise wrong(name, UNLESS[name][1], "unsupported_value")
    if request.raw.get("best_of") not in (None, request.raw.get("n") or 1):
        raise wrong("best_of", "must equal `n`: answers are not ranked", "unsupported_value")


def sampling(request: ChatRequest | CompletionRequest) -> Sampling:
    """How it wants its tokens chosen.

    Raises:
        Refused: a number is none, or out of range.

    """
    top_k = _number(request.raw, "top_k", -1, 1 << 31, 0)
    return Sampling(
        temp=_number(request.raw, "temperature", 0.0, 2.0, 1.0),
        top_p=_number(request.raw, "top_p", 0.0, 1.0, 1.0),
        # -1 means no limit to vLLM, 0 to llama.cpp.
        top_k=max(0, int(top_k)),
        min_p=_number(request.raw, "min_p", 0.0, 1.0, 0.0),
        frequency_penalty=_number(request.raw, "frequency_penalty", -2.0, 2.0, 0.0),
        presence_penalty=_number(request.raw, "presence_penalty", -2.0, 2.0, 0.0),
        repeat_penalty=_number(request.raw, "repetition_penalty", 0.01, 10.0, 1.0),
    )


def logprobs(request: ChatRequest | CompletionRequest) -> int | None:
    """Of how many likeliest tokens it wants to know in the place of each; None: it wants to know nothing of the kind.

    Raises:
        Refused: the number is none, or out of range.

    """
    name = "top_logprobs" if isinstance(request, ChatRequest) else "logprobs"
    wanted = request.raw.get("logprobs") if isinstance(request, ChatRequest) else request.raw.get(name) is not None
    if wanted not in (None, True, False):
        raise wrong("logprobs", "must be true or false", "invalid_type")
    top = _number(request.raw, name, 0, MOST_LIKELY, 0)
    if top and not wanted:
        raise wrong(name, "needs `logprobs` to be true")
    return int(top) if wanted else None


def seed(request: ChatRequest | CompletionRequest) -> int:
    """For a repeatable answer; where none is given, one that nobody had."""
    return secrets.randbelow(MOST_SEED) if request.seed is None else request.seed % MOST_SEED


def wrong(name: str, words: str, code: str = "invalid_value") -> Refused:
    """A refusal of the field `name`."""
    return Refused(400, f"'{name}' {words}.", code=code, param=name)


def _number(raw: dict[str, Any], name: str, least: float, most: float, usual: float) -> float:
    given = raw.get(name)
    if given is None:
        return usual
    if not isinstance(given, int | float) or isinstance(given, bool) or not math.isfinite(given):
        raise wrong(name, "must be a number", "invalid_type")
    if not least <= given <= most:
        raise wrong(name, f"must be from {least:g} to {most:g}", "out_of_range")
    return given
