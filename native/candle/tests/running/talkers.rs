//! Decoders in folders: what transformers goes on with, greedily, with the same weights.
//!
//! The models and what they say were made by tests/safetensors/make_tiny_decoders.py.

use std::fs;
use std::path::Path;

use hoosh_candle::{Candle, ModelSource, Settings, Source};
use hoosh_core::dialects::neutral::{Endpoint, Item};
use hoosh_core::engine::Engine;
use hoosh_core::engine::Standing;
use serde_json::{json, Value};

use super::common::asking::{ask_as, Heard};
use super::common::folder::{decoder, fixtures, Folder};

const FAMILIES: [&str; 6] = ["gemma", "llama", "mistral", "phi3", "qwen2", "qwen3"];

/// How far a logarithm may be from transformers': sums of floats in another order.
const TOLERANCE: f32 = 2e-3;

fn engine(path: &Path) -> Candle {
    let models = vec![ModelSource { name: "m".into(), file: Source::Path(path.to_owned()), context: None }];
    Candle::new(Settings { models, threads: 1, ..Settings::default() })
}

fn known() -> Value {
    let path = fixtures().with_file_name("decoders").join("known.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Likelihoods of the tokens said, the last of an ended answer left out as its text is.
fn likelihoods(heard: &Heard) -> Vec<f32> {
    let told = heard.items.iter().filter_map(|item| match item {
        Item::Text { logprobs, .. } => Some(logprobs.iter().map(|token| token.logprob)),
        _ => None,
    });
    told.flatten().collect()
}

fn same(family: &str, heard: &Heard, wanted: &Value) {
    assert!(heard.refused.is_none() && heard.failed.is_none(), "{family}: {:?} {:?}", heard.refused, heard.failed);
    let wanted: Vec<(u32, f32)> = serde_json::from_value(wanted.clone()).unwrap();
    let ended = wanted.last().is_some_and(|(token, _)| *token == 2);
    let wanted = if ended { &wanted[..wanted.len() - 1] } else { &wanted[..] };
    let said = likelihoods(heard);
    assert_eq!(said.len(), wanted.len(), "{family}: {said:?}");
    for (at, (said, (token, wanted))) in said.iter().zip(wanted).enumerate() {
        assert!((said - wanted).abs() < TOLERANCE, "{family}, token {at} ({token}): {said} and not {wanted}");
    }
    assert_eq!(heard.reason(0), Some(if ended { "stop" } else { "length" }), "{family}");
}

#[test]
fn they_say_what_transformers_says() {
    let known = known();
    for family in FAMILIES {
        let folder = decoder(family);
        let engine = engine(folder.path());
        let wanted = &known["models"][family];
        let body = json!({"model": "m", "prompt": known["prompt"], "temperature": 0, "logprobs": 0, "max_tokens": 24});
        let heard = ask_as(&engine, Endpoint::Completions, &body.to_string(), Standing::default()).all();
        same(family, &heard, &wanted["text"]);
        // The vocabulary and the chat template are the folder's own.
        let text = json!({"model": "m", "prompt": "What is hoosh?", "temperature": 0, "logprobs": 0, "max_tokens": 24});
        let heard = ask_as(&engine, Endpoint::Completions, &text.to_string(), Standing::default()).all();
        same(family, &heard, &wanted["text"]);
        let messages = json!([{"role": "user", "content": "hi there"}]);
        let chat = json!({"model": "m", "messages": messages, "temperature": 0, "logprobs": true, "max_tokens": 24});
        let heard = ask_as(&engine, Endpoint::Chat, &chat.to_string(), Standing::default()).all();
        same(family, &heard, &wanted["chat"]);
        assert_eq!(heard.usage().input_tokens, known["chat_prompt"].as_array().unwrap().len() as u64, "{family}");
    }
}

#[test]
fn a_template_may_stand_among_the_settings_of_the_vocabulary() {
    let folder = decoder("llama");
    let template = fs::read_to_string(folder.path().join("chat_template.jinja")).unwrap();
    fs::remove_file(folder.path().join("chat_template.jinja")).unwrap();
    let known = known();
    let chat = json!({"model": "m", "messages": [{"role": "user", "content": "hi there"}], "temperature": 0, "logprobs": true, "max_tokens": 24});
    for value in
        [json!(template), json!([{"name": "tool_use", "template": "x"}, {"name": "default", "template": template}])]
    {
        folder.edit("tokenizer_config.json", |config| config["chat_template"] = value);
        let heard = ask_as(&engine(folder.path()), Endpoint::Chat, &chat.to_string(), Standing::default()).all();
        same("llama", &heard, &known["models"]["llama"]["chat"]);
    }
}

#[test]
fn a_card_says_what_the_folder_does() {
    let folder = decoder("qwen3");
    let card = engine(folder.path()).cards().remove(0);
    assert!(card.abilities.chat && !card.abilities.embeddings);
    assert_eq!((card.context, card.quantization.as_deref(), card.dimensions), (Some(256), Some("F16"), None));
    assert_eq!(hoosh_candle::look(folder.path()), Ok(()));
}

#[test]
fn what_is_not_known_of_a_decoder_is_refused() {
    type Change = fn(&Folder);
    fn set(folder: &Folder, field: &str, value: Value) {
        folder.edit("config.json", |config| config[field] = value);
    }
    let cases: [(Change, &str); 9] = [
        (|folder| set(folder, "model_type", json!("mixtral")), "known: bert"),
        (|folder| set(folder, "hidden_act", json!("relu")), "activation"),
        (|folder| set(folder, "quantization_config", json!({"bits": 4})), "quantized"),
        (|folder| set(folder, "rope_parameters", json!({"rope_type": "yarn", "factor": 4.0})), "yarn"),
        (|folder| set(folder, "rope_parameters", json!({"rope_type": "llama3"})), "llama3"),
        (|folder| set(folder, "num_attention_heads", json!(0)), "head_count"),
        (|folder| set(folder, "hidden_size", json!(64)), "shape"),
        (|folder| set(folder, "num_hidden_layers", json!(3)), "is missing"),
        (|folder| fs::remove_file(folder.path().join("tokenizer.json")).unwrap(), "tokenizer.json"),
    ];
    for (change, word) in cases {
        let folder = decoder("llama");
        change(&folder);
        let body = json!({"model": "m", "prompt": [5, 6], "max_tokens": 1}).to_string();
        let heard = ask_as(&engine(folder.path()), Endpoint::Completions, &body, Standing::default()).all();
        let why = heard.failed.unwrap_or_else(|| panic!("{word}: {:?} {:?}", heard.items, heard.refused));
        assert!(why.contains(word), "{word}: {why}");
    }
}

#[test]
fn a_decoder_makes_no_vectors() {
    let folder = decoder("llama");
    let body = json!({"model": "m", "input": "hi"}).to_string();
    let heard = ask_as(&engine(folder.path()), Endpoint::Embeddings, &body, Standing::default()).all();
    assert_eq!(heard.refused.expect("a refusal").code, "unsupported_endpoint");
}
