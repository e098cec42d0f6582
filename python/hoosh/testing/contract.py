"""What every engine owes its gateway, as tests: subclass `ProviderContract` in a test module, and pytest does the rest.

Each test asks the engine through a gateway in this process, as `hoosh serve` would, so that what passes here works there. A
failure says what is wrong and what to do about it, and has what the engine raised as its cause.
"""

import math
import time
import unittest
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

from hoosh.engines.protocol import Engine
from hoosh.errors import InvalidRequest
from hoosh.testing.asked import Asked, Heard, asked

REPEATED = {"temperature": 0, "seed": 7}
ODD = ("", " ", "\x00", "é", "👩‍👩‍👧‍👦 e\u0301 \u202e", "{}[]<|im_end|></s>", "word " * 200)
"""Texts that trip over habits: nothing, white space, a control character, characters of many bytes, a template's own marks."""
CONVERSATION: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "What time is it"}, {"type": "text", "text": " in Oslo?"}]},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "clock", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "12:30"},
    {"role": "assistant", "content": "It is half past twelve."},
    {"role": "user", "name": "ann", "content": "Thanks. And in Rome?"},
]
"""As SDKs send them."""
NEAR = 1e-3
"""Vectors of one text may differ by rounding, as batches of another size are summed in another order."""


class ProviderContract:
    """The tests of an engine. What is for a method that it does not have is skipped.

    Attributes:
        model: the name of a model that chats or completes.
        embedding_model: the name of one that gives vectors; None: `model`.
        question: what it can answer in more than a word.
        repeatable: whether it says the same again with `temperature` 0 and a `seed`.
        keeps_max_tokens: whether it ends at `max_tokens`.
        patience: seconds that one answer may take. Until then a caller who left must be let go, too.
        callers: how many ask at once.

    """

    model = "model"
    embedding_model: str | None = None
    question = "Tell me something, in a few sentences."
    repeatable = True
    keeps_max_tokens = True
    patience = 30
    callers = 4

    def engine(self) -> Engine:
        """A new engine."""
        raise NotImplementedError("write `def engine(self): return MyEngine()` in your subclass of ProviderContract")

    # --- what it says of itself

    def test_it_lists_its_models(self) -> None:
        """`models`, if it is there, lists those that these tests ask for."""
        with self._asked() as engine:
            listed = engine.models()
        if listed is None:
            raise unittest.SkipTest("it has no method `models`")
        names = [model.name for model in listed]
        for name in (self.model, self.embedding_model):
            claim(name is None or name in names, f"models() lists {names}, and not {name!r}: is the name the same?")

    def test_it_is_well(self) -> None:
        """`health`, if it is there, says so of an engine that was just made."""
        with self._asked() as engine:
            health = engine.health()
        if health is None:
            raise unittest.SkipTest("it has no method `health`")
        claim(health.ok, f"health() of a new engine says that it is not well: {health.words}")

    # --- what it answers

    def test_it_answers(self) -> None:
        """A question gets words, and a count of tokens."""
        with self._speaking() as engine:
            heard = self._ask(engine)
        claim(heard.said, "the answer has no words: yield str, such as `yield word`")
        tokens = heard.tokens or (0, 0)
        words = f"Usage says {tokens[0]} tokens in and {tokens[1]} out: count them, or yield no Usage, and hoosh counts"
        claim(min(tokens) > 0, words)

    def test_a_stream_says_what_a_whole_answer_says(self) -> None:
        """A stream has the words, and ends once, last."""
        with self._speaking("chat") as engine:
            stream, whole = engine.stream(self.question, **REPEATED), self._ask(engine)
        claim(stream.said, "the stream has no words")
        claim(len(stream.reasons) == 1 and stream.ended_last, "the stream does not end once, after its last word")
        if self.repeatable:
            words = (
                "a stream says something else than a whole answer, with temperature 0 and a seed: look at request.seed,"
            )
            claim(stream.said == whole.said, f"{words} or write `repeatable = False`")

    def test_it_keeps_to_max_tokens(self) -> None:
        """With `max_tokens=1` it says less, and that it was cut."""
        if not self.keeps_max_tokens:
            raise unittest.SkipTest("keeps_max_tokens is False")
        with self._speaking() as engine:
            whole, short = self._ask(engine), self._ask(engine, max_tokens=1)
        words = "with max_tokens=1 it says as much as without: stop at request.max_tokens, or write `keeps_max_tokens = False`"
        claim(len(short.said) < len(whole.said), words)
        claim(
            short.reasons == ("length",), f"what was cut at max_tokens ends with Finish('length'), not {short.reasons}"
        )

    def test_it_ends_at_a_stop_string(self) -> None:
        """An answer is cut there, and its generator closed; the engine must bear that."""
        with self._speaking() as engine:
            whole = self._ask(engine).text.strip()
            if not whole:
                raise unittest.SkipTest("it has no words to stop at")
            stop = whole[len(whole) // 2 :][:2]
            cut, again = self._ask(engine, stop=[stop]), self._ask(engine)
        claim(stop not in cut.text, f"the stop string {stop!r} is in the answer")
        claim(again.said, "after an answer that was cut at a stop string it has no words any more")

    def test_it_bears_odd_texts(self) -> None:
        """Odd texts are answered, or refused with a status of 4xx; and then it answers as before."""
        with self._speaking() as engine:
            for text in ODD:
                try:
                    engine.ask(text, max_tokens=8)
                except InvalidRequest:
                    continue
            claim(self._ask(engine).said, "after odd texts it has no words any more")

    def test_it_reads_a_whole_conversation(self) -> None:
        """Messages of every role, and contents that are lists of parts, or null, are answered, or refused with a status of 4xx."""
        with self._speaking("chat") as engine, suppress(InvalidRequest):
            heard = engine.ask_chat(CONVERSATION, max_tokens=8)
            claim(heard.said, "a conversation gets no words; request.texts has the role and the text of each message")

    def test_it_gives_vectors_in_order(self) -> None:
        """One vector for each text, in their order, of one length, the same for the same text."""
        texts = ["a cat sat on the mat", "profits fell in the third quarter", "a cat sat on the mat", "é👍"]
        with self._asked() as engine:
            if not engine.has("embed"):
                raise unittest.SkipTest("it has no method `embed`")
            first, other, same, _ = engine.embed(texts)
            (alone,) = engine.embed(texts[1:2])
        claim(near(first, same), "one text, twice in a request, gets two vectors")
        claim(not near(first, other), "texts that differ get one vector: are the inputs looked at?")
        claim(
            near(other, alone), "a text gets another vector in company than alone: are they in the order of the inputs?"
        )

    # --- whom it answers

    def test_it_lets_go_of_a_caller_that_leaves(self) -> None:
        """When a caller leaves, the work for it stops, and the next one is answered."""
        with self._speaking("chat") as engine:
            engine.stream(self.question, most=1)
            until = time.monotonic() + self.patience
            while engine.unwanted and time.monotonic() < until:
                time.sleep(0.01)
            words = (
                f"{self.patience} seconds after its caller left it still works: yield more often, `''` too, or look at"
            )
            claim(engine.unwanted == 0, f"{words} request.cancelled.is_set()")
            claim(self._ask(engine).said, "after a caller that left it has no words any more")

    def test_it_answers_several_at_once(self) -> None:
        """Callers at once get each their own answer, whole."""
        with self._speaking() as engine, ThreadPoolExecutor(self.callers) as threads:
            alone = self._ask(engine)
            answers = list(threads.map(lambda _: self._ask(engine), range(self.callers)))
        for answer in answers:
            claim(answer.said, "of several callers at once one got no words: is something shared by calls?")
            if self.repeatable:
                words = "asked by several at once it says something else than alone: guard what calls share, or write"
                claim(answer.said == alone.said, f"{words} `concurrency = 1` in its class")

    # --- the end

    def test_it_closes(self) -> None:
        """`close`, if it is there, ends it without an error, also where nothing was asked."""
        with self._asked() as engine:
            if not engine.has("close"):
                raise unittest.SkipTest("it has no method `close`")
            engine.close()

    def _asked(self) -> AbstractContextManager[Asked]:
        return asked(self.engine(), self.model, self.embedding_model or self.model, self.patience)

    @contextmanager
    def _speaking(self, *methods: str) -> Iterator[Asked]:
        """The same, of an engine that says words, by one of `methods` if they are named."""
        wanted = methods or ("chat", "complete")
        with self._asked() as engine:
            if not any(map(engine.has, wanted)):
                raise unittest.SkipTest(f"it has no method {' or '.join(f'`{method}`' for method in wanted)}")
            yield engine

    def _ask(self, engine: Asked, **fields: Any) -> Heard:
        return engine.ask(self.question, **REPEATED, **fields)


def claim(true: object, words: str) -> None:
    """Fail with `words` where it is not true, whatever a test runner makes of `assert`."""
    if not true:
        raise AssertionError(words)


def near(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two vectors are one, but for rounding."""
    length = math.sqrt(math.fsum(x * x for x in one)) or 1.0
    return len(one) == len(other) and math.dist(one, other) <= NEAR * length
