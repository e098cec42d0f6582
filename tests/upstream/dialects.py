"""Which dialect a request is in, by its path. OpenAI's own paths are `answers`' own, unless the upstream is strict."""

import traceback
from collections.abc import Callable

from . import anthropic, chat, completions, gemini, ollama
from .answers import Answer, Refusal, error
from .responses import Responses

Answers = Callable[[str, str, dict[str, str], bytes], Answer]
"""Method, target from the dialect's own prefix on, headers in lower case, body."""


class Dialects:
    """All that an upstream speaks beside OpenAI's chat, and that strictly if it is to be."""

    def __init__(self, *, strict: bool) -> None:
        self._prefixes: list[tuple[str, Answers]] = [
            ("/v1/messages", anthropic.answer),
            ("/v1/responses", Responses().answer),
            ("/v1beta/models/", gemini.answer),
            ("/v1/models/", gemini.answer),
            *[(path, ollama.answer) for path in ("/api/chat", "/api/generate", "/api/embed")],
        ]
        if strict:
            self._prefixes += [("/v1/chat/completions", chat.answer), ("/v1/completions", completions.answer)]

    def answer(self, method: str, target: str, headers: list[tuple[str, str]], body: bytes) -> Answer | None:
        """The answer in the dialect of `target`; None where that is none of these."""
        for prefix, answers in self._prefixes:
            at = target.find(prefix)
            # A name of one of OpenAI's models has no verb behind it.
            if at >= 0 and (
                answers is not gemini.answer or (":" in target[at:].partition("?")[0] and method == "POST")
            ):
                try:
                    return answers(method, target[at:], dict(headers), body)
                except Refusal as refusal:
                    return refusal.answer
                except Exception as fault:
                    # A fault of the fake's own: the test that met it fails, and not all after it.
                    traceback.print_exc()
                    return error(500, f"fake upstream: {fault!r}", None)
        return None
