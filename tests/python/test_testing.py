"""`hoosh.testing.ProviderContract`: good engines pass it, and each kind of bad one is caught, with words that teach."""

import inspect
import itertools
import threading
import time
import unittest

import pytest
from tests.python.engines import AsyncParrot, Parrot

from hoosh.engines import Finish, Health, Model, Refused, ToolCall, Usage
from hoosh.testing import ProviderContract

WORDS = ["one", "two", "three", "four", "five", "six", "seven"]


class Speaker:
    """Says the same few words, as many as it may."""

    def models(self):
        return [Model(name="m", embeddings=True)]

    def health(self):
        return Health(True)

    def words(self, request):
        return WORDS

    def chat(self, request):
        for count, word in enumerate(self.words(request)):
            if count == request.max_tokens:
                yield Finish("length")
                break
            yield word + " "

    def embed(self, request):
        return [self.vector(text) for text in request.inputs]

    def vector(self, text):
        return [float(len(text)), float(sum(text.encode())), 1.0]

    def close(self):
        pass


class AsyncSpeaker(Speaker):
    async def chat(self, request):
        for piece in Speaker.chat(self, request):
            yield piece

    async def embed(self, request):
        return Speaker.embed(self, request)


class Completer:
    """Only continues texts."""

    def complete(self, request):
        return Speaker().chat(request)


class Embedder:
    """Only gives vectors."""

    embed = Speaker.embed
    vector = Speaker.vector


class Picky(Speaker):
    """Refuses what it does not like."""

    def chat(self, request):
        if not request.texts[-1][1].strip() or "\x00" in request.texts[-1][1]:
            raise Refused(400, "Say something.")
        return Speaker.chat(self, request)


class Caller(Speaker):
    """Calls a tool instead of speaking."""

    def chat(self, request):
        yield ToolCall(0, id="a", name="f", arguments='{"a":' + ("1" if request.max_tokens == 1 else "12345") + "}")
        if request.max_tokens == 1:
            yield Finish("length")


def verdicts(made, only="", **attributes):
    """What becomes of each test, or of one: None if it passed, `skipped`, or what it says."""
    attributes = {"model": "m", "patience": 5, **attributes}
    contract = type("TestMine", (ProviderContract,), {**attributes, "engine": lambda self: made()})
    found = {}
    for name, _ in inspect.getmembers(contract, inspect.isfunction):
        if name == f"test_{only}" or (not only and name.startswith("test_")):
            try:
                getattr(contract(), name)()
                found[name.removeprefix("test_")] = None
            except unittest.SkipTest:
                found[name.removeprefix("test_")] = "skipped"
            except AssertionError as error:
                found[name.removeprefix("test_")] = str(error)
    assert len(found) == (1 if only else 12)
    return found


@pytest.mark.parametrize(
    ("made", "skipped"),
    [
        (Speaker, 0),
        (AsyncSpeaker, 0),
        (Caller, 1),
        (Picky, 0),
        (Completer, 7),
        (Embedder, 11),
    ],
)
def test_good_engines_pass(made, skipped):
    found = verdicts(made)
    assert [words for words in found.values() if words not in (None, "skipped")] == []
    assert list(found.values()).count("skipped") == skipped


@pytest.mark.parametrize("made", [Parrot, AsyncParrot])
def test_what_an_engine_does_not_claim_is_not_asked(made):
    # It says again what it is told, also nothing and whatever is odd, and knows no cap.
    found = verdicts(made, keeps_max_tokens=False, embedding_model="e")
    assert [words for words in found.values() if words not in (None, "skipped")] == []


# --- the bad ones ------------------------------------------------------------------------------------------------------


class Renamed(Speaker):
    def models(self):
        return [Model(name="another")]


class Ill(Speaker):
    def health(self):
        return Health(False, "no device")


class Mute(Speaker):
    def words(self, request):
        return []


class Unsteady(Speaker):
    counter = itertools.count()

    def words(self, request):
        return [f"{next(self.counter)} is it", *WORDS]


class Endless(Speaker):
    def chat(self, request):
        yield from (word + " " for word in WORDS)


class CutInSilence(Speaker):
    def chat(self, request):
        yield from (word + " " for word in WORDS[: request.max_tokens])


class Free(Speaker):
    def chat(self, request):
        yield from Speaker.chat(self, request)
        yield Usage(5, 0)


class WrongType(Speaker):
    def chat(self, request):
        yield {"text": "a"}


class Raises(Speaker):
    def chat(self, request):
        yield "a"
        raise RuntimeError("canary")


class Delicate(Speaker):
    """Trips over an empty text."""

    def chat(self, request):
        if not request.texts[-1][1]:
            raise ValueError("canary")
        return Speaker.chat(self, request)


class Spoilt(Speaker):
    """Never recovers from a generator that was closed."""

    def __init__(self):
        self.ended = True

    def chat(self, request):
        if not self.ended:
            return
        self.ended = False
        for word in WORDS * 100:
            yield word + " "
        self.ended = True


class Deaf(Speaker):
    """Works on, though nobody listens."""

    def chat(self, request):
        yield "a "
        if not request.max_tokens and request.stream:
            time.sleep(3)
        yield "b "


class Shared(Speaker):
    """Keeps what belongs to one call for all."""

    def __init__(self):
        self.left = []

    def chat(self, request):
        self.left = list(WORDS[: request.max_tokens])
        while self.left:
            yield self.left.pop(0) + " "
            time.sleep(0.01)
        if request.max_tokens:
            yield Finish("length")


class Shuffled(Speaker):
    def embed(self, request):
        return [self.vector(text) for text in sorted(request.inputs)]


class Blind(Speaker):
    def vector(self, text):
        return [1.0, 2.0]


class Noisy(Speaker):
    counter = itertools.count()

    def vector(self, text):
        return [float(next(self.counter)), 1.0]


class Ragged(Speaker):
    def vector(self, text):
        return [1.0] * (1 + len(text))


class Nan(Speaker):
    def vector(self, text):
        return [float("nan")]


class Literal(Speaker):
    """Takes every content for a text."""

    def chat(self, request):
        return " ".join(message["content"] for message in request.messages)


class Stubborn(Speaker):
    def close(self):
        raise OSError("canary")


class Unlisted(Speaker):
    def models(self):
        return ["m"]


class Hangs(Speaker):
    def chat(self, request):
        threading.Event().wait(2)
        yield "late"


STREAM, CAP, STOP = "a_stream_says_what_a_whole_answer_says", "it_keeps_to_max_tokens", "it_ends_at_a_stop_string"
LEAVES, SEVERAL, VECTORS = (
    "it_lets_go_of_a_caller_that_leaves",
    "it_answers_several_at_once",
    "it_gives_vectors_in_order",
)
BAD = {
    Renamed: ("it_lists_its_models", "lists ['another'], and not 'm'"),
    Unlisted: ("it_lists_its_models", "not of str"),
    Ill: ("it_is_well", "no device"),
    Mute: ("it_answers", "has no words: yield str"),
    Unsteady: (STREAM, "look at request.seed"),
    Endless: (CAP, "stop at request.max_tokens"),
    CutInSilence: (CAP, "Finish('length')"),
    Free: ("it_answers", "Usage says 5 tokens in and 0 out"),
    WrongType: ("it_answers", "not of dict"),
    Raises: ("it_answers", "RuntimeError('canary')"),
    Delicate: ("it_bears_odd_texts", "ValueError('canary')"),
    Spoilt: (STOP, "has no words any more"),
    Literal: ("it_reads_a_whole_conversation", "TypeError"),
    Deaf: (LEAVES, "request.cancelled.is_set()"),
    Shared: (SEVERAL, "concurrency = 1"),
    Shuffled: (VECTORS, "two vectors"),
    Blind: (VECTORS, "texts that differ get one vector"),
    Noisy: (VECTORS, "two vectors"),
    Ragged: (VECTORS, "of one length"),
    Nan: (VECTORS, "is nan"),
    Stubborn: ("it_closes", "OSError('canary')"),
    Hangs: ("it_answers", "ProviderTimeout"),
    object: ("it_answers", "has a method `chat`"),
}


@pytest.mark.parametrize(("made", "where", "words"), [(made, *told) for made, told in BAD.items()])
def test_bad_engines_are_caught(made, where, words):
    found = verdicts(made, where, patience=1)
    assert words in (found[where] or "")


def test_an_engine_whose_calls_share_what_they_should_not_may_say_so():
    found = verdicts(type("OneAtATime", (Shared,), {"concurrency": 1}), SEVERAL)
    assert found[SEVERAL] is None


def test_a_contract_without_an_engine_says_how_to_write_one():
    with pytest.raises(NotImplementedError, match="def engine"):
        ProviderContract().test_it_answers()
