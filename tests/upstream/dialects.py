"""Which dialect a request is in, by its path. OpenAI's own paths without `responses` are `answers`' own."""

from collections.abc import Callable

from . import anthropic
from .answers import Answer, Refusal

Answers = Callable[[str, str, dict[str, str], bytes], Answer]
"""Method, target from the dialect's own prefix on, headers in lower case, body."""

_PREFIXES: list[tuple[str, Answers]] = [
    ("/v1/messages", anthropic.answer),
]


def answer(method: str, target: str, headers: list[tuple[str, str]], body: bytes) -> Answer | None:
    """The answer in the dialect of `target`; None where that is none of these."""
    for prefix, answers in _PREFIXES:
        at = target.find(prefix)
        if at >= 0:
            try:
                return answers(method, target[at:], dict(headers), body)
            except Refusal as refusal:
                return refusal.answer
    return None
