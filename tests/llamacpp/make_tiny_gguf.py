"""Make a tiny random-weight llama GGUF (no network, no torch): python make_tiny_gguf.py out.gguf

Needs: pip install gguf numpy.  2 layers, dim 64, GQA 4/2 heads, SPM vocab with byte fallback
(any text round-trips), chatml template, fixed seed so the bytes are reproducible.
"""

import argparse
import string

import gguf
import numpy as np

CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

# As Qwen's templates have it, but shorter.
TOOLS = (
    "{% if tools %}<|im_start|>system\n{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}<|im_end|>\n{% endif %}"
)


def vocab():
    toks, scores, types = [], [], []

    def add(t, s, ty):
        toks.append(t.encode() if isinstance(t, str) else t)
        scores.append(float(s))
        types.append(int(ty))

    kind = gguf.TokenType
    add("<unk>", 0, kind.UNKNOWN)
    add("<s>", 0, kind.CONTROL)
    add("</s>", 0, kind.CONTROL)
    for b in range(256):
        add(f"<0x{b:02X}>", 0, kind.BYTE)
    pieces = ["\u2581", *string.ascii_letters, *string.digits, *string.punctuation]
    pieces += [
        "he",
        "th",
        "in",
        "er",
        "an",
        "\u2581t",
        "\u2581a",
        "\u2581the",
        "the",
        "ing",
        "\u2581s",
        "ll",
        "lo",
        "hello",
    ]
    for i, p in enumerate(dict.fromkeys(pieces)):
        add(p, -i - 1 if len(p) == 1 else -0.1 * i, kind.NORMAL)
    add("<|im_start|>", 0, kind.CONTROL)
    add("<|im_end|>", 0, kind.CONTROL)
    return toks, scores, types


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("out")
    ap.add_argument("--layers", type=int, default=2)
    ap.add_argument("--dim", type=int, default=64)
    ap.add_argument("--heads", type=int, default=4)
    ap.add_argument("--kv-heads", type=int, default=2)
    ap.add_argument("--ffn", type=int, default=128)
    ap.add_argument("--ctx", type=int, default=512)
    ap.add_argument("--tools", action="store_true", help="a template that offers tools")
    ap.add_argument("--seed", type=int, default=0)
    a = ap.parse_args()

    rng = np.random.default_rng(a.seed)
    toks, scores, types = vocab()
    size, dim, hd = len(toks), a.dim, a.dim // a.heads

    w = gguf.GGUFWriter(a.out, "llama")
    w.add_name("tiny-random-llama")
    w.add_context_length(a.ctx)
    w.add_embedding_length(dim)
    w.add_block_count(a.layers)
    w.add_feed_forward_length(a.ffn)
    w.add_head_count(a.heads)
    w.add_head_count_kv(a.kv_heads)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_rope_dimension_count(hd)
    w.add_rope_freq_base(10000.0)
    w.add_vocab_size(size)
    w.add_file_type(gguf.LlamaFileType.ALL_F32)
    w.add_tokenizer_model("llama")
    w.add_token_list(toks)
    w.add_token_scores(scores)
    w.add_token_types(types)
    w.add_bos_token_id(1)
    w.add_eos_token_id(size - 1)  # <|im_end|>
    w.add_unk_token_id(0)
    w.add_add_bos_token(True)
    w.add_add_eos_token(False)
    w.add_chat_template((TOOLS if a.tools else "") + CHAT)

    def t(name, *shape, ones=False):
        x = (
            np.ones(shape, np.float32)
            if ones
            else rng.normal(0, 0.3 / np.sqrt(shape[-1]) * 3, shape).astype(np.float32)
        )
        w.add_tensor(name, x)

    t("token_embd.weight", size, dim)
    t("output_norm.weight", dim, ones=True)
    t("output.weight", size, dim)
    for i in range(a.layers):
        p = f"blk.{i}."
        t(p + "attn_norm.weight", dim, ones=True)
        t(p + "ffn_norm.weight", dim, ones=True)
        t(p + "attn_q.weight", a.heads * hd, dim)
        t(p + "attn_k.weight", a.kv_heads * hd, dim)
        t(p + "attn_v.weight", a.kv_heads * hd, dim)
        t(p + "attn_output.weight", dim, a.heads * hd)
        t(p + "ffn_gate.weight", a.ffn, dim)
        t(p + "ffn_up.weight", a.ffn, dim)
        t(p + "ffn_down.weight", dim, a.ffn)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


if __name__ == "__main__":
    main()
