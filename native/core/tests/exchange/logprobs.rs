//! How likely an engine's tokens were, and what it thought: in the forms of chat and of completions, whole and streamed.

use hoosh_core::dialects::neutral::{Item, TokenLogprob};
use serde_json::{json, Value};

use super::world::*;
use super::{CHAT, STREAM};

const COMPLETION: &str = r#"{"model":"m","prompt":"hi"}"#;
const COMPLETION_STREAM: &str = r#"{"model":"m","prompt":"hi","stream":true}"#;

fn token(text: &str, bytes: &[u8], logprob: f32, top: &[(&str, &[u8], f32)]) -> TokenLogprob {
    let top = top.iter().map(|(text, bytes, logprob)| (text.to_string(), bytes.to_vec(), *logprob)).collect();
    TokenLogprob { token: text.into(), bytes: bytes.to_vec(), logprob, top }
}

/// "né", whose second letter came in two tokens, and "!".
fn said() -> Vec<Item> {
    let text = |text: &str, logprobs| Item::Text { choice: 0, text: text.into(), logprobs };
    let half = "\u{fffd}";
    vec![
        text("n", vec![token("n", b"n", -0.5, &[("n", b"n", -0.5), ("N", b"N", f32::NEG_INFINITY)])]),
        text(
            "é",
            vec![
                token(half, b"\xc3", -0.25, &[(half, b"\xc3", -0.25), (half, b"\xc4", -2.0), ("e", b"e", -3.0)]),
                token(half, b"\xa9", 0.0, &[]),
            ],
        ),
        text("!", Vec::new()),
        text("?", vec![token("?", b"?", -1.0, &[])]),
        Item::Finish { choice: 0, reason: "stop".into() },
    ]
}

fn whole(path: &str, body: &str, items: Vec<Item>) -> Value {
    let mut world = World::new(ENGINES);
    let mut call = world.post(path, body);
    let u = call.called(&mut world);
    items.into_iter().for_each(|item| call.exchange.delta(u, item));
    call.exchange.end(u);
    let reply = call.reply(&mut world);
    serde_json::from_slice(&reply.body).unwrap()
}

fn streamed(path: &str, body: &str, items: Vec<Item>) -> Vec<Value> {
    let mut world = World::new(ENGINES);
    let mut call = world.post(path, body);
    let u = call.called(&mut world);
    items.into_iter().for_each(|item| call.exchange.delta(u, item));
    call.exchange.end(u);
    let stream = call.stream(&mut world);
    let events = stream.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
    events.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
}

fn chat_form() -> Vec<Value> {
    let half = "\u{fffd}";
    vec![
        json!({"token": "n", "logprob": -0.5, "bytes": [110], "top_logprobs": [
            {"token": "n", "logprob": -0.5, "bytes": [110]}, {"token": "N", "logprob": -9999.0, "bytes": [78]}]}),
        json!({"token": half, "logprob": -0.25, "bytes": [195], "top_logprobs": [
            {"token": half, "logprob": -0.25, "bytes": [195]}, {"token": half, "logprob": -2.0, "bytes": [196]},
            {"token": "e", "logprob": -3.0, "bytes": [101]}]}),
        json!({"token": half, "logprob": 0.0, "bytes": [169], "top_logprobs": []}),
        json!({"token": "?", "logprob": -1.0, "bytes": [63], "top_logprobs": []}),
    ]
}

#[test]
fn a_whole_chat_has_those_of_all_tokens() {
    let answer = whole("/v1/chat/completions", CHAT, said());
    let choice = &answer["choices"][0];
    assert_eq!(choice["message"]["content"], "né!?");
    assert_eq!(choice["logprobs"], json!({"content": chat_form(), "refusal": null}));
}

#[test]
fn each_chunk_has_those_of_its_own_tokens() {
    let chunks = streamed("/v1/chat/completions", STREAM, said());
    let logprobs: Vec<_> = chunks.iter().map(|chunk| chunk["choices"][0].get("logprobs").cloned()).collect();
    let form = chat_form();
    let content = |tokens: &[Value]| Some(json!({"content": tokens, "refusal": null}));
    assert_eq!(logprobs, [content(&form[..1]), content(&form[1..3]), None, content(&form[3..]), None]);
}

#[test]
fn completions_have_the_older_form_with_places_in_the_text() {
    let half = "\u{fffd}";
    let tokens = json!(["n", half, half, "?"]);
    let top = json!([{"n": -0.5, "N": -9999.0}, {half: -0.25, "e": -3.0}, {}, {}]);
    let answer = whole("/v1/completions", COMPLETION, said());
    let wanted = json!({
        "tokens": tokens, "token_logprobs": [-0.5, -0.25, 0.0, -1.0], "top_logprobs": top, "text_offset": [0, 1, 2, 3],
    });
    assert_eq!(answer["choices"][0]["logprobs"], wanted);
    assert_eq!(answer["choices"][0]["text"], "né!?");

    let chunks = streamed("/v1/completions", COMPLETION_STREAM, said());
    let offsets: Vec<_> = chunks.iter().map(|chunk| chunk["choices"][0]["logprobs"]["text_offset"].clone()).collect();
    assert_eq!(offsets, [json!([0]), json!([1, 2]), Value::Null, json!([3]), Value::Null]);
}

#[test]
fn thoughts_stand_beside_the_answer_and_are_counted() {
    let thought = |text: &str| Item::Reasoning { choice: 0, text: text.into() };
    let say = |text: &str| Item::Text { choice: 0, text: text.into(), logprobs: Vec::new() };
    let items =
        || vec![thought("hello "), thought("there"), say("hello"), Item::Finish { choice: 0, reason: "stop".into() }];
    let answer = whole("/v1/chat/completions", CHAT, items());
    let message = json!({"role": "assistant", "content": "hello", "reasoning_content": "hello there"});
    assert_eq!(answer["choices"][0]["message"], message);
    assert_eq!(answer["usage"]["completion_tokens"], 3, "counted, because the engine did not say");
    assert!(answer["choices"][0].get("logprobs").is_none());

    let deltas: Vec<_> = streamed("/v1/chat/completions", STREAM, items())
        .iter()
        .map(|chunk| chunk["choices"][0]["delta"].clone())
        .collect();
    let wanted = [
        json!({"reasoning_content": "hello "}),
        json!({"reasoning_content": "there"}),
        json!({"content": "hello"}),
        json!({}),
    ];
    assert_eq!(deltas, wanted);
    // A completion has no place for them.
    let answer = whole("/v1/completions", COMPLETION, items());
    assert_eq!(answer["choices"][0], json!({"index": 0, "text": "hello", "finish_reason": "stop"}));
}
