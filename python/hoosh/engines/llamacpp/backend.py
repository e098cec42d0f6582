"""Models of llama.cpp, asked in their own process (`hoosh.engines.host.child`). An engine of the contract, with plain methods."""

import json
from collections.abc import Iterator
from typing import Any

import llama_cpp
from llama_cpp import llama_grammar

from hoosh.engines.delta import Delta
from hoosh.engines.llamacpp import fields, prompt, schema, tools
from hoosh.engines.llamacpp.answer import answer, too_long
from hoosh.engines.llamacpp.described import described
from hoosh.engines.llamacpp.model import Left, Options, Resident, Sequence
from hoosh.engines.model import Model, Progress
from hoosh.engines.refused import Refused
from hoosh.engines.request import ChatRequest, CompletionRequest, EmbedRequest, Json


class Backend:
    """The models of one provider."""

    def __init__(self, *, files: dict[str, str], options: Json) -> None:
        self._files, self._options = files, options
        self._models = {name: Resident(path, Options(**options)) for name, path in files.items()}

    def models(self) -> list[Model]:
        """Those of the files, with what is known of those in memory."""
        known = {name: model.known for name, model in self._models.items()}
        return [described(name, path, self._options, known[name]) for name, path in self._files.items()]

    def load(self, model: str, progress: Progress) -> None:
        """Bring a model into memory."""
        self._models[model].load(progress)

    def unload(self, model: str) -> None:
        """Let its memory go."""
        self._models[model].unload()

    def chat(self, request: ChatRequest) -> Iterator[Delta]:
        """Answer a chat."""
        fields.check(request)
        with self._models[request.model].sequence(request.cancelled) as sequence:
            offered = tools.of_request(request)
            if offered.offered and not self._options["tools"]:
                raise fields.wrong("tools", "are not supported by this model", "unsupported_value")
            given = prompt.of_chat(sequence.llama, request, offered)
            if offered.demanded is not None:
                grammar = _grammar(sequence, offered.demanded, "tools")
                yield from tools.demanded(answer(sequence, given, request, grammar))
            else:
                form = _form(request.response_format)
                said = answer(sequence, given, request, form and _grammar(sequence, form, "response_format"))
                yield from tools.found(said) if offered.offered else said

    def complete(self, request: CompletionRequest) -> Iterator[Delta]:
        """Go on with a text."""
        fields.check(request)
        with self._models[request.model].sequence(request.cancelled) as sequence:
            given = prompt.Prompt(prompt.of_text(sequence.llama, request.prompt))
            yield from answer(sequence, given, request, None)

    def embed(self, request: EmbedRequest) -> Iterator[list[float]]:
        """Give a vector of length one for each text."""
        with self._models[request.model].sequence(request.cancelled) as sequence:
            llama = sequence.llama
            if llama.pooling_type() == llama_cpp.LLAMA_POOLING_TYPE_NONE:
                words = "This model has a vector for each token and none for a text. Its provider's options can name a way: pooling."
                raise Refused(400, words, code="unsupported_value", param="model")
            if request.dimensions not in (None, llama.n_embd()):
                words = f"can only be {llama.n_embd()}, as this model has it"
                raise fields.wrong("dimensions", words, "unsupported_value")
            texts = [
                text.encode(errors="replace").decode() for text in request.inputs
            ]  # half of a surrogate pair is none
            counts = [len(llama.tokenize(text.encode())) for text in texts]
            if (longest := max(counts, default=0)) > llama.n_batch:
                raise too_long(longest, llama.n_batch, "input")
            for text in texts:
                if request.cancelled.is_set():
                    raise Left
                yield llama.embed(text, normalize=True, truncate=False)


def _form(wanted: Json | None) -> Json | None:
    """The schema that an answer is to keep to, if any.

    Raises:
        Refused: it cannot.

    """
    match wanted:
        case None | {"type": "text"}:
            return None
        case {"type": "json_object"}:
            return {"type": "object"}
        case {"type": "json_schema", "json_schema": {"schema": given}}:
            return schema.checked(given)
    raise fields.wrong("response_format", "must be of type `text`, `json_object` or `json_schema`")


def _grammar(sequence: Sequence, form: Json, field: str) -> Any:
    """What holds an answer to a schema that is in `field`.

    Raises:
        Refused: nothing does.

    """
    try:
        grammar = llama_grammar.LlamaGrammar.from_json_schema(json.dumps(form), verbose=False)
    except Exception as error:  # a converter of another's
        raise fields.wrong(field, f"has a schema that cannot be kept: {error!r}", "unsupported_value") from error
    if not _parses(sequence, grammar):
        raise fields.wrong(field, "has a schema too large to be kept", "unsupported_value")
    return grammar


def _parses(sequence: Sequence, grammar: Any) -> bool:
    """Whether llama.cpp takes a grammar: with one that it does not take, the process would crash."""
    words = grammar._grammar.encode(), grammar._root.encode()
    made = llama_cpp.llama_sampler_init_grammar(sequence.llama._model.vocab, *words)
    if made:
        llama_cpp.llama_sampler_free(made)
    return bool(made)
