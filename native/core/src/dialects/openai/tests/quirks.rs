//! Each quirk by itself: what a request is without it, and what it is with it.

use super::*;
use crate::dialects::openai::manners::Manners;
use crate::dialects::openai::quirks::{Quirk, QUIRKS};
use serde_json::{json, Value};

/// A provider of which nothing is known but this.
fn with(quirk: &str) -> OpenAiChat {
    let mut manners = Manners::USUAL;
    Quirk::named(quirk).unwrap_or_else(|| panic!("no quirk {quirk}")).apply(&mut manners);
    OpenAiChat { manners }
}

fn chat(model: &str, members: Value) -> String {
    let mut body = json!({"model": model, "messages": []});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    body.to_string()
}

fn turn(member: &str, value: Value) -> Value {
    json!({"messages": [{"role": "assistant", "content": "x", member: value}]})
}

/// A quirk, the model and members of a request, where to look in what is sent, and what is there without it and with it.
type Case = (&'static str, &'static str, Value, &'static str, Value, Value);

fn cases() -> Vec<Case> {
    let stops = |count: usize| Value::from((0..count).map(|n| n.to_string()).collect::<Vec<_>>());
    let thought = turn("reasoning_content", json!("hm"));
    let call = json!({"messages": [{"role": "assistant", "tool_calls": [{"id": "c", "type": "function",
        "function": {"name": "f", "arguments": "{}"},
        "extra_content": {"google": {"thought_signature": "s"}}}]}]});
    let marked = json!({"messages": [{"role": "user", "content": [
        {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]}]});
    let custom = json!({"tools": [{"type": "custom", "custom": {"name": "f"}}]});
    let thoughts = json!({"messages": [{"role": "assistant", "content": "x", "thoughts": [
        {"origin": "openai_chat", "type": "item", "item": {"type": "reasoning.encrypted", "data": "e"}}]}]});
    vec![
        ("no_foreign_members", "m", json!({"top_k": 5}), "/top_k", json!(5), Value::Null),
        ("no_foreign_members", "m", json!({"min_p": 0.5}), "/min_p", json!(0.5), Value::Null),
        (
            "no_foreign_members",
            "deepseek-r1",
            thought.clone(),
            "/messages/0/reasoning_content",
            json!("hm"),
            Value::Null,
        ),
        (
            "no_foreign_members",
            "claude-x",
            marked.clone(),
            "/messages/0/content/0/cache_control/type",
            json!("ephemeral"),
            Value::Null,
        ),
        (
            "no_foreign_members",
            "gemini-x",
            call.clone(),
            "/messages/0/tool_calls/0/extra_content/google/thought_signature",
            json!("s"),
            Value::Null,
        ),
        ("no_top_k", "m", json!({"top_k": 5}), "/top_k", json!(5), Value::Null),
        ("takes_reasoning_content", "m", thought, "/messages/0/reasoning_content", Value::Null, json!("hm")),
        ("takes_reasoning_details", "m", thoughts, "/messages/0/reasoning_details/0/data", Value::Null, json!("e")),
        (
            "takes_google_signatures",
            "m",
            call,
            "/messages/0/tool_calls/0/extra_content/google/thought_signature",
            Value::Null,
            json!("s"),
        ),
        (
            "takes_cache_control",
            "m",
            marked,
            "/messages/0/content/0/cache_control/type",
            Value::Null,
            json!("ephemeral"),
        ),
        (
            "takes_thinking",
            "m",
            json!({"thinking": {"type": "disabled"}}),
            "/thinking/type",
            Value::Null,
            json!("disabled"),
        ),
        (
            "takes_developer_role",
            "m",
            json!({"messages": [{"role": "developer", "content": "x"}]}),
            "/messages/0/role",
            json!("system"),
            json!("developer"),
        ),
        ("takes_openai_tools", "m", custom, "/tools/0/type", json!("function"), json!("custom")),
        ("metadata_needs_store", "m", json!({"metadata": {"a": "b"}}), "/metadata/a", json!("b"), Value::Null),
        ("four_stops", "m", json!({"stop": stops(5)}), "/stop", stops(5), stops(4)),
        ("sixteen_stops", "m", json!({"stop": stops(17)}), "/stop", stops(17), stops(16)),
    ]
}

#[test]
fn each_quirk_changes_what_it_says() {
    for (quirk, model, members, at, without, changed) in cases() {
        let neutral = chat(model, members);
        let to = To { model, ..CHAT };
        for (dialect, expected) in [(OpenAiChat::USUAL, without), (with(quirk), changed)] {
            let (body, _) = written(dialect, &to, &neutral);
            let found = body.pointer(at).cloned().unwrap_or_default();
            assert_eq!(found, expected, "{quirk}: {at} of {body}");
        }
    }
}

#[test]
fn caps_and_ids_are_told_by_quirks_too() {
    let to = To { cap: Some(9), ..CHAT };
    let (body, _) = written(with("max_completion_tokens"), &to, &chat("m", json!({})));
    assert_eq!((body["max_completion_tokens"].clone(), body.get("max_tokens")), (json!(9), None));
    assert_eq!(written(OpenAiChat::USUAL, &to, &chat("m", json!({}))).0["max_tokens"], 9);
    assert!(with("uuid_request_ids").manners.uuid_ids && !Manners::USUAL.uuid_ids);
}

#[test]
fn every_quirk_has_a_case_and_a_provider() {
    let cases = cases();
    let types = catalogue::types();
    for quirk in QUIRKS {
        let tested = ["max_completion_tokens", "uuid_request_ids"].contains(&quirk.name);
        assert!(tested || cases.iter().any(|case| case.0 == quirk.name), "{quirk:?} has no case");
        assert!(types.iter().any(|kind| kind.quirks.contains(&quirk.name)), "{quirk:?}: no provider has it");
        assert_eq!(QUIRKS.iter().filter(|other| other.name == quirk.name).count(), 1, "{quirk:?}");
    }
}
