//! What users of other gateways complain of, each as a test of that name.

use super::*;

#[test]
fn litellm_3490_usage_is_asked_of_every_stream() {
    let to = To { stream: true, ..CHAT };
    let (body, _) = written(OpenAiChat::USUAL, &to, r#"{"model":"m","messages":[],"stream":true}"#);
    assert_eq!(body["stream_options"]["include_usage"], true);
    let (body, _) = written(
        OpenAiChat::USUAL,
        &to,
        r#"{"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":false,"include_obfuscation":false}}"#,
    );
    assert_eq!(body["stream_options"], serde_json::json!({"include_usage": true, "include_obfuscation": false}));
}

#[test]
fn litellm_35290_reasoning_tokens_are_told_to_the_caller() {
    let reply = Reply { include_usage: true, model: "m".into(), ..Reply::default() };
    let mut encoder = OpenAiChat::USUAL.encoder(reply);
    let mut out = Vec::new();
    encoder.item(&Item::UsageDetail { reasoning_tokens: 9 }, &mut out);
    encoder.item(&finish("stop"), &mut out);
    encoder.end(&with_written(usage(20, 10, 5), 2), &mut out);
    let out = String::from_utf8(out).unwrap();
    assert!(out.contains(
        r#""prompt_tokens_details":{"cached_tokens":5,"cache_write_tokens":2},"completion_tokens_details":{"reasoning_tokens":9}"#
    ), "{out}");
}

#[test]
fn octopus_243_negative_usage_is_none() {
    let items = items(&[
        r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":-5,"completion_tokens":-1,"total_tokens":-6}}"#,
    ]);
    assert_eq!(items, [text("a"), finish("stop")]);
    let items = whole(
        r#"{"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":50},"completion_tokens_details":{"reasoning_tokens":90}}}"#,
    );
    assert!(items.contains(&Item::Usage(usage(5, 2, 5))), "cached is no more than the input: {items:?}");
    assert!(items.contains(&Item::UsageDetail { reasoning_tokens: 2 }), "{items:?}");
}

#[test]
fn apisix_13662_usage_said_in_parts_or_again_is_counted_once() {
    let items = items(&[
        r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":0}}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"prompt_tokens":9,"completion_tokens":1}}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2}}"#,
        r#"{"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":2}}"#,
    ]);
    let said: Vec<_> = items.iter().filter(|item| matches!(item, Item::Usage(_))).collect();
    assert_eq!(said.last(), Some(&&Item::Usage(usage(9, 2, 0))), "{said:?}");
}

#[test]
fn litellm_36981_words_never_cost_nothing() {
    let (items, _) = read(&[
        r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}"#,
        "[DONE]",
    ]);
    assert_eq!(items, [text("a"), finish("stop")], "counted by the gateway then");
}

#[test]
fn portkey_1275_gemini_signatures_survive_both_ways() {
    let items = items(&[
        r#"{"choices":[{"delta":{"tool_calls":[{"extra_content":{"google":{"thought_signature":"c2ln/+="}},"function":{"arguments":"{}","name":"f"},"id":"function-call-1","type":"function"}]},"index":0,"finish_reason":"stop"}]}"#,
    ]);
    let thought = Item::Thought { choice: 0, origin: Dialect::Gemini, thought: Thought::OfCall(0, "c2ln/+=".into()) };
    assert_eq!(items, [call(0, "function-call-1", "f", "{}"), thought, finish("tool_calls")]);

    let answer = OpenAiChat::USUAL.write_answer(&Reply::default(), &items, &usage(1, 1, 0));
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    let message = &answer["choices"][0]["message"];
    assert_eq!(message["tool_calls"][0]["extra_content"]["google"]["thought_signature"], "c2ln/+=");

    let next = serde_json::json!({"model": "m", "messages": [message]}).to_string();
    let to = To { model: "google/gemini-3-pro", ..CHAT };
    let (body, lost) = written(OpenAiChat::USUAL, &to, &next);
    assert_eq!(body["messages"][0]["tool_calls"][0]["extra_content"]["google"]["thought_signature"], "c2ln/+=");
    assert!(lost.is_empty(), "{lost:?}");
    let (body, lost) = written(dialect("openai"), &CHAT, &next);
    assert!(body["messages"][0]["tool_calls"][0].get("extra_content").is_none());
    assert_eq!(lost, [super::lost("messages[].tool_calls[].extra_content", Change::Dropped)]);
}

#[test]
fn cliproxyapi_2172_nothing_is_written_anew_where_nothing_must_change() {
    let body = "{ \"model\":\"m\",\n\t\"messages\" : [ {\"role\":\"assistant\",\"content\":\"\\u00e9 \\/\",\"x\":1.50} ]\r\n, \"temperature\":1e0 }";
    assert_eq!(OpenAiChat::USUAL.splice_request(&CHAT, body.as_bytes()), body.as_bytes());
    let mut loss = Loss::default();
    assert_eq!(OpenAiChat::USUAL.write_request(&CHAT, body.as_bytes(), &mut loss).unwrap(), body.as_bytes());
    let to = To { model: "n", cap: Some(9), ..CHAT };
    let spliced = String::from_utf8(OpenAiChat::USUAL.splice_request(&to, body.as_bytes())).unwrap();
    assert_eq!(spliced, body.replace("\"m\"", "\"n\"").replace("1e0 }", "1e0,\"max_tokens\":9 }"));
}

#[test]
fn litellm_18667_malformed_arguments_pass_as_they_are() {
    let items = whole(
        r#"{"choices":[{"message":{"content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\": oops"}}]},"finish_reason":"tool_calls"}]}"#,
    );
    assert_eq!(items, [call(0, "c", "f", "{\"a\": oops"), finish("tool_calls")]);
    let answer = OpenAiChat::USUAL.write_answer(&Reply::default(), &items, &usage(1, 1, 0));
    assert_eq!(whole(&String::from_utf8(answer).unwrap())[..2], items[..]);
}

#[test]
fn litellm_26916_reasoning_is_not_among_the_content() {
    let items = [reasoning("think"), text("say"), finish("stop")];
    let answer = OpenAiChat::USUAL.write_answer(&Reply::default(), &items, &usage(1, 1, 0));
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], "say");
    assert_eq!(answer["choices"][0]["message"]["reasoning_content"], "think");
}

#[test]
fn bifrost_6342_replayed_thinking_is_what_was_thought() {
    let thought = |thought| Item::Thought { choice: 0, origin: Dialect::Anthropic, thought };
    let items = [
        reasoning("first "),
        reasoning("thought"),
        thought(Thought::Signature("s1==".into())),
        thought(Thought::Redacted("r+/".into())),
        reasoning("second"),
        thought(Thought::Signature("s2".into())),
        text("done"),
        finish("stop"),
    ];
    let expected = serde_json::json!([
        {"origin": "anthropic", "type": "signature", "thinking": "first thought", "signature": "s1=="},
        {"origin": "anthropic", "type": "redacted", "data": "r+/"},
        {"origin": "anthropic", "type": "signature", "thinking": "second", "signature": "s2"},
    ]);
    let answer = OpenAiChat::USUAL.write_answer(&Reply::default(), &items, &usage(1, 1, 0));
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["choices"][0]["message"]["thoughts"], expected);

    let mut encoder = OpenAiChat::USUAL.encoder(Reply::default());
    let mut out = Vec::new();
    items.iter().for_each(|item| encoder.item(item, &mut out));
    let out = String::from_utf8(out).unwrap();
    let told: Vec<serde_json::Value> = out
        .split("data: ")
        .filter_map(|event| serde_json::from_str::<serde_json::Value>(event).ok())
        .flat_map(|chunk| chunk["choices"][0]["delta"]["thoughts"].as_array().cloned().unwrap_or_default())
        .collect();
    assert_eq!(serde_json::Value::from(told), expected);
}

#[test]
fn bifrost_4556_the_role_is_said_once() {
    let mut encoder = OpenAiChat::USUAL.encoder(Reply::default());
    let mut out = Vec::new();
    [text("a"), text("b"), finish("stop")].iter().for_each(|item| encoder.item(item, &mut out));
    assert_eq!(String::from_utf8(out).unwrap().matches("\"role\"").count(), 1);
}

#[test]
fn ai_gateway_sse_without_a_space_after_data_is_read() {
    let stream = "data:{\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\ndata:[DONE]\n\n";
    assert_eq!(read_parts(&[stream.as_bytes()]), (vec![text("a"), finish("stop")], Fed::Done));
}

#[test]
fn axonhub_1380_metadata_of_claude_code_is_not_refused_by_openai() {
    let neutral = r#"{"model":"m","messages":[],"metadata":{"user_id":"u"}}"#;
    let (body, lost) = written(dialect("openai"), &CHAT, neutral);
    assert!(body.get("metadata").is_none());
    assert_eq!(lost, [super::lost("metadata", Change::Dropped)]);
    let stored = neutral.replace("\"messages\"", "\"store\":true,\"messages\"");
    assert_eq!(written(dialect("openai"), &CHAT, &stored).0["metadata"]["user_id"], "u");
}
