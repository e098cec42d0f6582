"""Make tiny encoders of random weights, and the vectors that sentence-transformers makes with them.

    pip install sentence-transformers && python make_tiny_encoders.py ../../native/candle/tests/fixtures/encoders

One BERT of 32-bit floats with every kind of pooling, a RoBERTa of 16-bit floats and a DistilBERT of bfloat16. The seed is
fixed, so that weights are the same whenever they are made; vectors may differ in their last digits from release to release.
"""

import argparse
import json
import shutil
import string
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaModel,
)

WIDTH, POSITIONS = 32, 48
WORDS = [
    "the",
    "quick",
    "brown",
    "fox",
    "jump",
    "over",
    "lazy",
    "dog",
    "a",
    "gateway",
    "for",
    "model",
    "of",
    "what",
    "is",
    "it",
    "hello",
    "world",
    "##s",
    "##ing",
    "##ed",
]
TEXTS = [
    "hello",
    "The quick brown fox jumps over the lazy dog.",
    "What is a gateway for models?",
    "",
    "Straße, déjà vu; 東京 2026",
    "literal [SEP] and <pad> marks",
    "it is what it is " * 12,
]
POOLINGS = ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]


def wordpiece():
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [*string.ascii_lowercase, *string.digits]
    pieces = [*marks, *letters, *(f"##{letter}" for letter in letters), *".,;:!?-'<>[]", *WORDS]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    around = [("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", around)
    names = {"unk": "[UNK]", "pad": "[PAD]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    return finished(tokenizer, names)


def pieces():
    marks = ["<s>", "<pad>", "</s>", "<unk>"]
    letters = [*string.ascii_letters, *string.digits, *".,;:!?-'", "▁"]
    words = ["▁the", "▁is", "▁it", "▁what", "hello"]
    scored = [*((mark, 0.0) for mark in marks), *((word, -2.0) for word in words), *((one, -5.0) for one in letters)]
    tokenizer = Tokenizer(models.Unigram(scored, unk_id=3, byte_fallback=False))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A </s>", None, [("<s>", 0), ("</s>", 2)])
    return finished(tokenizer, {"unk": "<unk>", "pad": "<pad>", "cls": "<s>", "sep": "</s>"})


def finished(tokenizer, names):
    # What many published files say; whoever reads them has to set his own bounds.
    tokenizer.enable_padding(length=16)
    tokenizer.enable_truncation(12)
    named = {f"{name}_token": text for name, text in names.items()}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=POSITIONS - 8, **named)


def scaled(model):
    """Weights as large as those of trained models: with the usual ones of the start all vectors are alike."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            one = "LayerNorm" in name or "layer_norm" in name
            weight.copy_(torch.randn_like(weight) * (0.1 if one or name.endswith("bias") else 0.4))
            if one and name.endswith("weight"):
                weight.add_(1.0)
    return model.eval()


def encoders():
    """Each with its vocabulary and how its weights are stored."""
    shape = {"hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
    rest = {"max_position_embeddings": POSITIONS}
    tokenizer = wordpiece()
    config = BertConfig(vocab_size=len(tokenizer), pad_token_id=0, **shape, **rest)
    yield "bert", scaled(BertModel(config, add_pooling_layer=False)), tokenizer, torch.float32
    config = DistilBertConfig(
        vocab_size=len(tokenizer), dim=WIDTH, n_layers=2, n_heads=4, hidden_dim=48, activation="gelu", **rest
    )
    yield "distilbert", scaled(DistilBertModel(config)), tokenizer, torch.bfloat16
    tokenizer = pieces()
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer), pad_token_id=1, bos_token_id=0, eos_token_id=2, type_vocab_size=1, **shape, **rest
    )
    config.hidden_act = "gelu_new"
    yield "roberta", scaled(XLMRobertaModel(config, add_pooling_layer=False)), tokenizer, torch.float16


def written(folder, model, tokenizer, dtype):
    """Save a model; its weights are then what the file holds, as floats of 32 bits."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    weights = {name: weight.to(dtype) for name, weight in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def variants():
    yield "plain", []
    for name in POOLINGS:
        yield name, [Pooling(WIDTH, name)]
    yield "cls_and_mean", [Pooling(WIDTH, ("cls", "mean"))]
    yield "normalized", [Pooling(WIDTH, "mean"), Normalize()]
    dense = Dense(WIDTH, 8, init_weight=torch.randn(8, WIDTH) * 0.2, init_bias=torch.randn(8) * 0.1)
    yield "dense", [Pooling(WIDTH, "mean"), dense, Normalize()]


def vectors(folder, modules):
    encoder = Transformer(str(folder), model_kwargs={"dtype": torch.float32})
    modules = modules or [Pooling(WIDTH, "mean")]
    made = SentenceTransformer(modules=[encoder, *modules], device="cpu")
    with torch.no_grad():
        return made, [
            [float(f"{number:.8g}") for number in vector] for vector in made.encode(TEXTS, batch_size=1).tolist()
        ]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("out", type=Path)
    out = arguments.parse_args().out
    shutil.rmtree(out, ignore_errors=True)
    torch.manual_seed(5)
    known = {"texts": TEXTS, "tokens": {}, "vectors": {}}
    for name, model, tokenizer, dtype in encoders():
        folder = out / name
        written(folder, model, tokenizer, dtype)
        kinds = variants() if name == "bert" else [("plain", [])]
        known["vectors"][name] = {}
        for variant, modules in kinds:
            made, known["vectors"][name][variant] = vectors(folder, modules)
            if modules:
                keep_modules(made, out / "variants" / variant)
        most = tokenizer.model_max_length
        known["tokens"][name] = [
            tokenizer(text, truncation=True, max_length=most, padding=False)["input_ids"] for text in TEXTS
        ]
    (out / "vectors.json").write_text(json.dumps(known, ensure_ascii=False, indent=0) + "\n")


def keep_modules(made, folder):
    """The files of a model that are not its encoder's."""
    with tempfile.TemporaryDirectory() as saved:
        made.save_pretrained(saved, create_model_card=False)
        folder.mkdir(parents=True)
        for entry in Path(saved).iterdir():
            if entry.is_dir():
                shutil.copytree(entry, folder / entry.name)
        shutil.copy(Path(saved) / "modules.json", folder)


if __name__ == "__main__":
    main()
