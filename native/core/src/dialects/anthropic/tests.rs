//! The dialect as a whole, fed with what Anthropic's SDKs and servers send.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{json, Value};

use super::Anthropic;
use crate::dialects::neutral::{CallKind, Endpoint, Item, Thought};
use crate::dialects::{Answer, Ask, Change, Dialect, Fed, Listener, Loss, Protocol, Reply, To};
use crate::ledger::{Usage, UsageSource};

mod complaints;
mod fields;
mod thoughts;

fn read(body: &Value) -> (Value, Loss) {
    let mut loss = Loss::default();
    let neutral = Anthropic.read_request(&Ask::default(), body.to_string().as_bytes(), &mut loss).unwrap();
    (serde_json::from_slice(&neutral).unwrap(), loss)
}

fn to<'a>() -> To<'a> {
    To { endpoint: Endpoint::Chat, model: "claude", stream: false, cap: None, version: "2023-06-01" }
}

fn write_to(to: &To<'_>, neutral: &Value) -> (Value, Loss) {
    let mut loss = Loss::default();
    let body = Anthropic.write_request(to, neutral.to_string().as_bytes(), &mut loss).unwrap();
    (serde_json::from_slice(&body).unwrap(), loss)
}

fn write(neutral: &Value) -> (Value, Loss) {
    write_to(&to(), neutral)
}

fn lost(loss: &Loss, field: &str) -> Option<Change> {
    loss.fields().iter().find(|lost| lost.field == field).map(|lost| lost.change)
}

fn whole() -> Value {
    json!({
        "model": "m", "max_tokens": 4000, "temperature": 0.5, "top_k": 3, "top_p": 0.9, "stop_sequences": ["END"],
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "metadata": {"user_id": "u1"}, "service_tier": "standard_only", "stream": true,
        "thinking": {"type": "enabled", "budget_tokens": 2048},
        "tools": [
            {"name": "look", "description": "Looks.", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}},
            {"type": "web_search_20250305", "name": "web_search"}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}},
                {"type": "document", "title": "t.pdf", "source": {"type": "base64", "media_type": "application/pdf", "data": "BBBB"}}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
                {"type": "redacted_thinking", "data": "opaque"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": [1, 2]}},
                {"type": "tool_use", "id": "toolu_2", "name": "look", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "a cat"}]},
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": "nothing", "is_error": true},
                {"type": "text", "text": "So?"}]}]
    })
}

#[test]
fn all_of_a_request_is_in_the_neutral_one() {
    let (neutral, loss) = read(&whole());
    assert!(!loss.loses(), "{loss:?}");
    assert_eq!(
        neutral["messages"][0],
        json!({"role": "system", "content": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]})
    );
    assert_eq!(neutral["messages"][1]["content"][1]["image_url"]["url"], "data:image/png;base64,AAAA");
    assert_eq!(
        neutral["messages"][1]["content"][3]["file"],
        json!({"file_data": "data:application/pdf;base64,BBBB", "filename": "t.pdf"})
    );
    let said = &neutral["messages"][2];
    assert_eq!((&said["content"], &said["reasoning_content"]), (&json!("I look."), &json!("Hm.")));
    assert_eq!(
        said["thoughts"][0],
        json!({"origin": "anthropic", "type": "signature", "thinking": "Hm.", "signature": "sig"})
    );
    assert_eq!(said["tool_calls"][0]["function"], json!({"name": "look", "arguments": "{\"at\":[1,2]}"}));
    assert_eq!(neutral["messages"][3], json!({"role": "tool", "tool_call_id": "toolu_1", "content": "a cat"}));
    assert_eq!(neutral["messages"][4]["is_error"], true);
    assert_eq!(neutral["messages"][5], json!({"role": "user", "content": "So?"}));
    assert_eq!(
        (&neutral["stop"], &neutral["user"], &neutral["tool_choice"]),
        (&json!(["END"]), &json!("u1"), &json!("required"))
    );
    assert_eq!((&neutral["parallel_tool_calls"], &neutral["service_tier"]), (&json!(false), &json!("default")));
    assert_eq!(
        neutral["tools"][1],
        json!({"type": "native", "origin": "anthropic", "value": {"type": "web_search_20250305", "name": "web_search"}})
    );
}

#[test]
fn a_request_that_goes_there_and_back_means_the_same() {
    let (neutral, _) = read(&whole());
    let (back, loss) = write_to(&To { stream: true, ..to() }, &neutral);
    let mut wanted = whole();
    wanted["model"] = json!("claude");
    // Sampling is refused while the model thinks, and so is a call that must be; a plain text needs no block.
    for name in ["temperature", "top_k", "top_p"] {
        wanted.as_object_mut().unwrap().remove(name);
        assert_eq!(lost(&loss, name), Some(Change::Dropped));
    }
    wanted["tool_choice"]["type"] = json!("auto");
    assert_eq!(lost(&loss, "tool_choice"), Some(Change::Approximated));
    wanted["messages"][2]["content"][0]["content"] = json!("a cat");
    assert_eq!(back["messages"], wanted["messages"]);
    assert_eq!((&back["system"], &back["tools"]), (&wanted["system"], &wanted["tools"]));
    assert_eq!((&back["thinking"], &back["tool_choice"]), (&wanted["thinking"], &wanted["tool_choice"]));
    assert_eq!((&back["metadata"], &back["stop_sequences"]), (&wanted["metadata"], &wanted["stop_sequences"]));
}

#[test]
fn what_no_other_dialect_has_is_reported() {
    let mut body = whole();
    body["container"] = json!("c");
    body["messages"][0]["content"].as_array_mut().unwrap().push(json!({"type": "container_upload", "file_id": "f"}));
    body["tools"][0]["allowed_callers"] = json!(["direct"]);
    let (_, loss) = read(&body);
    for field in ["container", "messages[].content[].container_upload", "tools[].allowed_callers"] {
        assert_eq!(lost(&loss, field), Some(Change::Dropped), "{field} {loss:?}");
    }
}

#[test]
fn bad_requests_say_what_is_wrong_and_where() {
    for (body, param) in [
        (json!({"max_tokens": 5, "messages": []}), "model"),
        (json!({"model": "m", "messages": []}), "max_tokens"),
        (json!({"model": "m", "max_tokens": 0.5, "messages": []}), "max_tokens"),
        (json!({"model": "m", "max_tokens": 5, "messages": [], "stop_sequences": "END"}), "stop_sequences"),
        (json!({"model": "m", "max_tokens": 5, "messages": [], "metadata": "u"}), "metadata"),
        (json!({"model": "m", "max_tokens": 5, "messages": [], "thinking": true}), "thinking"),
        (json!({"model": "m", "max_tokens": 5, "messages": [], "thinking": {"type": "much"}}), "thinking.type"),
        (
            json!({"model": "m", "max_tokens": 5, "messages": [], "thinking": {"type": "enabled"}}),
            "thinking.budget_tokens",
        ),
        (
            json!({"model": "m", "max_tokens": 5, "messages": [], "output_config": {"format": {"type": "xml"}}}),
            "output_config.format.type",
        ),
        (json!({"model": "m", "max_tokens": 5, "messages": [], "tools": [{"name": "f"}]}), "tools.0.input_schema"),
        (
            json!({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": ["x"]}]}),
            "messages.0.content",
        ),
        (json!({"model": "m", "max_tokens": 5, "messages": 7}), "messages"),
        (json!({"model": "m", "max_tokens": 5, "messages": [{"role": "robot", "content": "x"}]}), "messages.0.role"),
        (json!({"model": "m", "max_tokens": 5, "messages": [{"role": "user"}]}), "messages.0.content"),
        (json!({"model": "m", "max_tokens": 5, "messages": [], "tool_choice": {"type": "x"}}), "tool_choice.type"),
        (
            json!({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": [{"type": "image"}]}]}),
            "messages.0.content.source",
        ),
    ] {
        let failure = Anthropic.read_request(&Ask::default(), body.to_string().as_bytes(), &mut Loss::default());
        assert_eq!(failure.unwrap_err().param.as_deref(), Some(param), "{body}");
    }
    let count = Ask { count: true, ..Ask::default() };
    Anthropic.read_request(&count, br#"{"model":"m","messages":[]}"#, &mut Loss::default()).unwrap();
}

#[test]
fn turns_alternate_and_begin_with_the_user() {
    let (body, loss) = write(&json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": "b"}, {"role": "user", "content": ""}, {"role": "user", "content": [{"type": "text", "text": "c"}]},
        {"role": "system", "content": "later"},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "call:1", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"role": "user", "content": "meanwhile"},
        {"role": "tool", "tool_call_id": "call:1", "content": "r"}]}));
    let roles: Vec<_> =
        body["messages"].as_array().unwrap().iter().map(|turn| turn["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant", "user", "assistant", "user"]);
    assert_eq!(
        body["messages"][2]["content"],
        json!([{"type": "text", "text": "b"}, {"type": "text", "text": "c"}, {"type": "text", "text": "later"}])
    );
    let call = &body["messages"][3]["content"][0];
    assert_eq!(call["input"], json!({}));
    assert!(call["id"].as_str().unwrap().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
    let last = &body["messages"][4]["content"];
    assert_eq!((&last[0]["type"], &last[0]["tool_use_id"]), (&json!("tool_result"), &call["id"]), "results go first");
    assert_eq!(lost(&loss, "messages"), Some(Change::Approximated));
    assert_eq!(lost(&loss, "messages[].role"), Some(Change::Approximated));
}

#[test]
fn openais_members_are_carried_or_reported() {
    let (body, loss) = write(
        &json!({"model": "m", "max_completion_tokens": 9000, "temperature": 1.7, "n": 2, "seed": 1, "logprobs": true,
        "logit_bias": {"1": 2}, "presence_penalty": 1, "frequency_penalty": 1, "user": "u", "stop": ["\n", "x"], "service_tier": "flex",
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
        "tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": {"type": "function", "function": {"name": "f"}},
        "messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}]}]}),
    );
    assert_eq!((&body["max_tokens"], &body["temperature"]), (&json!(9000), &json!(1)));
    let schema = json!({"type": "object", "additionalProperties": false});
    assert_eq!(body["output_config"]["format"], json!({"type": "json_schema", "schema": schema}));
    assert_eq!(body["tool_choice"], json!({"type": "tool", "name": "f"}));
    assert_eq!(body["tools"][0]["input_schema"]["type"], "object");
    assert_eq!((&body["stop_sequences"], &body["metadata"]["user_id"]), (&json!(["x"]), &json!("u")));
    for name in ["n", "seed", "logprobs", "logit_bias", "presence_penalty", "frequency_penalty", "stop", "service_tier"]
    {
        assert_eq!(lost(&loss, name), Some(Change::Dropped), "{name}");
    }
    assert_eq!(lost(&loss, "temperature"), Some(Change::Clamped));
    assert_eq!(lost(&loss, "messages[].content[].input_audio"), Some(Change::Dropped));
}

#[test]
fn effort_is_a_budget_or_a_word_by_the_apis_version() {
    let neutral = json!({"model": "m", "reasoning_effort": "medium", "temperature": 0.3, "messages": [{"role": "user", "content": "x"}]});
    let (body, loss) = write(&neutral);
    assert_eq!(body["thinking"], json!({"type": "enabled", "budget_tokens": 8192}));
    assert_eq!((&body["max_tokens"], lost(&loss, "max_tokens")), (&json!(4096 + 8192), Some(Change::Clamped)));
    let (body, loss) = write_to(&To { version: "2026-10-21", ..to() }, &neutral);
    assert_eq!((&body["thinking"]["type"], &body["output_config"]["effort"]), (&json!("adaptive"), &json!("medium")));
    assert_eq!(lost(&loss, "temperature"), Some(Change::Dropped));
    let (body, _) = write(
        &json!({"model": "m", "max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 5000}, "messages": []}),
    );
    assert_eq!(body["thinking"]["budget_tokens"], 1999);
}

#[test]
fn a_turn_whose_calls_have_no_signed_thoughts_is_ended_without_thinking() {
    let call = json!({"role": "assistant", "content": "", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
    let mut neutral = json!({"model": "m", "max_tokens": 5000, "thinking": {"type": "enabled", "budget_tokens": 2000},
        "messages": [{"role": "user", "content": "x"}, call, {"role": "tool", "tool_call_id": "a", "content": "r"}]});
    let (body, loss) = write(&neutral);
    assert_eq!((&body["thinking"]["type"], lost(&loss, "thinking")), (&json!("disabled"), Some(Change::Dropped)));
    neutral["messages"][1]["thoughts"] = json!([{"origin": "anthropic", "type": "signature", "thinking": "t", "signature": "s"}, {"origin": "gemini", "type": "text", "signature": "g"}]);
    let (body, loss) = write(&neutral);
    assert_eq!(body["thinking"]["type"], "enabled");
    assert_eq!(body["messages"][1]["content"][0], json!({"type": "thinking", "thinking": "t", "signature": "s"}));
    assert_eq!(lost(&loss, "messages[].thoughts"), Some(Change::Dropped));
}

#[test]
fn between_equals_only_policy_changes_a_body() {
    let body = br#"{ "model": "m", "max_tokens": 50, "odd": [1,  2] }"#;
    let same = To { model: "m", ..to() };
    assert_eq!(Anthropic.splice_request(&same, body), body);
    let capped = To { model: "n", cap: Some(10), ..to() };
    assert_eq!(Anthropic.splice_request(&capped, body), br#"{ "model": "n", "max_tokens": 10, "odd": [1,  2] }"#);
}

const STREAM: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"usage\":{\"input_tokens\":5,\"cache_creation_input_tokens\":2,\"cache_read_input_tokens\":3,\"output_tokens\":1}}}\n\n",
    "event: ping\ndata: {\"type\":\"ping\"}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"Hm\u{f6}.\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"sig\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
    "event: content_block_start\r\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\r\n\r\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":2,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"f\",\"input\":{}}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\\\":1}\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":2}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":3,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_2\",\"name\":\"g\",\"input\":{}}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":3}\n\n",
    "event: odd\ndata: {\"type\":\"odd\"}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":20}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
);

/// What a stream says, fed in these pieces; and how it ended.
fn heard(pieces: &[&[u8]]) -> (Vec<Item>, Fed) {
    let (mut listener, mut items, mut end) = (Listener::of(&Anthropic), Vec::new(), Fed::Open);
    for piece in pieces {
        listener.push(Bytes::copy_from_slice(piece));
        while let Some((fed, _)) = listener.next_event(&mut items) {
            end = fed;
            if end != Fed::Open {
                return (items, end);
            }
        }
    }
    (items, end)
}

fn call(index: u32, id: &str, name: &str, arguments: &str) -> [Item; 2] {
    let (id, name) = (Some(id.to_owned()), Some(name.to_owned()));
    [
        Item::ToolCall { choice: 0, index, id, name, arguments: String::new(), kind: CallKind::Function },
        Item::ToolCall {
            choice: 0,
            index,
            id: None,
            name: None,
            arguments: arguments.to_owned(),
            kind: CallKind::Function,
        },
    ]
}

#[test]
fn a_stream_is_the_same_at_every_split() {
    let text = STREAM.as_bytes();
    let (items, end) = heard(&[text]);
    let [a, b] = call(0, "toolu_1", "f", "{\"a\":1}");
    let [c, d] = call(1, "toolu_2", "g", "{}");
    let wanted = vec![
        Item::Reasoning { choice: 0, text: "Hmö.".into() },
        Item::Thought { choice: 0, origin: Dialect::Anthropic, thought: Thought::Signature("sig".into()) },
        Item::Text { choice: 0, text: "Hi".into(), logprobs: Vec::new() },
        a,
        b,
        c,
        d,
        Item::Finish { choice: 0, reason: "tool_calls".into() },
        Item::Usage(Usage {
            input_tokens: 10,
            output_tokens: 20,
            cached_tokens: 3,
            cache_written_tokens: 2,
            source: UsageSource::Reported,
            ..Usage::default()
        }),
    ];
    assert_eq!((&items, &end), (&wanted, &Fed::Done));
    for at in 0..text.len() {
        assert_eq!(heard(&[&text[..at], &text[at..]]), (wanted.clone(), Fed::Done), "{at}");
    }
    let bytes: Vec<&[u8]> = text.chunks(1).collect();
    assert_eq!(heard(&bytes), (wanted, Fed::Done));
}

#[test]
fn what_is_written_reads_back_the_same() {
    let (items, _) = heard(&[STREAM.as_bytes()]);
    let usage = Usage {
        input_tokens: 10,
        output_tokens: 20,
        cached_tokens: 3,
        cache_written_tokens: 2,
        source: UsageSource::Reported,
        ..Usage::default()
    };
    let reply = Reply { id: "1".into(), model: "m".into(), ..Reply::default() };
    let mut encoder = Anthropic.encoder(reply.clone());
    let mut out = Vec::new();
    items.iter().for_each(|item| encoder.item(item, &mut out));
    encoder.end(&usage, &mut out);
    assert_eq!(heard(&[&out]), (items.clone(), Fed::Done));
    let body = Anthropic.write_answer(&reply, &items, &usage);
    let said: Value = serde_json::from_slice(&body).unwrap();
    let kinds: Vec<_> =
        said["content"].as_array().unwrap().iter().map(|block| block["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["thinking", "text", "tool_use", "tool_use"]);
    assert_eq!(
        said["usage"],
        json!({"input_tokens": 5, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 3, "output_tokens": 20})
    );
    let mut read = Vec::new();
    assert_eq!(Anthropic.read_answer(Endpoint::Chat, &body, &mut read), Answer::Whole);
    let joined =
        |items: &[Item]| serde_json::from_slice::<Value>(&Anthropic.write_answer(&reply, items, &usage)).unwrap();
    assert_eq!(joined(&read), said, "a whole answer says what its stream does");
}

#[test]
fn parallel_calls_whose_pieces_come_mixed_are_told_one_after_the_other() {
    let [a, b] = call(0, "a", "f", "{\"x\":");
    let [c, d] = call(1, "b", "g", "{\"y\":");
    let more = |index, text: &str| Item::ToolCall {
        choice: 0,
        index,
        id: None,
        name: None,
        arguments: text.into(),
        kind: CallKind::Function,
    };
    let items = [a, c, b, d, more(0, "1}"), more(1, "2}"), Item::Finish { choice: 0, reason: "tool_calls".into() }];
    let mut encoder = Anthropic.encoder(Reply::default());
    let mut out = Vec::new();
    items.iter().for_each(|item| encoder.item(item, &mut out));
    encoder.end(&Usage::default(), &mut out);
    let (read, end) = heard(&[&out]);
    assert_eq!(end, Fed::Done);
    let mut calls = vec![(String::new(), String::new()); 2];
    for item in read {
        if let Item::ToolCall { index, name, arguments, .. } = item {
            calls[index as usize].0.push_str(name.as_deref().unwrap_or_default());
            calls[index as usize].1.push_str(&arguments);
        }
    }
    assert_eq!(calls, [("f".into(), "{\"x\":1}".into()), ("g".into(), "{\"y\":2}".into())]);
}

#[test]
fn broken_streams_are_told_from_whole_ones() {
    let cut = STREAM.find("event: message_delta").unwrap();
    let (_, end) = heard(&[&STREAM.as_bytes()[..cut]]);
    assert_eq!(end, Fed::Open);
    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    assert_eq!(heard(&[error.as_bytes()]).1, Fed::Error("Overloaded".into()));
    for odd in [
        "data: 7\n\n",
        "data: {}\n\n",
        "data: {\"type\":\"message_stop\"}\n\n",
        "data: {\"type\":\"content_block_delta\"}\n\n",
    ] {
        assert_eq!(heard(&[odd.as_bytes()]).1, Fed::Malformed, "{odd}");
    }
    let mut decoder = Anthropic.decoder();
    assert!(!decoder.finish(&mut Vec::new()));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(text in "[\\[\\]{}\":,a-z0-9_ \\\\]{0,200}", field in "(messages|content|tools|type|thinking|source|stop_reason)") {
        let body = format!("{{\"model\":\"m\",\"max_tokens\":1,\"messages\":[],\"{field}\":{text}}}");
        let _ = Anthropic.read_request(&Ask::default(), body.as_bytes(), &mut Loss::default());
        let _ = Anthropic.write_request(&to(), body.as_bytes(), &mut Loss::default());
        let _ = Anthropic.read_answer(Endpoint::Chat, body.as_bytes(), &mut Vec::new());
        let _ = heard(&[format!("data: {body}\n\n").as_bytes()]);
    }
}
