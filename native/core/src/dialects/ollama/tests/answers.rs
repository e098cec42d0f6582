use serde_json::{json, Value};

use super::super::Ollama;
use super::heard;
use crate::dialects::neutral::{CallKind, Endpoint, Item, TokenLogprob};
use crate::dialects::{Answer, Fed, Form, Protocol, Reply};
use crate::error::{Code, Failure};
use crate::ledger::{Usage, UsageSource};

/// As a server of version 0.12 streams it, with a blank line of a proxy.
const STREAM: &str = concat!(
    r#"{"model":"qwen3","created_at":"2025-10-07T22:54:32.1Z","message":{"role":"assistant","content":"","thinking":"Hmö."},"done":false}"#,
    "\n\r\n",
    r#"{"model":"qwen3","created_at":"2025-10-07T22:54:32.2Z","message":{"role":"assistant","content":"Hi"},"logprobs":[{"token":"Hi","logprob":-0.5,"bytes":[72,105],"top_logprobs":[{"token":"Hi","logprob":-0.5}]}],"done":false}"#,
    "\n",
    r#"{"model":"qwen3","created_at":"2025-10-07T22:54:32.3Z","message":{"role":"assistant","content":"","tool_calls":[{"id":"call_x","function":{"index":0,"name":"f","arguments":{"a":1}}}]},"done":false}"#,
    "\n",
    r#"{"model":"qwen3","created_at":"2025-10-07T22:54:32.4Z","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"g","arguments":{}}}]},"done":false}"#,
    "\n",
    r#"{"model":"qwen3","created_at":"2025-10-07T22:54:32.5Z","message":{"role":"assistant","content":""},"done_reason":"stop","done":true,"total_duration":8,"load_duration":1,"prompt_eval_count":169,"prompt_eval_duration":3,"eval_count":15,"eval_duration":4}"#,
    "\n",
);

fn usage() -> Usage {
    Usage { input_tokens: 169, output_tokens: 15, cached_tokens: 0, source: UsageSource::Reported, ..Usage::default() }
}

fn call(index: u32, id: &str, name: &str, arguments: &str) -> Item {
    Item::ToolCall {
        choice: 0,
        index,
        id: Some(id.into()),
        name: Some(name.into()),
        arguments: arguments.into(),
        kind: CallKind::Function,
    }
}

fn wanted() -> Vec<Item> {
    let hi = || ("Hi".to_owned(), b"Hi".to_vec(), -0.5);
    let logprobs = vec![TokenLogprob { token: "Hi".into(), bytes: b"Hi".to_vec(), logprob: -0.5, top: vec![hi()] }];
    vec![
        Item::Reasoning { choice: 0, text: "Hmö.".into() },
        Item::Text { choice: 0, text: "Hi".into(), logprobs },
        call(0, "call_x", "f", "{\"a\":1}"),
        call(1, "", "g", "{}"),
        Item::Finish { choice: 0, reason: "tool_calls".into() },
        Item::Usage(usage()),
    ]
}

/// Without an id that was made up, which is checked here.
fn without_made_ids(mut items: Vec<Item>) -> Vec<Item> {
    if let Some(Item::ToolCall { id: Some(id), .. }) = items.get_mut(3) {
        assert!(id.len() == 29 && id.starts_with("call_"), "{id}");
        id.clear();
    }
    items
}

#[test]
fn a_stream_is_the_same_at_every_split() {
    let text = STREAM.as_bytes();
    let (items, end) = heard(&[text]);
    assert_eq!((without_made_ids(items.clone()), &end), (wanted(), &Fed::Done));
    for at in 0..text.len() {
        assert_eq!(heard(&[&text[..at], &text[at..]]), (items.clone(), Fed::Done), "{at}");
    }
    let bytes: Vec<&[u8]> = text.chunks(1).collect();
    assert_eq!(heard(&bytes), (items, Fed::Done));
}

#[test]
fn what_is_written_reads_back_the_same() {
    let (items, _) = heard(&[STREAM.as_bytes()]);
    for form in [Form::Usual, Form::Prompt] {
        let reply = Reply { model: "m".into(), created: 1_764_251_706, form, ..Reply::default() };
        let mut encoder = Ollama.encoder(reply.clone());
        let mut out = Vec::new();
        items.iter().for_each(|item| encoder.item(item, &mut out));
        encoder.end(&usage(), &mut out);
        assert_eq!(heard(&[&out]), (items.clone(), Fed::Done));
        let body = Ollama.write_answer(&reply, &items, &usage());
        let mut read = Vec::new();
        assert_eq!(Ollama.read_answer(Endpoint::Chat, &body, &mut read), Answer::Whole);
        assert_eq!(read, items, "a whole answer says what its stream does");
    }
}

#[test]
fn a_whole_answer_has_ollamas_shape() {
    let (items, _) = heard(&[STREAM.as_bytes()]);
    let reply = Reply { model: "m".into(), created: 1_764_251_706, ..Reply::default() };
    let said = |reply: &Reply| serde_json::from_slice::<Value>(&Ollama.write_answer(reply, &items, &usage())).unwrap();
    let mut chat = said(&reply);
    chat["message"]["tool_calls"].as_array_mut().unwrap().truncate(1);
    assert_eq!(
        chat,
        json!({"model": "m", "created_at": "2025-11-27T13:55:06Z", "done": true, "done_reason": "stop",
            "message": {"role": "assistant", "content": "Hi", "thinking": "Hmö.",
                "tool_calls": [{"id": "call_x", "function": {"index": 0, "name": "f", "arguments": {"a": 1}}}]},
            "logprobs": [{"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": [{"token": "Hi", "logprob": -0.5, "bytes": [72, 105]}]}],
            "prompt_eval_count": 169, "eval_count": 15})
    );
    let prompt = said(&Reply { form: Form::Prompt, ..reply });
    assert_eq!((&prompt["response"], &prompt["thinking"]), (&json!("Hi"), &json!("Hmö.")));
    assert!(prompt.get("message").is_none());
}

#[test]
fn a_generated_answer_is_read_too() {
    let lines = concat!(
        "{\"model\":\"m\",\"created_at\":\"x\",\"response\":\"The\",\"done\":false}\n",
        "{\"model\":\"m\",\"created_at\":\"x\",\"response\":\"\",\"done\":true,\"done_reason\":\"length\",\"context\":[1,2],\"eval_count\":1}\n"
    );
    let (items, end) = heard(&[lines.as_bytes()]);
    assert_eq!(end, Fed::Done);
    assert_eq!(items[0], Item::Text { choice: 0, text: "The".into(), logprobs: Vec::new() });
    assert_eq!(items[1], Item::Finish { choice: 0, reason: "length".into() });
}

#[test]
fn broken_streams_are_told_from_whole_ones() {
    let cut = STREAM.find("done_reason").unwrap();
    assert_eq!(heard(&[&STREAM.as_bytes()[..cut]]).1, Fed::Open);
    assert!(!Ollama.decoder().finish(&mut Vec::new()));
    for (line, words) in [
        ("{\"error\":\"model runner has stopped\"}\n", "model runner has stopped"),
        ("{\"error\":{\"message\":\"no\",\"type\":\"x\"}}\n", "no"),
        ("{\"error\":7}\n", ""),
    ] {
        assert_eq!(heard(&[line.as_bytes()]).1, Fed::Error(words.into()), "{line}");
    }
    for odd in
        ["7\n", "{}\n", "{\"status\":\"success\"}\n", "data: {\"done\":true}\n", "{\"message\":{\"tool_calls\":[7]}}\n"]
    {
        assert_eq!(heard(&[odd.as_bytes()]).1, Fed::Malformed, "{odd}");
    }
}

#[test]
fn a_line_of_a_stream_is_no_whole_answer() {
    let line = STREAM.lines().next().unwrap();
    assert_eq!(Ollama.read_answer(Endpoint::Chat, line.as_bytes(), &mut Vec::new()), Answer::Malformed);
    let error = Ollama.read_answer(Endpoint::Chat, b"{\"error\":\"no\"}", &mut Vec::new());
    assert_eq!(error, Answer::Error("no".into()));
}

#[test]
fn reasons_go_both_ways() {
    for (done_reason, calls, reason) in [
        ("stop", "", "stop"),
        ("length", "", "length"),
        ("load", "", "stop"),
        ("stop", "x", "tool_calls"),
        ("content_filter", "", "content_filter"),
    ] {
        let calls = if calls.is_empty() { json!([]) } else { json!([{"function": {"name": "f"}}]) };
        let line =
            json!({"message": {"tool_calls": calls}, "done": true, "done_reason": done_reason}).to_string() + "\n";
        let (items, _) = heard(&[line.as_bytes()]);
        assert_eq!(items.last(), Some(&Item::Finish { choice: 0, reason: reason.into() }), "{done_reason}");
        let said: Value =
            serde_json::from_slice(&Ollama.write_answer(&Reply::default(), &items, &Usage::default())).unwrap();
        assert_eq!(said["done_reason"], if done_reason == "load" { "stop" } else { done_reason });
    }
}

#[test]
fn vectors_have_both_forms() {
    let mut items = Vec::new();
    let body = br#"{"model":"m","embeddings":[[0.5,-1],[2,3e-3]],"total_duration":1,"prompt_eval_count":8}"#;
    assert_eq!(Ollama.read_answer(Endpoint::Embeddings, body, &mut items), Answer::Whole);
    let usage = Usage { input_tokens: 8, source: UsageSource::Reported, ..Usage::default() };
    assert_eq!(
        items,
        [
            Item::Embedding { index: 0, vector: vec![0.5, -1.0] },
            Item::Embedding { index: 1, vector: vec![2.0, 0.003] },
            Item::Usage(usage)
        ]
    );
    let reply = Reply { endpoint: Some(Endpoint::Embeddings), model: "m".into(), ..Reply::default() };
    let said = |reply: &Reply| serde_json::from_slice::<Value>(&Ollama.write_answer(reply, &items, &usage)).unwrap();
    assert_eq!(said(&reply)["embeddings"][0], json!([0.5, -1.0]));
    assert_eq!(said(&reply)["prompt_eval_count"], 8);
    assert_eq!(said(&Reply { form: Form::Other, ..reply }), json!({"embedding": [0.5, -1.0]}));
    let mut older = Vec::new();
    assert_eq!(Ollama.read_answer(Endpoint::Embeddings, br#"{"embedding":[1]}"#, &mut older), Answer::Whole);
    assert_eq!(older, [Item::Embedding { index: 0, vector: vec![1.0] }]);
    for odd in ["{}", "[]", "{\"embeddings\":[1]}", "{\"embeddings\":[[\"x\"]]}", "{\"embedding\":1}"] {
        assert_eq!(
            Ollama.read_answer(Endpoint::Embeddings, odd.as_bytes(), &mut Vec::new()),
            Answer::Malformed,
            "{odd}"
        );
    }
}

#[test]
fn parallel_calls_whose_pieces_come_mixed_go_out_whole() {
    let more = |index, text: &str| Item::ToolCall {
        choice: 0,
        index,
        id: None,
        name: None,
        arguments: text.into(),
        kind: CallKind::Function,
    };
    let items = [
        call(0, "a", "f", "{\"x\":"),
        call(1, "b", "g", ""),
        more(0, "1}"),
        Item::Text { choice: 0, text: "t".into(), logprobs: Vec::new() },
        Item::Text { choice: 1, text: "not this one".into(), logprobs: Vec::new() },
        Item::Refusal { choice: 0, text: "No.".into() },
    ];
    let mut encoder = Ollama.encoder(Reply::default());
    let mut out = Vec::new();
    items.iter().for_each(|item| encoder.item(item, &mut out));
    encoder.end(&Usage::default(), &mut out);
    let (read, end) = heard(&[&out]);
    assert_eq!(end, Fed::Done);
    let text = |text: &str| Item::Text { choice: 0, text: text.into(), logprobs: Vec::new() };
    assert_eq!(read[..4], [text("t"), text("No."), call(0, "a", "f", "{\"x\":1}"), call(1, "b", "g", "{}")]);
}

#[test]
fn an_error_is_a_line_of_the_stream() {
    let mut out = Vec::new();
    let failure = Failure::new(Code::UpstreamError, "It \"broke\".\n");
    assert!(Ollama.encoder(Reply::default()).error(&failure, &mut out));
    assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
    assert_eq!(heard(&[&out]).1, Fed::Error("It \"broke\".\n".into()));
    assert_eq!(Ollama.error_words(&out), Some("It \"broke\".\n".into()));
    assert_eq!(Ollama.error_words(b"<html>"), None);
}
