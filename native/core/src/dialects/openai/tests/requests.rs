//! Neutral requests, written for upstreams.

use super::*;
use serde_json::json;

fn with(messages: serde_json::Value) -> String {
    json!({"model": "m", "messages": messages}).to_string()
}

#[test]
fn thinking_becomes_an_effort() {
    for (thinking, effort) in [
        (json!({"type": "enabled", "budget_tokens": 1024}), json!("low")),
        (json!({"type": "enabled", "budget_tokens": 8192}), json!("medium")),
        (json!({"type": "enabled", "budget_tokens": 24576}), json!("high")),
        (json!({"type": "enabled"}), json!("high")),
        (json!({"type": "adaptive"}), json!(null)),
        (json!({"type": "disabled"}), json!(null)),
    ] {
        let neutral = json!({"model": "m", "messages": [], "thinking": thinking}).to_string();
        let (body, lost) = written(OpenAiChat::USUAL, &CHAT, &neutral);
        assert_eq!(body["reasoning_effort"], effort, "{thinking}");
        assert!(body.get("thinking").is_none());
        assert_eq!(lost, [super::lost("thinking", Change::Approximated)]);
    }
    let both =
        r#"{"model":"m","messages":[],"thinking":{"type":"enabled","budget_tokens":9},"reasoning_effort":"xhigh"}"#;
    assert_eq!(written(OpenAiChat::USUAL, &CHAT, both).0["reasoning_effort"], "xhigh");
    let unknown = r#"{"model":"m","messages":[],"thinking":true}"#;
    assert_eq!(written(OpenAiChat::USUAL, &CHAT, unknown).1, [lost("thinking", Change::Dropped)]);
}

#[test]
fn deepseek_is_told_whether_to_think() {
    let off = r#"{"model":"m","messages":[],"thinking":{"type":"disabled"}}"#;
    let (body, lost) = written(dialect("deepseek"), &CHAT, off);
    assert_eq!((body["thinking"].clone(), lost), (json!({"type": "disabled"}), vec![]));
    let on = r#"{"model":"m","messages":[],"thinking":{"type":"enabled","budget_tokens":30000}}"#;
    let (body, _) = written(dialect("deepseek"), &CHAT, on);
    assert_eq!(
        (body["thinking"].clone(), body["reasoning_effort"].clone()),
        (json!({"type": "enabled"}), json!("high"))
    );
}

#[test]
fn earlier_thoughts_go_to_those_who_want_them() {
    let neutral = with(json!([{"role": "assistant", "content": null, "reasoning_content": "hm",
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}]));
    for (provider, model, kept) in [
        ("deepseek", "deepseek-chat", true),
        ("vllm", "deepseek-ai/DeepSeek-V4", true),
        ("openai_compatible", "kimi-k2-thinking", true),
        ("openai_compatible", "m", false),
        ("groq", "deepseek-r1-distill-llama-70b", false),
        ("openai", "gpt-5", false),
        ("mistral", "magistral", false),
    ] {
        let (body, lost) = written(dialect(provider), &To { model, ..CHAT }, &neutral);
        assert_eq!(body["messages"][0].get("reasoning_content").is_some(), kept, "{provider} {model}");
        assert_eq!(lost.is_empty(), kept, "{lost:?}");
        assert_eq!(body["messages"][0]["tool_calls"][0]["id"], "c");
    }
}

#[test]
fn thoughts_go_to_their_origin_alone() {
    let neutral = with(json!([{"role": "assistant", "thoughts": [
        {"origin": "anthropic", "type": "signature", "thinking": "t", "signature": "s"},
        {"origin": "openai_chat", "type": "item", "item": {"type": "reasoning.encrypted", "data": "x"}}]}]));
    let (body, lost) = written(dialect("openrouter"), &CHAT, &neutral);
    assert_eq!(
        body["messages"][0],
        json!({"role": "assistant", "content": "",
        "reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]})
    );
    assert_eq!(lost, [super::lost("messages[].thoughts", Change::Dropped)]);
    let (body, lost) = written(dialect("openai"), &CHAT, &neutral);
    assert_eq!(body["messages"][0], json!({"role": "assistant", "content": ""}));
    assert_eq!(lost, [super::lost("messages[].thoughts", Change::Dropped)]);
}

#[test]
fn a_failed_tool_says_so_in_words() {
    for (content, expected) in [
        (json!("no such file"), "Error: no such file"),
        (json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]), "Error: a\nb"),
        (json!(null), "Error: "),
    ] {
        let neutral = with(json!([{"role": "tool", "tool_call_id": "c", "content": content, "is_error": true}]));
        let (body, lost) = written(OpenAiChat::USUAL, &CHAT, &neutral);
        assert_eq!(body["messages"][0], json!({"role": "tool", "tool_call_id": "c", "content": expected}));
        assert_eq!(lost, [super::lost("messages[].is_error", Change::Approximated)]);
    }
    let neutral = with(json!([{"role": "tool", "tool_call_id": "c", "content": "fine", "is_error": false}]));
    let (body, lost) = written(OpenAiChat::USUAL, &CHAT, &neutral);
    assert_eq!(body["messages"][0], json!({"role": "tool", "tool_call_id": "c", "content": "fine"}));
    assert!(lost.is_empty());
}

#[test]
fn pictures_of_tools_follow_the_last_result() {
    let picture = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}});
    let neutral = with(json!([
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "seen"}, picture]},
        {"role": "tool", "tool_call_id": "b", "content": [picture]},
        {"role": "user", "content": "go on"},
        {"role": "tool", "tool_call_id": "c", "content": [picture]},
    ]));
    let (body, lost) = written(OpenAiChat::USUAL, &CHAT, &neutral);
    assert_eq!(
        body["messages"],
        json!([
            {"role": "tool", "tool_call_id": "a", "content": "seen"},
            {"role": "tool", "tool_call_id": "b", "content": "See the attachment in the next message."},
            {"role": "user", "content": [
                {"type": "text", "text": "Attachment of the tool result a:"}, picture,
                {"type": "text", "text": "Attachment of the tool result b:"}, picture]},
            {"role": "user", "content": "go on"},
            {"role": "tool", "tool_call_id": "c", "content": "See the attachment in the next message."},
            {"role": "user", "content": [{"type": "text", "text": "Attachment of the tool result c:"}, picture]},
        ])
    );
    assert_eq!(lost, [super::lost("messages[].content[]", Change::Approximated)]);
}

#[test]
fn cache_markers_go_where_they_are_read() {
    let marker = json!({"type": "ephemeral"});
    let neutral = json!({"model": "m", "messages": [
        {"role": "system", "content": [{"type": "text", "text": "s", "cache_control": marker}]},
        {"role": "user", "content": "q", "cache_control": marker}],
        "tools": [{"type": "function", "function": {"name": "f"}, "cache_control": marker}]});
    let (body, lost) = written(OpenAiChat::USUAL, &CHAT, &neutral.to_string());
    assert!(!body.to_string().contains("cache_control"));
    assert_eq!(lost.len(), 3);
    assert!(lost.iter().all(|(field, change)| field.ends_with("cache_control") && *change == Change::Dropped));
    let to = To { model: "anthropic/claude-sonnet-5", ..CHAT };
    let (mut body, lost) = written(dialect("openrouter"), &to, &neutral.to_string());
    body["model"] = json!("m");
    assert_eq!((body, lost), (neutral, vec![]));
}

#[test]
fn what_a_provider_refuses_is_left_out_and_told() {
    let neutral = r#"{"model":"m","messages":[],"top_k":5,"min_p":0.1,"safety_settings":[{}]}"#;
    let (body, lost) = written(OpenAiChat::USUAL, &CHAT, neutral);
    assert_eq!((body["top_k"].clone(), body["min_p"].clone()), (json!(5), json!(0.1)));
    assert_eq!(lost, [super::lost("safety_settings", Change::Dropped)]);
    let (body, lost) = written(dialect("openai"), &CHAT, neutral);
    assert_eq!(body, json!({"model": "m", "messages": []}));
    assert_eq!(lost.len(), 3);
}

#[test]
fn documents_by_address_and_what_assistants_cannot_hold() {
    let neutral = with(json!([
        {"role": "user", "content": [{"type": "file", "file": {"file_url": "https://a.example/b.pdf"}}]},
        {"role": "assistant", "content": [{"type": "text", "text": "t"}, {"type": "image_url", "image_url": {"url": "u"}}]},
        {"role": "developer", "content": "d"},
    ]));
    let (body, lost) = written(OpenAiChat::USUAL, &CHAT, &neutral);
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": [{"type": "text", "text": "Document: https://a.example/b.pdf"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "t"}]},
            {"role": "system", "content": "d"},
        ])
    );
    assert_eq!(
        lost,
        [
            super::lost("messages[].content[].file.file_url", Change::Approximated),
            super::lost("messages[].content[]", Change::Dropped),
            super::lost("messages[].role", Change::Renamed),
        ]
    );
    let (body, _) = written(dialect("openai"), &CHAT, &neutral);
    assert_eq!(body["messages"][2]["role"], "developer");
}

#[test]
fn the_bound_has_the_name_that_the_provider_knows() {
    for (provider, asked, cap, expected) in [
        ("vllm", json!({"max_completion_tokens": 50}), None, json!({"max_tokens": 50})),
        ("openai", json!({"max_tokens": 50}), None, json!({"max_completion_tokens": 50})),
        (
            "openai",
            json!({"max_tokens": 50, "max_completion_tokens": 70}),
            Some(60),
            json!({"max_completion_tokens": 50}),
        ),
        ("vllm", json!({"max_tokens": 50}), Some(20), json!({"max_tokens": 20})),
        ("vllm", json!({}), Some(20), json!({"max_tokens": 20})),
        ("openai", json!({}), Some(20), json!({"max_completion_tokens": 20})),
        ("vllm", json!({}), None, json!({})),
    ] {
        let mut neutral = json!({"model": "m", "messages": []});
        neutral.as_object_mut().unwrap().extend(asked.as_object().unwrap().clone());
        let (body, _) = written(dialect(provider), &To { cap, ..CHAT }, &neutral.to_string());
        let mut wanted = json!({"model": "m", "messages": []});
        wanted.as_object_mut().unwrap().extend(expected.as_object().unwrap().clone());
        assert_eq!(body, wanted, "{provider} {asked} {cap:?}");
    }
    assert_eq!(dialect("openai").manners.cap_field, CapField::MaxCompletionTokens);
}

#[test]
fn a_stream_is_asked_for_and_not() {
    let neutral = r#"{"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true}}"#;
    assert_eq!(written(OpenAiChat::USUAL, &CHAT, neutral).0, json!({"model": "m", "messages": []}));
    let to = To { stream: true, ..CHAT };
    let (body, _) = written(OpenAiChat::USUAL, &to, r#"{"model":"m","messages":[]}"#);
    assert_eq!((body["stream"].clone(), body["stream_options"].clone()), (json!(true), json!({"include_usage": true})));
    let to = To { endpoint: Endpoint::Embeddings, model: "e", stream: false, cap: Some(5), version: "" };
    let (body, _) = written(OpenAiChat::USUAL, &to, r#"{"model":"m","input":"x"}"#);
    assert_eq!(body, json!({"model": "e", "input": "x"}));
}

#[test]
fn numbers_and_lists_keep_within_the_bounds_of_the_provider() {
    let neutral = r#"{"model":"m","messages":[],"temperature":3.5,"top_p":0.5,"presence_penalty":-3,"stop":["a","b","c","d","e"]}"#;
    let (body, lost) = written(dialect("openai"), &CHAT, neutral);
    assert_eq!(
        body,
        json!({"model": "m", "messages": [], "temperature": 2, "top_p": 0.5, "presence_penalty": -2,
        "stop": ["a", "b", "c", "d"]})
    );
    assert!(lost.len() == 3 && lost.iter().all(|(_, change)| *change == Change::Clamped), "{lost:?}");
    let (body, _) = written(OpenAiChat::USUAL, &CHAT, neutral);
    assert_eq!(body["stop"].as_array().unwrap().len(), 5);
}

#[test]
fn what_hoosh_gave_the_caller_is_taken_out_even_of_the_same_dialect() {
    let thoughts = json!([{"origin": "anthropic", "type": "redacted", "data": "x"}]);
    let body = json!({"model": "m", "messages": [{"role": "assistant", "content": "a", "reasoning_content": "r",
        "thoughts": thoughts, "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "n", "input": ""},
            "extra_content": {"google": {"thought_signature": "s"}}}]}]});
    let spliced = |dialect: OpenAiChat, to: &To<'_>| -> serde_json::Value {
        serde_json::from_slice(&dialect.splice_request(to, body.to_string().as_bytes())).unwrap()
    };
    let message = &spliced(dialect("openai"), &CHAT)["messages"][0];
    assert_eq!(
        *message,
        json!({"role": "assistant", "content": "a", "reasoning_content": "r",
        "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "n", "input": ""}}]})
    );
    for provider in ["gemini", "vllm"] {
        let message = &spliced(dialect(provider), &CHAT)["messages"][0];
        assert_eq!(message["tool_calls"], body["messages"][0]["tool_calls"]);
        assert!(message.get("thoughts").is_none());
    }
}

#[test]
fn a_signed_text_goes_back_to_googles_models() {
    let neutral = with(json!([{"role": "assistant", "content": "a",
        "thoughts": [{"origin": "gemini", "type": "text", "signature": "s"}]}]));
    let (body, lost) = written(dialect("gemini"), &CHAT, &neutral);
    assert_eq!(
        body["messages"][0],
        json!({"role": "assistant", "content": "a",
        "extra_content": {"google": {"thought_signature": "s"}}})
    );
    assert!(lost.is_empty());
}
