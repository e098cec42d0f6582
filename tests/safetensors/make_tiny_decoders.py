"""Make tiny decoders of random weights as Hugging Face lays them out, and what transformers goes on with, greedily.

    pip install transformers torch && python make_tiny_decoders.py ../../native/candle/tests/fixtures/decoders

One of each family, with what makes it different: Llama's scaled positions, Mistral's window, Qwen's biases and norms,
Phi's joined matrices and partly turned heads, Gemma's norms. Weights are stored as floats of 16 bits and computed with as 32.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    AutoModelForCausalLM,
    GemmaConfig,
    LlamaConfig,
    MistralConfig,
    Phi3Config,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

PROMPT = "What is hoosh?"
ASK = [{"role": "user", "content": "hi there"}]
STEPS = 24
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def vocabulary():
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("t", "h"), ("h", "i"), ("o", "o"), ("Ġ", "i"), ("th", "e")]
    pieces = ["<s>", "<|im_start|>", "<|im_end|>", *letters, *(a + b for a, b in merges)]
    tokenizer = Tokenizer(models.BPE({piece: number for number, piece in enumerate(pieces)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", None, [("<s>", 0)])
    made = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="<|im_end|>", additional_special_tokens=["<|im_start|>"]
    )
    made.chat_template = TEMPLATE
    return made


def shapes(size):
    common = {
        "vocab_size": size,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "pad_token_id": None,
        "tie_word_embeddings": False,
    }
    scaled = {
        "rope_type": "llama3",
        "rope_theta": 10000.0,
        "factor": 4.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32,
    }
    yield "llama", LlamaConfig(**common, rope_parameters=scaled)
    yield "mistral", MistralConfig(**common, sliding_window=6, head_dim=16)
    yield "qwen2", Qwen2Config(**{**common, "tie_word_embeddings": True})
    yield "qwen3", Qwen3Config(**common, head_dim=16)
    half = {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5}
    yield "phi3", Phi3Config(**common, rope_parameters=half)
    yield "gemma", GemmaConfig(**{**common, "tie_word_embeddings": True}, head_dim=8)


def randomised(model):
    with torch.no_grad():
        for name, weight in model.named_parameters():
            norm, bias = "norm" in name, name.endswith("bias")
            scale = 0.1 if norm else 0.3 if bias else 1.0 if "embed" in name else weight.shape[-1] ** -0.5 * 1.5
            weight.copy_(torch.randn_like(weight) * scale)
            if norm and "Gemma" not in type(model).__name__:
                weight.add_(1.0)
    return model.eval()


def goes_on(model, tokens):
    """The likeliest tokens after `tokens`, and how likely each was."""
    said = []
    with torch.no_grad():
        for _ in range(STEPS):
            chances = torch.log_softmax(model(torch.tensor([tokens])).logits[0, -1], -1)
            best = int(chances.argmax())
            said.append([best, float(f"{float(chances[best]):.6g}")])
            if best == model.config.eos_token_id:
                break
            tokens = [*tokens, best]
    return said


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("out", type=Path)
    out = arguments.parse_args().out
    shutil.rmtree(out, ignore_errors=True)
    tokenizer = vocabulary()
    prompt = tokenizer(PROMPT)["input_ids"]
    chat = tokenizer.apply_chat_template(ASK, add_generation_prompt=True, return_dict=True)["input_ids"]
    known = {"prompt": prompt, "chat_prompt": chat, "models": {}}
    for seed, (name, config) in enumerate(shapes(len(tokenizer))):
        torch.manual_seed(seed)
        model = randomised(AutoModelForCausalLM.from_config(config, attn_implementation="eager"))
        model.generation_config.eos_token_id = [2]
        model.save_pretrained(out / name)
        weights = {key: weight.half() for key, weight in load_file(out / name / "model.safetensors").items()}
        save_file(weights, out / name / "model.safetensors", metadata={"format": "pt"})
        (out / name / "model.safetensors").chmod(0o644)
        stored = AutoModelForCausalLM.from_pretrained(
            out / name, dtype=torch.float32, attn_implementation="eager"
        ).eval()
        known["models"][name] = {"text": goes_on(stored, prompt), "chat": goes_on(stored, chat)}
    tokenizer.save_pretrained(out / "vocabulary")
    (out / "known.json").write_text(json.dumps(known, indent=0) + "\n")


if __name__ == "__main__":
    main()
