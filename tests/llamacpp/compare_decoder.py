"""Holds the decoder against llama.cpp, token for token, on models with random weights.

    .llamacpp/bin/python tests/llamacpp/compare_decoder.py target/debug/examples

needs llama-cpp-python, and the examples `greedy` and `random_model` built (with the feature `examples`). Both continue the same tokens greedily. Where they
part, the gap between the two tokens in llama.cpp's own logits says whether rounding decided: both round activations to
eight bits, block by block, and add in orders of their own.
"""

import ctypes
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import llama_cpp
import numpy

ARCHITECTURES = ["llama", "qwen2", "qwen3", "phi3", "gemma", "gemma2", "gemma3"]
KINDS = ["f32", "f16", "q8_0", "q4_0", "q4k", "q6k"]
PROMPT = [72, 101, 108, 108, 111, 44, 32, 119, 111, 114, 108, 100, 33]
COUNT = 48


class Llama:
    """A model in llama.cpp, with keys and values in 32 bits as here."""

    def __init__(self, path: Path) -> None:
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), llama_cpp.llama_model_default_params())
        if not self.model:
            raise RuntimeError(f"llama.cpp does not load {path}")
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = 512
        params.n_threads = params.n_threads_batch = 1
        params.type_k = params.type_v = llama_cpp.GGML_TYPE_F32
        self.context = llama_cpp.llama_init_from_model(self.model, params)
        self.size = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))

    def step(self, tokens: list[int]) -> numpy.ndarray:
        array = (ctypes.c_int32 * len(tokens))(*tokens)
        batch = llama_cpp.llama_batch_get_one(array, len(tokens))
        if llama_cpp.llama_decode(self.context, batch) != 0:
            raise RuntimeError("llama.cpp could not go on")
        logits = llama_cpp.llama_get_logits_ith(self.context, -1)
        return numpy.ctypeslib.as_array(logits, shape=(self.size,)).copy()

    def close(self) -> None:
        llama_cpp.llama_free(self.context)
        llama_cpp.llama_model_free(self.model)


def ours(examples: Path, model: Path) -> Iterator[dict]:
    tokens = ",".join(map(str, PROMPT))
    command = [examples / "greedy", model, tokens, str(COUNT)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return map(json.loads, output.splitlines())


def compare(examples: Path, model: Path) -> str:
    llama = Llama(model)
    worst = 0.0
    tokens = PROMPT
    try:
        for index, line in enumerate(ours(examples, model)):
            logits = llama.step(tokens)
            spread = float(logits.max() - logits.min())
            worst = max(worst, *(abs(float(logits[token]) - logit) / spread for token, logit in line["top"]))
            theirs = int(logits.argmax())
            if theirs != line["token"]:
                gap = float(logits[theirs] - logits[line["token"]]) / spread
                return f"parts at token {index}, by {gap:.2e} of the spread; logits differ by {worst:.2e} of it"
            tokens = [line["token"]]
    finally:
        llama.close()
    return f"{COUNT} tokens equal; logits differ by {worst:.2e} of their spread at most"


def main() -> None:
    examples = Path(sys.argv[1])
    llama_cpp.llama_backend_init()
    # Kept in a variable, or it is freed while llama.cpp holds it.
    quiet = llama_cpp.llama_log_callback(lambda level, text, data: None)
    llama_cpp.llama_log_set(quiet, None)
    with tempfile.TemporaryDirectory() as folder:
        for architecture in ARCHITECTURES:
            for kind in KINDS:
                model = Path(folder) / f"{architecture}-{kind}.gguf"
                subprocess.run([examples / "random_model", model, architecture, kind], check=True)
                try:
                    result = compare(examples, model)
                except RuntimeError as error:
                    result = str(error)
                print(f"{architecture:8} {kind:5} {result}", flush=True)
                model.unlink()


if __name__ == "__main__":
    main()
