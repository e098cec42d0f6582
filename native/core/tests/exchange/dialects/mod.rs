//! Callers of one protocol, upstreams of another: through the whole exchange.

mod gemini;
mod kept;
mod line_ends;
mod losses;
mod responses;
mod streams;
mod threads;

use crate::world::*;
use hoosh_core::dialects::Dialect;
use hoosh_core::ledger::{Ending, UsageSource};

const OPENAI: &str = super::ANSWER;
const MESSAGES: &str = r#"{"model":"m","max_tokens":50,"messages":[{"role":"user","content":"hi"}]}"#;
const STREAMED: &str = r#"{"model":"m","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
const SAID: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":8,"output_tokens":2},"later":{"kept":[1, 2]}}"#;
const RESPONSES: &str = r#"{"model":"m","input":"hi"}"#;
const GENERATED: &str = r#"{"candidates":[{"content":{"parts":[{"text":"hello"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":2,"totalTokenCount":10},"modelVersion":"m","responseId":"r1"}"#;
const CONTENTS: &str = r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#;

/// One provider of `dialect`.
fn one(dialect: &str) -> World {
    World::new(&format!(
        "[[providers]]\nname = \"one\"\ntype = \"openai_compatible\"\ndialect = \"{dialect}\"\nbase_url = \"http://one.example\"\napi_key = \"sk-one\"\nmodels = [\"m\"]\n"
    ))
}

fn header<'a>(request: &'a hoosh_core::http::UpstreamRequest, name: &str) -> Option<&'a str> {
    let found = request.headers.iter().find(|(own, _)| own == name.as_bytes())?;
    std::str::from_utf8(&found.1).ok()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// What a caller asks: its path and body; and what an upstream answers.
fn said_in(dialect: Dialect) -> (&'static str, &'static str, &'static str) {
    let ollama = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":false}"#;
    let response = r#"{"id":"resp_2","object":"response","status":"completed","model":"m","output":[{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"hello","annotations":[]}]}],"usage":{"input_tokens":8,"output_tokens":2,"total_tokens":10}}"#;
    let said = r#"{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"hello"},"done":true,"done_reason":"stop","prompt_eval_count":8,"eval_count":2}"#;
    match dialect {
        Dialect::OpenAiChat => ("/v1/chat/completions", super::CHAT, OPENAI),
        Dialect::OpenAiResponses => ("/v1/responses", RESPONSES, response),
        Dialect::Anthropic => ("/v1/messages", MESSAGES, SAID),
        Dialect::Gemini => ("/v1beta/models/m:generateContent", CONTENTS, GENERATED),
        Dialect::Ollama => ("/api/chat", ollama, said),
    }
}

#[test]
fn every_dialect_answers_every_other() {
    for (path, body, caller) in Dialect::ALL.map(|dialect| (said_in(dialect).0, said_in(dialect).1, dialect.as_str())) {
        for (answer, upstream) in Dialect::ALL.map(|dialect| (said_in(dialect).2, dialect.as_str())) {
            let mut world = one(upstream);
            let mut call = world.post(path, body);
            let (u, request) = call.sent(&mut world);
            assert!(text(request.body.bytes()).contains("hi"), "{caller} {upstream}");
            call.answer(u, 200, "application/json", answer);
            let reply = call.reply(&mut world);
            assert_eq!(reply.status, 200, "{caller} {upstream} {:?}", reply.body);
            assert!(text(&reply.body).contains("\"hello\""), "{caller} {upstream} {:?}", reply.body);
            assert_eq!(caller == upstream, text(&reply.body) == answer, "{caller} {upstream}");
            call.over(&mut world);
            let row = &world.rows()[0];
            assert_eq!((row.usage.input_tokens, row.ending), (8, Ending::Completed), "{caller} {upstream}");
        }
    }
}

#[test]
fn the_same_dialect_passes_byte_for_byte() {
    let mut world = one("anthropic");
    let mut call = world.begin_with(
        "POST",
        "/v1/messages",
        Some(MESSAGES),
        &[("anthropic-beta", "b1,b2"), ("anthropic-version", "2023-06-01")],
    );
    let (u, request) = call.sent(&mut world);
    assert_eq!(text(request.body.bytes()), MESSAGES);
    assert_eq!(text(&request.target), "/v1/messages");
    assert_eq!(header(&request, "x-api-key"), Some("sk-one"));
    assert_eq!(header(&request, "authorization"), None);
    assert_eq!(header(&request, "anthropic-version"), Some("2023-06-01"));
    assert_eq!(header(&request, "anthropic-beta"), Some("b1,b2"));
    call.answer(u, 200, "application/json", SAID);
    let reply = call.reply(&mut world);
    assert_eq!((reply.status, text(&reply.body)), (200, SAID));
    assert_eq!(reply.header("x-hoosh-loss"), None);
    assert_eq!(reply.header("request-id"), reply.header("x-request-id"));
    call.over(&mut world);
    let row = &world.rows()[0];
    assert_eq!((row.usage.input_tokens, row.usage.output_tokens, row.usage.source), (8, 2, UsageSource::Reported));
    assert_eq!((row.path.as_deref(), row.loss.as_deref()), (Some("/v1/messages"), None));
}

#[test]
fn an_anthropic_caller_is_answered_by_an_openai_upstream() {
    let mut world = one("openai_chat");
    let mut call = world.post("/v1/messages", MESSAGES);
    let (u, request) = call.sent(&mut world);
    assert_eq!(text(&request.target), "/v1/chat/completions");
    assert_eq!(header(&request, "authorization"), Some("Bearer sk-one"));
    let sent: serde_json::Value = serde_json::from_slice(request.body.bytes()).unwrap();
    assert_eq!((&sent["model"], &sent["messages"][0]["content"]), (&"m".into(), &"hi".into()));
    assert_eq!(sent["max_tokens"], 50);
    call.answer(u, 200, "application/json", OPENAI);
    let reply = call.reply(&mut world);
    let said: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!((reply.status, &said["type"]), (200, &"message".into()));
    assert_eq!(said["content"][0], serde_json::json!({"type": "text", "text": "hello"}));
    assert_eq!((&said["stop_reason"], &said["usage"]["input_tokens"]), (&"end_turn".into(), &8.into()));
    call.over(&mut world);
    assert_eq!(world.rows()[0].usage.total(), 9);
}

#[test]
fn an_openai_caller_is_answered_by_an_anthropic_upstream() {
    let mut world = one("anthropic");
    let mut call = world.post("/v1/chat/completions", super::CHAT);
    let (u, request) = call.sent(&mut world);
    assert_eq!(header(&request, "anthropic-version"), Some("2023-06-01"));
    let sent: serde_json::Value = serde_json::from_slice(request.body.bytes()).unwrap();
    assert!(sent["max_tokens"].as_u64().is_some_and(|most| most > 0), "{sent}");
    call.answer(u, 200, "application/json", SAID);
    let said: serde_json::Value = serde_json::from_slice(&call.reply(&mut world).body).unwrap();
    assert_eq!(
        (&said["object"], &said["choices"][0]["message"]["content"]),
        (&"chat.completion".into(), &"hello".into())
    );
    assert_eq!((&said["choices"][0]["finish_reason"], &said["usage"]["total_tokens"]), (&"stop".into(), &10.into()));
    call.over(&mut world);
}

#[test]
fn errors_have_the_callers_shape_and_the_upstreams_words() {
    let mut world = one("openai_chat");
    let mut call = world.post("/v1/messages", r#"{"model":"m","messages":7}"#);
    let reply = call.reply(&mut world);
    assert!(
        text(&reply.body).starts_with("{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\""),
        "{:?}",
        reply.body
    );
    assert_eq!(reply.status, 400);
    let mut call = world.post("/v1/messages", MESSAGES);
    let (u, _) = call.sent(&mut world);
    call.answer(u, 422, "application/json", r#"{"error":{"message":"too odd","type":"invalid_request_error"}}"#);
    let reply = call.reply(&mut world);
    assert!(
        text(&reply.body).contains("\"type\":\"error\"") && text(&reply.body).contains("too odd"),
        "{:?}",
        reply.body
    );
    assert_eq!(reply.status, 422);
    let mut world = one("anthropic");
    let refusal = r#"{"type":"error","error":{"type":"invalid_request_error","message":"too odd"}}"#;
    for (path, body, same) in [("/v1/messages", MESSAGES, true), ("/v1/chat/completions", super::CHAT, false)] {
        let mut call = world.post(path, body);
        let (u, _) = call.sent(&mut world);
        call.answer(u, 400, "application/json", refusal);
        let reply = call.reply(&mut world);
        assert_eq!(text(&reply.body) == refusal, same, "{:?}", reply.body);
        assert!(text(&reply.body).contains("too odd"), "{:?}", reply.body);
    }
}

#[test]
fn a_key_is_found_where_each_sdk_puts_it() {
    let mut world = World::new(GUARDED);
    for (path, headers) in [
        ("/v1/messages", &[("x-api-key", "secret")][..]),
        ("/v1/messages", &[("authorization", "Bearer secret")]),
        ("/v1/messages", &[("x-api-key", "wrong"), ("authorization", "Bearer secret")]),
        ("/v1beta/models/m:generateContent", &[("x-goog-api-key", "secret")]),
        ("/v1beta/models/m:generateContent?key=secret", &[]),
    ] {
        let reply = world.begin_with("POST", path, Some("[]"), headers).reply(&mut world);
        assert_eq!(reply.status, 400, "{path} {headers:?}");
    }
    for (path, headers, shape) in [
        (
            "/v1/messages",
            &[("x-api-key", "wrong")][..],
            "{\"type\":\"error\",\"error\":{\"type\":\"authentication_error\"",
        ),
        ("/v1/chat/completions?key=secret", &[], "{\"error\":{\"message\":"),
        ("/v1beta/models/m:generateContent", &[], "{\"error\":{\"code\":401"),
        ("/api/chat", &[], "{\"error\":\""),
    ] {
        let reply = world.begin_with("POST", path, Some("[]"), headers).reply(&mut world);
        assert_eq!((reply.status, text(&reply.body).starts_with(shape)), (401, true), "{path} {:?}", reply.body);
    }
}

#[test]
fn tokens_are_counted_without_a_provider() {
    let mut world = one("anthropic");
    let body = r#"{"model":"m","messages":[{"role":"user","content":"How many tokens are these?"}]}"#;
    let mut call = world.post("/v1/messages/count_tokens", body);
    let reply = call.reply(&mut world);
    let said: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert!(said["input_tokens"].as_u64().is_some_and(|tokens| (5..40).contains(&tokens)), "{said}");
    call.over(&mut world);
    assert!(world.rows().is_empty());
    let reply = world.post("/v1/messages/count_tokens", &body.replace("\"m\"", "\"other\"")).reply(&mut world);
    assert_eq!(reply.status, 404);
}

#[test]
fn lists_have_the_shape_of_who_asks() {
    let mut world = one("anthropic");
    for (target, headers, wanted) in [
        ("/v1/models", &[][..], "\"object\":\"list\""),
        ("/v1/models", &[("anthropic-version", "2023-06-01")], "\"has_more\":false"),
        ("/v1/models", &[("x-goog-api-key", "k")], "\"name\":\"models/m\""),
        ("/v1beta/models", &[], "\"name\":\"models/m\""),
        ("/api/tags", &[], "\"model\":\"m"),
        ("/v1/models/m", &[("anthropic-version", "2023-06-01")], "\"type\":\"model\""),
        ("/v1beta/models/m", &[], "\"name\":\"models/m\""),
    ] {
        let reply = world.get_with(target, headers);
        assert_eq!(reply.status, 200, "{target}");
        assert!(text(&reply.body).contains(wanted), "{target} {:?}", reply.body);
    }
}
