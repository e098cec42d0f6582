"""Writes a checkpoint as GGUF: matrices as Q8_0, norms as F32.

Usage: export.py FOLDER FILE.gguf
"""

import hashlib
import json
import sys
from pathlib import Path

import gguf
import numpy as np
import torch

from chat import END_ID, TEMPLATE
from model import Shape

NAME = "hoosh-tiny"
CONTEXT = 512
"""Tokens that it can work on: it has learned from short texts, and beyond a few hundred tokens its words make no sense."""
ABOUT = "The demonstration model that comes with hoosh: it answers questions about hoosh, and about nothing else."


def main() -> None:
    """Write it, and say how large it is."""
    folder, file = Path(sys.argv[1]), Path(sys.argv[2])
    kept = torch.load(folder / "checkpoint.pt", weights_only=True)
    shape = Shape(**kept["shape"])
    writer = gguf.GGUFWriter(str(file), "llama")
    _describe(writer, shape)
    _tokens(writer, json.loads((folder / "tokenizer.json").read_text(encoding="utf-8")))
    for name, weight in kept["weights"].items():
        values = weight.float().numpy()
        if values.ndim == 1:
            writer.add_tensor(name, values)
            continue
        kind = gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor(name, gguf.quants.quantize(np.ascontiguousarray(values), kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    written = file.read_bytes()
    count = sum(weight.numel() for weight in kept["weights"].values())
    print(f"{file}: {count:,} parameters, {len(written):,} bytes, SHA-256 {hashlib.sha256(written).hexdigest()}")


def _describe(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_name(NAME)
    writer.add_description(ABOUT)
    writer.add_license("Apache-2.0 OR MIT")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_context_length(CONTEXT)
    writer.add_float32("general.sampling.temp", 0.0)
    writer.add_embedding_length(shape.dim)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.epsilon)


def _tokens(writer: gguf.GGUFWriter, tokenizer: dict) -> None:
    numbered = sorted(tokenizer["model"]["vocab"].items(), key=lambda one: one[1])
    special = {one["content"] for one in tokenizer["added_tokens"]}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([token for token, _ in numbered])
    writer.add_token_types([gguf.TokenType.CONTROL if token in special else gguf.TokenType.NORMAL for token, _ in numbered])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in tokenizer["model"]["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(END_ID)
    writer.add_eot_token_id(END_ID)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)
    writer.add_chat_template(TEMPLATE)


if __name__ == "__main__":
    main()
