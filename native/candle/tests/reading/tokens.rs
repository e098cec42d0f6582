//! Tokens are llama.cpp's, for every text and every way of splitting: `tests/llamacpp/make_vocabularies.py` asked it.

use std::path::{Path, PathBuf};

use hoosh_candle::text::Tokenizer;
use serde_json::Value;

use crate::gguf::Gguf;
use crate::memory::most_of;

const PATTERNS: [&str; 10] =
    ["llama-bpe", "default", "gpt-2", "qwen2", "tekken", "smollm", "falcon", "deepseek-v3", "deepseek-coder", "gpt-4o"];

#[test]
fn byte_level_vocabularies() {
    for pattern in PATTERNS {
        compare(pattern, "llama-bpe", &Tokenizer::from_gguf(&by_bytes(pattern).file()).unwrap());
    }
}

#[test]
fn vocabularies_of_pieces() {
    compare("spm", "spm", &Tokenizer::from_gguf(&by_pieces(true, "A test").file()).unwrap());
    compare("spm-no-space", "spm", &Tokenizer::from_gguf(&by_pieces(false, "A test").file()).unwrap());
    compare("phi-3", "spm", &Tokenizer::from_gguf(&by_pieces(true, "Phi-3 of a test").file()).unwrap());
}

/// `first` is the vocabulary of the same kind whose answers are kept in full.
fn compare(name: &str, first: &str, tokenizer: &Tokenizer) {
    let texts: Vec<String> = serde_json::from_str(&read("texts.json")).unwrap();
    let (own, first) = (read(&format!("ids/{name}.txt")), read(&format!("ids/{first}.txt")));
    assert_eq!((own.lines().count(), first.lines().count()), (texts.len() + 1, texts.len() + 1));
    let mut lines = own.lines().zip(first.lines()).map(|(own, first)| if own == "=" { first } else { own });
    let ends = ids(lines.next().unwrap().trim_start_matches("ends"));
    let found: Vec<u32> = (0..tokenizer.len() as u32).filter(|&token| tokenizer.is_end(token)).collect();
    assert_eq!(found, ends, "{name}: the ends");
    for (text, line) in texts.iter().zip(lines) {
        let (parsed, plain) = line.split_once('|').unwrap_or((line, line));
        assert_eq!(tokenizer.encode(text, true), ids(parsed), "{name}: {text:?} with special texts");
        assert_eq!(tokenizer.encode(text, false), ids(plain), "{name}: {text:?} without");
    }
}

fn ids(line: &str) -> Vec<u32> {
    line.split_whitespace().map(|id| id.parse().unwrap()).collect()
}

#[test]
fn texts_come_back_from_their_tokens() {
    let texts: Vec<String> = serde_json::from_str(&read("texts.json")).unwrap();
    let by_bytes = Tokenizer::from_gguf(&by_bytes("qwen2").file()).unwrap();
    let by_pieces = Tokenizer::from_gguf(&by_pieces(false, "x").file()).unwrap();
    for text in &texts {
        // SentencePiece has one sign for the space and for itself.
        for (tokenizer, expected) in [(&by_bytes, text.clone()), (&by_pieces, text.replace('▁', " "))] {
            let bytes: Vec<u8> =
                tokenizer.encode(text, false).iter().flat_map(|&token| tokenizer.piece(token).to_vec()).collect();
            assert_eq!(String::from_utf8_lossy(&bytes), expected);
        }
    }
}

#[test]
fn special_tokens() {
    let tokenizer = Tokenizer::from_gguf(&by_bytes("llama-bpe").file()).unwrap();
    let end = tokenizer.special("<|im_end|>").unwrap();
    assert!(tokenizer.is_end(end) && tokenizer.is_end(tokenizer.eos().unwrap()));
    assert!(!tokenizer.is_end(tokenizer.special("<|im_start|>").unwrap()));
    assert_eq!((tokenizer.token_text(end), tokenizer.piece(end)), ("<|im_end|>", &b""[..]));
    assert_eq!(tokenizer.piece(tokenizer.special("<think>").unwrap()), b"<think>");
    assert_eq!(tokenizer.special("the"), None);
    assert_eq!(tokenizer.token_text(tokenizer.bos().unwrap()), "<s>");
    assert!(tokenizer.add_bos(), "this pattern brings the habit along");
    assert_eq!((tokenizer.piece(u32::MAX), tokenizer.token_text(u32::MAX)), (&b""[..], ""));
    assert!(!Tokenizer::from_gguf(&by_bytes("qwen2").file()).unwrap().add_bos());
    let told = by_bytes("llama-bpe").flag("tokenizer.ggml.add_bos_token", false);
    assert!(!Tokenizer::from_gguf(&told.file()).unwrap().add_bos());
}

#[test]
fn an_unknown_pattern_is_replaced_and_noted() {
    let tokenizer = Tokenizer::from_gguf(&by_bytes("of-tomorrow").file()).unwrap();
    assert!(tokenizer.note().unwrap().contains("of-tomorrow"));
    let default = Tokenizer::from_gguf(&by_bytes("default").file()).unwrap();
    assert_eq!(default.note(), None);
    assert_eq!(tokenizer.encode("12345 words, words", true), default.encode("12345 words, words", true));
}

#[test]
fn what_is_wrong_with_a_vocabulary_is_said() {
    let problem = |file: Gguf| Tokenizer::from_gguf(&file.file()).map(|_| ()).unwrap_err().to_string();
    let model = |name: &str| Gguf::new().text("tokenizer.ggml.model", name);
    let none: [&str; 0] = [];
    for (file, words) in [
        (Gguf::new(), "tokenizer.ggml.model is missing"),
        (model("rwkv"), "is rwkv, and the vocabularies read here are gpt2 and llama"),
        (model("gpt2"), "tokenizer.ggml.tokens is missing"),
        (model("gpt2").texts("tokenizer.ggml.tokens", &none), "it has 0 tokens"),
        (model("gpt2").texts("tokenizer.ggml.tokens", &["a"]), "tokenizer.ggml.merges is missing"),
        (model("llama").texts("tokenizer.ggml.tokens", &["a", "b", "a"]), "the tokens 0 and 2 are both a"),
        (
            model("llama").texts("tokenizer.ggml.tokens", &["a"]).i32s("tokenizer.ggml.token_type", &[]),
            "holds 0 values",
        ),
        (
            model("llama").texts("tokenizer.ggml.tokens", &["a", "b"]).f32s("tokenizer.ggml.scores", &[1.0]),
            "scores for 1",
        ),
        (
            model("llama").texts("tokenizer.ggml.tokens", &["a"]).f32s("tokenizer.ggml.scores", &[f32::NAN]),
            "not a number",
        ),
    ] {
        let problem = problem(file);
        assert!(problem.contains(words), "{problem}");
    }
}

#[test]
fn a_vocabulary_of_almost_nothing_works() {
    let file =
        Gguf::new().text("tokenizer.ggml.model", "llama").texts("tokenizer.ggml.tokens", &["a", "ab", ""]).file();
    let tokenizer = Tokenizer::from_gguf(&file).unwrap();
    assert_eq!(tokenizer.encode("abab", true), [0, 0, 0, 1, 1], "the bytes of the space are unknown");
    let file = Gguf::new()
        .text("tokenizer.ggml.model", "gpt2")
        .texts("tokenizer.ggml.tokens", &["a"])
        .texts("tokenizer.ggml.merges", &["", "a", " ", "a b", "a a a"])
        .file();
    let tokenizer = Tokenizer::from_gguf(&file).unwrap();
    assert_eq!(tokenizer.encode("aab", true), [0, 0]);
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (None, None));
}

#[test]
fn no_merge_leads_to_a_control_token() {
    let model = |name: &str| {
        Gguf::new()
            .text("tokenizer.ggml.model", name)
            .texts("tokenizer.ggml.tokens", &["<unk>", "<", ">", "<>", "<>>"])
            .i32s("tokenizer.ggml.token_type", &[2, 1, 1, 1, 3])
    };
    let pieces = model("llama").flag("tokenizer.ggml.add_space_prefix", false).file();
    let bytes =
        model("gpt2").text("tokenizer.ggml.pre", "smollm").texts("tokenizer.ggml.merges", &["< >", "<> >"]).file();
    for file in [pieces, bytes] {
        let tokenizer = Tokenizer::from_gguf(&file).unwrap();
        assert_eq!(tokenizer.encode("<>>", false), [3, 2]);
        assert_eq!(tokenizer.encode("<>>", true), [4]);
    }
}

/// Half a million letters that all merge, or spaces, or the beginnings of special tokens: the work is counted by what it
/// allocates and by its being done at all; what grew with the square would take hours.
#[test]
fn long_runs_take_steps_in_proportion() {
    let tokenizers = [by_bytes("llama-bpe"), by_bytes("default"), by_pieces(true, "x")]
        .map(|file| Tokenizer::from_gguf(&file.file()).unwrap());
    const LENGTH: usize = 500_000;
    for unit in ["a", " ", "\n", "<", "é", "1", "ab", "<|im_start|", "!", "\r", "\u{3000}"] {
        let text = unit.repeat(LENGTH / unit.len());
        for tokenizer in &tokenizers {
            let most = most_of(|| assert!(!tokenizer.encode(&text, true).is_empty()));
            assert!(most < 200 * LENGTH, "{unit:?} takes {most} bytes");
        }
    }
}

/// A model file with the byte-level vocabulary, split as `pattern` says.
pub fn by_bytes(pattern: &str) -> Gguf {
    let vocabulary = vocabulary("bytes.json");
    common(&vocabulary, "gpt2")
        .text("tokenizer.ggml.pre", pattern)
        .texts("tokenizer.ggml.merges", &strings(&vocabulary["merges"]))
}

/// A model file with the vocabulary of pieces.
pub fn by_pieces(space_first: bool, name: &str) -> Gguf {
    let vocabulary = vocabulary("pieces.json");
    let scores: Vec<f32> = serde_json::from_value(vocabulary["scores"].clone()).unwrap();
    common(&vocabulary, "llama")
        .text("general.name", name)
        .f32s("tokenizer.ggml.scores", &scores)
        .flag("tokenizer.ggml.add_space_prefix", space_first)
}

fn common(vocabulary: &Value, model: &str) -> Gguf {
    let tokens = strings(&vocabulary["tokens"]);
    let kinds: Vec<i32> = serde_json::from_value(vocabulary["kinds"].clone()).unwrap();
    let number = |text: &str| tokens.iter().position(|token| token == text).unwrap() as u32;
    Gguf::new()
        .text("tokenizer.ggml.model", model)
        .texts("tokenizer.ggml.tokens", &tokens)
        .i32s("tokenizer.ggml.token_type", &kinds)
        .u32("tokenizer.ggml.bos_token_id", number("<s>"))
        .u32("tokenizer.ggml.eos_token_id", number("</s>"))
}

fn strings(value: &Value) -> Vec<String> {
    serde_json::from_value(value.clone()).unwrap()
}

fn vocabulary(name: &str) -> Value {
    serde_json::from_str(&read(name)).unwrap()
}

fn read(name: &str) -> String {
    std::fs::read_to_string(fixtures().join(name)).unwrap()
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}
