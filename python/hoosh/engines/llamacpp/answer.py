"""One answer of a model, token by token: in whole characters, without its stop strings, counted exactly."""

import codecs
from collections import deque
from collections.abc import Iterator
from typing import Any

from hoosh.engines.delta import Delta, Finish, Logprob, Text, Usage
from hoosh.engines.llamacpp import fields
from hoosh.engines.llamacpp.model import Left, Sequence
from hoosh.engines.llamacpp.prompt import Prompt
from hoosh.engines.refused import Refused
from hoosh.engines.request import ChatRequest, CompletionRequest
from hoosh.engines.stops import Stops


def answer(
    sequence: Sequence, given: Prompt, request: ChatRequest | CompletionRequest, grammar: Any
) -> Iterator[Delta]:
    """What the model says after a prompt.

    Raises:
        Refused: the prompt is too long, or a field is none.
        Left: nobody waits any more.

    """
    room = sequence.llama.n_ctx() - len(given.tokens)
    if room < 1:
        name = "messages" if isinstance(request, ChatRequest) else "prompt"
        raise too_long(len(given.tokens), sequence.llama.n_ctx() - 1, name)
    if not given.tokens:
        raise fields.wrong("prompt", "is empty, and this model has no token that begins a text")
    most, sampling, top = min(room, request.max_tokens or room), fields.sampling(request), fields.logprobs(request)
    writer, count, finish = Writer((*given.stops, *request.stop)), 0, Finish("stop")
    for token in sequence.tokens(given.tokens, sampling, fields.seed(request), grammar):
        if request.cancelled.is_set():
            raise Left
        count += 1  # one that ends the answer too: it was computed
        if sequence.ends(token):
            break
        yield from writer.take(sequence.piece(token), None if top is None else sequence.likely(token, top))
        if writer.stopped:
            break
        if count == most:
            finish = Finish("length")
            break
    yield from writer.rest()
    yield finish
    yield Usage(len(given.tokens), count)


def too_long(tokens: int, most: int, name: str) -> Refused:
    """A refusal of more tokens than the model takes."""
    words = f"'{name}' is {tokens} tokens long; this model takes {most}."
    return Refused(400, words, code="context_length_exceeded", param=name)


class Writer:
    """Text out of tokens, and of each that is whole in it how likely it was."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._decoder, self._stops = codecs.getincrementaldecoder("utf-8")("replace"), Stops(stops)
        self._decoded = self._given = 0
        """Characters that were taken, and that were given."""
        self._told: deque[tuple[int, Logprob]] = deque()
        """Tokens that were not told yet, each with the number of characters at its end."""
        self.stopped = False
        """Whether a stop string came, which ends the answer."""

    def take(self, piece: bytes, logprob: Logprob | None) -> Iterator[Text]:
        """What can be said now that a token came."""
        text = self._decoder.decode(piece)
        self._decoded += len(text)
        if logprob is not None:
            self._told.append((self._decoded, logprob))
        said, self.stopped = self._stops.see(text)
        return self._give(said)

    def rest(self) -> Iterator[Text]:
        """What was held back for a stop string that did not come. A part of a character is not said."""
        return iter(()) if self.stopped else self._give(self._stops.rest())

    def _give(self, said: str) -> Iterator[Text]:
        self._given += len(said)
        told = []
        while self._told and self._told[0][0] <= self._given:
            told.append(self._told.popleft()[1])
        if said or told:
            yield Text(said, tuple(told))
