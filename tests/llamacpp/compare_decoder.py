"""Holds the decoder against llama.cpp, token for token, on models with random weights.

    .llamacpp/bin/python tests/llamacpp/compare_decoder.py target/debug/examples

needs llama-cpp-python and gguf, and the examples `greedy` and `random_model` built (with the feature `examples`). Both continue the same tokens greedily. Where they
part, the gap between the two tokens says whether rounding decided: with quantized weights both round activations to eight bits, block
by block, and add in orders of their own. So the same weights are written out as 32 bits too, where nothing is rounded, and what
each of the two is off from there is what it rounds. A gap that both together may be off by is no difference.
"""

import ctypes
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import gguf
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


def exact(model: Path, out: Path) -> None:
    """Writes the model with all weights in 32 bits."""
    reader = gguf.GGUFReader(model)
    writer = gguf.GGUFWriter(out, reader.fields["general.architecture"].contents())
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name in ("general.architecture", "general.file_type"):
            continue
        of = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=of)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, gguf.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def compare(examples: Path, model: Path, unrounded: Path) -> str:
    """How far both go together, and what each is off from the unrounded weights, as shares of the spread of the logits."""
    llama, truth = Llama(model), Llama(unrounded)
    apart = off_here = off_there = 0.0
    tokens = PROMPT
    try:
        for index, line in enumerate(ours(examples, model)):
            logits, right = llama.step(tokens), truth.step(tokens)
            spread = float(right.max() - right.min())
            apart = max(apart, *(abs(float(logits[token]) - logit) / spread for token, logit in line["top"]))
            off_here = max(off_here, *(abs(float(right[token]) - logit) / spread for token, logit in line["top"]))
            off_there = max(off_there, float(numpy.abs(logits - right).max()) / spread)
            theirs = int(logits.argmax())
            if theirs != line["token"]:
                gap = float(right[theirs] - right[line["token"]]) / spread
                verdict = "rounding" if abs(gap) <= off_here + off_there else "MORE THAN ROUNDING"
                said = f"parts at token {index}, where the two are {abs(gap):.1e} apart: {verdict}"
                break
            tokens = [line["token"]]
        else:
            said = f"{COUNT} tokens equal"
    finally:
        llama.close()
        truth.close()
    return f"{said}; logits differ by {apart:.1e}; off from unrounded: here {off_here:.1e}, there {off_there:.1e}"


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
                unrounded = model.with_suffix(".f32.gguf")
                exact(model, unrounded)
                try:
                    result = compare(examples, model, unrounded)
                except RuntimeError as error:
                    result = str(error)
                print(f"{architecture:8} {kind:5} {result}", flush=True)
                model.unlink()
                unrounded.unlink()


if __name__ == "__main__":
    main()
