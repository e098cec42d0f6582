use proptest::prelude::*;
use serde_json::{json, Value};

use super::super::{load, show, Ollama};
use super::{ask, chat, generate, heard, lost, read, write, CHAT, EMBEDDINGS};
use crate::dialects::neutral::{Endpoint, Item};
use crate::dialects::{Fed, Form, Loss, Protocol, Reply, To};
use crate::ledger::Usage;

/// Members of both sides, so that what is drawn comes near to what is read.
const NAMES: &[&str] = &[
    "model",
    "messages",
    "role",
    "content",
    "images",
    "tool_calls",
    "function",
    "name",
    "arguments",
    "tool_name",
    "tool_call_id",
    "options",
    "num_predict",
    "temperature",
    "stop",
    "format",
    "think",
    "tools",
    "type",
    "prompt",
    "system",
    "input",
    "message",
    "response",
    "done",
    "done_reason",
    "logprobs",
    "top_logprobs",
    "token",
    "logprob",
    "error",
    "embeddings",
    "thinking",
    "tool_choice",
    "text",
    "image_url",
    "url",
    "json_schema",
    "response_format",
    "keep_alive",
    "thoughts",
    "cache_control",
];
const WORDS: &[&str] = &[
    "",
    "user",
    "assistant",
    "tool",
    "system",
    "json",
    "high",
    "function",
    "text",
    "image_url",
    "data:image/png;base64,AA",
    "ä\"\n",
    "auto",
];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-3.0..3.0f64).prop_map(Value::from),
        prop::sample::select(WORDS).prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(NAMES), inner), 0..6)
                .prop_map(|all| Value::Object(all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())),
        ]
    })
}

fn all_of_it(body: &[u8]) {
    let all = [chat(), generate(), ask(Endpoint::Embeddings, Form::Usual), ask(Endpoint::Embeddings, Form::Other)];
    for ask in &all {
        let _ = load::asked(ask, body);
        if let Ok(neutral) = Ollama.read_request(ask, body, &mut Loss::default()) {
            serde_json::from_slice::<Value>(&neutral).unwrap();
        }
    }
    for to in [CHAT, EMBEDDINGS, To { endpoint: Endpoint::Completions, cap: Some(3), ..CHAT }] {
        if let Ok(written) = Ollama.write_request(&to, body, &mut Loss::default()) {
            serde_json::from_slice::<Value>(&written).unwrap();
        }
        Ollama.splice_request(&To { cap: Some(3), ..to }, body);
        let _ = Ollama.read_answer(to.endpoint, body, &mut Vec::new());
    }
    let _ = show::asked_model(body);
    let _ = Ollama.error_words(body);
    let mut line = body.to_vec();
    line.push(b'\n');
    let (items, _) = heard(&[&line]);
    let mut encoder = Ollama.encoder(Reply::default());
    let mut out = Vec::new();
    items.iter().for_each(|item| encoder.item(item, &mut out));
    encoder.end(&Usage::default(), &mut out);
    for line in String::from_utf8(out).unwrap().lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
}

fn text() -> impl Strategy<Value = String> {
    ".{1,12}"
}

proptest! {
    #[test]
    fn no_json_makes_it_panic(body in any_json(), model in any_json(), messages in any_json()) {
        all_of_it(body.to_string().as_bytes());
        let mut near = body;
        if let Some(fields) = near.as_object_mut() {
            fields.insert("model".into(), json!("m"));
            all_of_it(near.to_string().as_bytes());
        }
        all_of_it(json!({"model": model, "messages": messages, "prompt": "x", "input": "x"}).to_string().as_bytes());
    }

    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..64)) {
        all_of_it(&body);
    }

    #[test]
    fn what_a_conversation_says_survives_there_and_back(
        turns in prop::collection::vec((prop::sample::select(&["user", "assistant", "system"][..]), text()), 1..6),
        warmth in 0..200u32, most in 1..100_000u64, seed in any::<u32>(), stop in prop::collection::vec(text(), 1..4),
    ) {
        let messages: Vec<Value> = turns.iter().map(|(role, text)| json!({"role": role, "content": text})).collect();
        let temperature = f64::from(warmth) / 100.0;
        let options = json!({"num_predict": most, "temperature": temperature, "seed": seed, "stop": stop});
        let (neutral, loss) = read(&chat(), &json!({"model": "m", "messages": messages, "options": options}));
        prop_assert!(loss.is_empty());
        let (back, loss) = write(&neutral);
        prop_assert!(loss.is_empty());
        prop_assert_eq!((&back["messages"], &back["options"]), (&json!(messages), &options));
    }

    #[test]
    fn each_member_of_a_neutral_request_is_carried_or_reported(name in "[a-z_]{3,20}", value in any_json()) {
        let carried = ["model", "messages", "stream", "pool", "tools", "tool_choice", "thinking", "stop"];
        prop_assume!(!value.is_null() && !carried.contains(&&*name));
        let (body, loss) = write(&json!({"model": "m", "messages": [], &*name: value}));
        let is_there = body["options"].get(&name).is_some() || body.get(&name).is_some();
        let says_nothing = ["n", "best_of", "store", "echo", "modalities", "metadata", "logprobs"].contains(&&*name);
        prop_assert!(is_there || says_nothing || lost(&loss, &name).is_some(), "{} {:?}", name, loss);
    }

    #[test]
    fn whatever_is_said_reads_back_the_same(texts in prop::collection::vec((any::<bool>(), text()), 1..8)) {
        let items: Vec<Item> = texts.into_iter().map(|(thinks, text)| match thinks {
            true => Item::Reasoning { choice: 0, text },
            false => Item::Text { choice: 0, text, logprobs: Vec::new() },
        }).collect();
        let mut encoder = Ollama.encoder(Reply::default());
        let mut out = Vec::new();
        items.iter().for_each(|item| encoder.item(item, &mut out));
        encoder.end(&Usage::default(), &mut out);
        let (read, end) = heard(&[&out]);
        prop_assert_eq!(end, Fed::Done);
        prop_assert_eq!(&read[..items.len()], &items[..]);
    }
}
