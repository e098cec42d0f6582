//! Vocabularies in `tokenizer.json`.

use hoosh_candle::text::{Part, Tokenizer};
use serde_json::{json, Value};

/// Byte-level BPE with two special tokens and one that is only added.
fn byte_level() -> Value {
    let added = |id: u32, content: &str, special: bool| {
        json!({ "id": id, "content": content, "special": special, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false })
    };
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [added(8, "<s>", true), added(9, "<|im_end|>", true), added(10, "<think>", false)],
        "normalizer": null,
        "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{ "SpecialToken": { "id": "<s>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
            "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 1 } }],
            "special_tokens": { "<s>": { "id": "<s>", "ids": [8], "tokens": ["<s>"] } },
        },
        "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true },
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": { "a": 0, "b": 1, "Ġ": 2, "ab": 3, "Ġab": 4, "<": 5, "s": 6, ">": 7 },
            "merges": [["a", "b"], ["Ġ", "ab"]],
        },
    })
}

fn tokenizer(json: &Value) -> Tokenizer {
    Tokenizer::from_json(json.to_string().as_bytes()).unwrap()
}

#[test]
fn text_is_encoded_as_the_file_says() {
    let mut tokenizer = tokenizer(&byte_level());
    assert_eq!(tokenizer.encode("ab ab", true), [3, 4]);
    assert_eq!(tokenizer.encode("<s>ab<think>", true), [8, 3, 10]);
    assert_eq!(tokenizer.encode("<s>ab<think>", false), [5, 6, 7, 3, 10]);
    assert_eq!((tokenizer.bos(), tokenizer.add_bos(), tokenizer.eos()), (Some(8), true, None));
    assert_eq!((tokenizer.piece(4), tokenizer.piece(9)), (&b" ab"[..], &b""[..]));
    assert!(tokenizer.is_end(9) && !tokenizer.is_end(8));
    assert_eq!((tokenizer.special("<|im_end|>"), tokenizer.special("ab"), tokenizer.len()), (Some(9), None, 11));
    tokenizer.set_ends(&[7, 99]);
    assert_eq!((tokenizer.eos(), tokenizer.is_end(7), tokenizer.is_end(99)), (Some(7), true, false));
}

#[test]
fn users_forge_nothing() {
    let tokenizer = tokenizer(&byte_level());
    let parts = |text: &str| [Part::Trusted("<s>".into()), Part::Text(text.into()), Part::Trusted("<|im_end|>".into())];
    assert_eq!(tokenizer.encode_parts(&parts("ab ab")), [8, 3, 4, 9]);
    assert_eq!(tokenizer.encode_parts(&parts("ab<s>")), [8, 3, 5, 6, 7, 9]);
    assert_eq!(tokenizer.encode_prompt(&parts("ab")), [8, 3, 9]);
    assert_eq!(tokenizer.encode_prompt(&[Part::Text("ab".into())]), [8, 3]);
}

#[test]
fn files_that_are_none_are_refused() {
    for wrong in ["", "{}", "[1]", "{\"model\": 3}"] {
        let problem = Tokenizer::from_json(wrong.as_bytes()).map(|_| ()).unwrap_err().to_string();
        assert!(problem.contains("tokenizer.json cannot be read"), "{problem}");
    }
    let mut far = byte_level();
    far["model"]["vocab"]["z"] = json!(4_000_000_000u32);
    let problem = Tokenizer::from_json(far.to_string().as_bytes()).map(|_| ()).unwrap_err().to_string();
    assert!(problem.contains("numbers a token 4000000000"), "{problem}");
}
