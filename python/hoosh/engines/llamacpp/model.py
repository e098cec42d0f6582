"""One GGUF file in llama.cpp: its sequences, each with a context of its own, lent to one request at a time."""

import ctypes
import queue
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import llama_cpp
import llama_cpp.llama_cpp as library
import numpy

from hoosh.engines.delta import Logprob
from hoosh.engines.llamacpp.fields import Sampling
from hoosh.engines.request import Cancelled

TEMPLATE = "chat_template.default"
"""llama-cpp-python's name of the template in a file."""
USUAL_CONTEXT = 8192
"""Tokens where nobody says how many: what models were made for would often take more memory than there is."""
BATCH = 512
"""Tokens of a prompt computed at once; between two batches it is looked whether anybody still waits."""
SCALE = 1000
"""llama.cpp tells of loading as a part of one; a bar wants whole numbers."""
LONGEST_PIECE = 64
"""Bytes of one token's text; where there are more, it is asked again."""
LEAST = -9999.0
"""The logarithm of the probability of what cannot be, as OpenAI has it."""
POOLING = {None: "UNSPECIFIED", "mean": "MEAN", "cls": "CLS", "last": "LAST"}

_making = threading.Lock()
"""Held while a model is made: how it tells of its progress is set for the whole library."""


class Left(Exception):
    """Nobody waits for the answer any more."""


@dataclass(frozen=True, slots=True)
class Options:
    """How models are computed; `provider.LlamaCpp` has the words."""

    context_tokens: int | None
    gpu_layers: int
    threads: int
    max_sequences: int
    embeddings: bool
    pooling: str | None
    chat_format: str | None
    tools: bool


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a model once it is in memory."""

    context: int
    quantization: str


class Sequence:
    """A model and a context in llama.cpp, for one request at a time."""

    def __init__(self, path: str, options: Options, progress: Callable[[int, int], None] | None) -> None:
        """Load it.

        Raises:
            Exception: llama.cpp does not load the file.

        """
        context = min(options.context_tokens or USUAL_CONTEXT, _trained(path))
        # A text that wants one vector is computed at once: models of vectors look at all of it from each place.
        batch = context if options.embeddings else min(BATCH, context)
        with _making, _told(progress):
            self.llama = llama_cpp.Llama(
                path,
                n_gpu_layers=options.gpu_layers,
                n_ctx=context,
                n_batch=batch,
                n_ubatch=batch,
                n_threads=options.threads,
                n_threads_batch=options.threads,
                embedding=options.embeddings,
                pooling_type=getattr(llama_cpp, f"LLAMA_POOLING_TYPE_{POOLING[options.pooling]}"),
                chat_format=options.chat_format or TEMPLATE,
                verbose=False,
            )
        self.cancelled = Cancelled()
        """That of the request which it is lent to."""
        self._eval, self.llama.eval = self.llama.eval, self._eval_in_batches

    def known(self) -> Known:
        """What is known of the model."""
        words = ctypes.create_string_buffer(256)
        llama_cpp.llama_model_desc(self.llama._model.model, words, len(words))
        # Such as "llama 1B Q4_K - Medium": the architecture, its size, and how weights are stored.
        stored = words.value.decode(errors="replace").split(" ", 2)[-1].removeprefix("all ")
        return Known(self.llama.n_ctx(), re.sub(r" - (\w)\w*", r"_\1", stored))

    def tokens(self, prompt: list[int], sampling: Sampling, seed: int, grammar: Any) -> Iterator[int]:
        """What the model says after `prompt`, without an end.

        Raises:
            Left: nobody waits any more.

        """
        self.llama.set_seed(seed)
        return self.llama.generate(prompt, grammar=grammar, **asdict(sampling))  # type: ignore[no-any-return]

    def ends(self, token: int) -> bool:
        """Whether an answer ends with this token."""
        return bool(llama_cpp.llama_vocab_is_eog(self.llama._model.vocab, token))

    def piece(self, token: int) -> bytes:
        """A token's text; a part of a character may be all of it."""
        # Not `Llama.detokenize`, which loses tokens of more than 32 bytes.
        vocabulary, size = self.llama._model.vocab, LONGEST_PIECE
        while True:
            buffer = ctypes.create_string_buffer(size)
            length: int = llama_cpp.llama_token_to_piece(vocabulary, token, buffer, size, 0, False)
            if length >= 0:
                return buffer.raw[:length]
            size = -length

    def likely(self, token: int, top: int) -> Logprob:
        """How likely the token was that was chosen last, to the model alone: before anything was held against it."""
        pointer = llama_cpp.llama_get_logits_ith(self.llama.ctx, -1)
        logits = numpy.ctypeslib.as_array(pointer, shape=(self.llama.n_vocab(),)).astype(numpy.float64)
        logits -= logits.max()
        logits -= numpy.log(numpy.exp(logits).sum())
        top = min(top, len(logits) - 1)
        order = sorted(numpy.argpartition(-logits, top)[:top], key=lambda one: (-logits[one], one)) if top else ()
        return self._told(token, logits, tuple(self._told(int(one), logits) for one in order))

    def _told(self, token: int, logprobs: Any, top: tuple[Logprob, ...] = ()) -> Logprob:
        piece = self.piece(token)
        # One that cannot be has minus infinity, which no JSON has.
        return Logprob(piece.decode(errors="replace"), max(float(logprobs[token]), LEAST), piece, top)

    def _eval_in_batches(self, tokens: list[int]) -> None:
        for start in range(0, len(tokens), BATCH):
            if self.cancelled.is_set():
                raise Left
            self._eval(tokens[start : start + BATCH])


class Resident:
    """A file, and what of it is in memory."""

    def __init__(self, path: str, options: Options) -> None:
        self._path, self._options = path, options
        self._free: queue.LifoQueue[Sequence] = queue.LifoQueue()
        self._change = threading.Lock()
        self._made = 0
        self.known: Known | None = None
        """Where it is in memory."""

    def load(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Have it in memory, for one request at least.

        Raises:
            RuntimeError: llama.cpp does not load it.

        """
        with self._change:
            if self._made == 0:
                self._add(progress)

    def unload(self) -> None:
        """Let its memory go, once its requests are over."""
        with self._change:
            for _ in range(self._made):
                self._free.get().llama.close()
            self._made, self.known = 0, None

    @contextmanager
    def sequence(self, cancelled: Cancelled) -> Iterator[Sequence]:
        """A sequence of its own, once one is free.

        Raises:
            RuntimeError: llama.cpp does not load it.
            Left: nobody waits any more.

        """
        sequence = self._take(cancelled)
        sequence.cancelled = cancelled
        try:
            yield sequence
        finally:
            self._free.put(sequence)

    def _take(self, cancelled: Cancelled) -> Sequence:
        while not cancelled.is_set():
            with self._change:
                if self._made == 0 or (self._free.empty() and self._made < self._options.max_sequences):
                    self._add(None)
            try:
                return self._free.get(timeout=0.1)
            except queue.Empty:
                continue
        raise Left

    def _add(self, progress: Callable[[int, int], None] | None) -> None:
        try:
            sequence = Sequence(self._path, self._options, progress)
        except Exception as error:
            raise RuntimeError(f"llama.cpp does not load {self._path}: {error}") from error
        self._made += 1
        self.known = self.known or sequence.known()
        self._free.put(sequence)


def _trained(path: str) -> int:
    """Tokens that a model was made for."""
    params = llama_cpp.llama_model_default_params()
    params.vocab_only = True  # which leaves `llama_model_n_ctx_train` at 0
    model = llama_cpp.llama_model_load_from_file(path.encode(), params)
    if not model:
        raise ValueError("it is no model that this llama.cpp knows, or damaged")
    try:
        architecture = _metadata(model, "general.architecture")
        return int(_metadata(model, f"{architecture}.context_length") or USUAL_CONTEXT)
    finally:
        llama_cpp.llama_model_free(model)


def _metadata(model: Any, key: str) -> str:
    words = ctypes.create_string_buffer(256)
    llama_cpp.llama_model_meta_val_str(model, key.encode(), words, len(words))
    return words.value.decode(errors="replace")


@contextmanager
def _told(progress: Callable[[int, int], None] | None) -> Iterator[None]:
    """Have `progress` told how far the model that is made meanwhile is. `Llama` has no argument for that."""
    if progress is None:
        yield
        return
    usual = library.llama_model_default_params

    def tell(part: float, _: Any) -> bool:
        progress(round(part * SCALE), SCALE)
        return True

    told = library.llama_progress_callback(tell)

    def with_progress() -> Any:
        params = usual()
        params.progress_callback = told
        return params

    library.llama_model_default_params = with_progress
    try:
        yield
    finally:
        library.llama_model_default_params = usual
