//! No field is lost in silence, neither of a caller's request nor of the neutral one.

use super::*;
use crate::dialects::anthropic::{BLOCK_FIELDS, REQUEST_FIELDS};
use crate::dialects::openai;

/// A value of each field that says something.
fn sample(field: &str) -> Value {
    match field {
        "model" => json!("m"),
        "max_tokens" | "max_completion_tokens" => json!(4000),
        "messages" => json!([{"role": "user", "content": "hi"}]),
        "system" => json!("s-y-s"),
        "stream" => json!(true),
        "stream_options" => json!({"include_usage": true}),
        "temperature" => json!(0.25),
        "top_p" => json!(0.75),
        "frequency_penalty" | "presence_penalty" | "min_p" => json!(0.5),
        "n" => json!(2),
        "stop_sequences" => json!(["E-N-D"]),
        "stop" => json!("E-N-D"),
        "tools" => json!([{"name": "f", "input_schema": {"type": "object"}}]),
        "tool_choice" => json!({"type": "none"}),
        "parallel_tool_calls" => json!(false),
        "thinking" => json!({"type": "enabled", "budget_tokens": 2000}),
        "reasoning_effort" => json!("high"),
        "output_config" | "output_format" => {
            let format = json!({"type": "json_schema", "schema": {"type": "object"}});
            if field == "output_format" {
                format
            } else {
                json!({"format": format, "effort": "low"})
            }
        }
        "response_format" => json!({"type": "json_object"}),
        "metadata" => json!({"user_id": "u-1"}),
        "service_tier" => json!("standard_only"),
        "cache_control" => json!({"type": "ephemeral"}),
        "logprobs" | "store" => json!(true),
        "verbosity" => json!("low"),
        "modalities" => json!(["audio"]),
        "top_k" | "seed" | "top_logprobs" => json!(7),
        _ => json!({"some": "thing"}),
    }
}

#[test]
fn every_field_of_a_request_is_carried_or_reported() {
    for (field, neutral, _) in REQUEST_FIELDS.iter().chain(&[("never_heard_of", "", "")]) {
        let mut body = json!({"model": "m", "max_tokens": 4000, "messages": [{"role": "user", "content": "hi"}]});
        let (before, _) = read(&body);
        body[*field] = sample(field);
        let (after, mut loss) = read(&body);
        let is_base = ["model", "max_tokens", "messages"].contains(field);
        let is_carried = is_base || before != after;
        // `pool` is hoosh's own, and read by its policies.
        assert_eq!(is_carried, !neutral.is_empty() || *field == "pool", "{field}: {after}");
        let bar = loss.take_bar().and_then(|why| why.param);
        assert!(is_carried || lost(&loss, field).is_some() || bar.as_deref() == Some(field), "{field}: {loss:?}");
    }
}

#[test]
fn every_field_of_a_block_is_carried_or_reported() {
    let source = json!({"type": "base64", "media_type": "image/png", "data": "AAAA"});
    for (kind, fields) in BLOCK_FIELDS {
        let mut block = json!({"type": kind, "source": source, "text": "t", "title": "t", "content": [], "thinking": "t",
            "signature": "s", "data": "d", "id": "i", "name": "n", "input": {}, "tool_use_id": "i"});
        block.as_object_mut().unwrap().retain(|key, _| key == "type" || fields.contains(&key.as_str()));
        block["yet_to_come"] = json!({"a": 1});
        let role = if matches!(*kind, "thinking" | "redacted_thinking" | "tool_use") { "assistant" } else { "user" };
        let (_, loss) = read(&json!({"model": "m", "max_tokens": 9, "messages": [{"role": role, "content": [block]}]}));
        assert_eq!(lost(&loss, "messages[].content[].yet_to_come"), Some(Change::Dropped), "{kind}");
    }
    // What belongs to the other role.
    let (_, loss) = read(&json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "user", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}, {"type": "text", "text": "x"}]},
        {"role": "assistant", "content": [{"type": "server_tool_use", "id": "b", "name": "web_search", "input": {}}]}]}));
    for kind in ["tool_use", "server_tool_use"] {
        assert_eq!(lost(&loss, &format!("messages[].content[].{kind}")), Some(Change::Dropped), "{kind}");
    }
}

#[test]
fn every_neutral_field_is_carried_or_reported() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    for (_, field, _) in openai::REQUEST_FIELDS.iter().filter(|(_, field, _)| !field.is_empty()) {
        let mut neutral = json!({"model": "m", "max_tokens": 4000, "messages": [{"role": "user", "content": "hi"}]});
        neutral["tools"] = tools.clone();
        let (before, _) = write(&neutral);
        neutral[*field] = match *field {
            "tools" => json!([{"type": "function", "function": {"name": "g"}}]),
            "tool_choice" => json!("none"),
            "service_tier" => json!("flex"),
            "user" | "safety_identifier" => json!("u-1"),
            "max_completion_tokens" => json!(3000),
            other => sample(other),
        };
        let (after, loss) = write(&neutral);
        // These the gateway sees to: it knows the model, and asks for the stream and its usage itself.
        let is_ours = ["model", "messages", "stream", "stream_options", "max_tokens"].contains(field);
        let is_told = loss.fields().iter().any(|lost| lost.field.starts_with(field));
        assert!(is_ours || before != after || is_told, "{field}: {after} {loss:?}");
    }
}

#[test]
fn every_neutral_field_of_a_message_is_carried_or_reported() {
    for (_, field, _) in
        openai::MESSAGE_FIELDS.iter().chain(&[("", "yet_to_come", "")]).filter(|(_, it, _)| !it.is_empty())
    {
        let role = if matches!(*field, "is_error" | "tool_call_id") { "tool" } else { "assistant" };
        let mut message = json!({"role": role, "content": "hi", "tool_call_id": "a"});
        let messages = |message: &Value| json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "q"}, message]});
        let (before, _) = write(&messages(&message));
        message[*field] = match *field {
            "role" => json!("user"),
            "content" => json!("other"),
            "is_error" => json!(true),
            "tool_calls" => json!([{"id": "b", "type": "function", "function": {"name": "f", "arguments": "{}"}}]),
            "thoughts" => json!([{"origin": "gemini", "type": "text", "signature": "s"}]),
            "cache_control" => json!({"type": "ephemeral"}),
            _ => json!("said"),
        };
        let (after, loss) = write(&messages(&message));
        let is_told = lost(&loss, &format!("messages[].{field}")).is_some();
        assert!(before != after || is_told, "{field}: {after} {loss:?}");
    }
}

#[test]
fn a_cache_marker_of_the_request_is_that_of_its_last_block() {
    let marker = json!({"type": "ephemeral", "ttl": "1h"});
    let request = |last: Value| {
        let before = if last["role"] == "user" { "assistant" } else { "user" };
        json!({"model": "m", "max_tokens": 9, "cache_control": marker, "messages": [{"role": before, "content": "q"}, last]})
    };
    for last in [
        json!({"role": "user", "content": "a"}),
        json!({"role": "assistant", "content": [{"type": "text", "text": "a"}]}),
        json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "a"}]}),
    ] {
        let (neutral, loss) = read(&request(last.clone()));
        assert!(!loss.loses(), "{loss:?}");
        assert_eq!(neutral["messages"][1]["cache_control"], marker, "{last}");
        let (body, _) = write(&neutral);
        let blocks = body["messages"].as_array().unwrap().last().unwrap()["content"].as_array().unwrap();
        assert_eq!(blocks.last().unwrap()["cache_control"], marker, "{body}");
    }
    // A block's own is not overwritten, nor told twice.
    let own =
        json!({"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]});
    let (neutral, _) = read(&request(own));
    let mut loss = Loss::default();
    let body = Anthropic.write_request(&to(), neutral.to_string().as_bytes(), &mut loss).unwrap();
    assert_eq!(String::from_utf8(body).unwrap().matches("cache_control").count(), 1);
}

#[test]
fn tools_of_free_text_and_a_choice_among_tools_are_emulated() {
    let named = |name: &str| json!({"type": "function", "function": {"name": name}});
    let (body, loss) = write(&json!({"model": "m", "max_tokens": 9, "messages": [
            {"role": "assistant", "content": null, "tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "c", "input": "free"}}]}],
        "tools": [named("f"), named("g"), {"type": "custom", "custom": {"name": "c", "description": "d"}}],
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [named("g"), {"type": "custom", "custom": {"name": "c"}}]}}}));
    let names: Vec<_> = body["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!((names, &body["tool_choice"]), (vec!["g", "c"], &json!({"type": "any"})));
    assert_eq!(body["tools"][1]["input_schema"]["required"], json!(["input"]));
    assert_eq!(body["messages"][1]["content"][0]["input"], json!({"input": "free"}));
    for field in ["tools[].custom", "tool_choice.allowed_tools"] {
        assert_eq!(lost(&loss, field), Some(Change::Emulated), "{field}");
    }
}

#[test]
fn files_are_documents_pictures_or_reported() {
    let file = |file: Value| {
        let part = json!({"type": "file", "file": file});
        let (body, loss) = write(
            &json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, part]}]}),
        );
        (body["messages"][0]["content"][1].clone(), loss)
    };
    let (block, _) = file(json!({"file_data": "data:image/png;base64,AAAA"}));
    assert_eq!((&block["type"], &block["source"]["media_type"]), (&json!("image"), &json!("image/png")));
    let (block, _) = file(json!({"file_data": "JVBERi0=", "filename": "a.pdf"}));
    assert_eq!(
        block,
        json!({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}, "title": "a.pdf"})
    );
    let (block, _) = file(json!({"file_data": "data:text/plain;base64,aGk="}));
    assert_eq!(block["source"], json!({"type": "text", "media_type": "text/plain", "data": "hi"}));
    for odd in [json!({}), json!({"file_data": "data:text/plain;base64,?"}), json!(7)] {
        let (block, loss) = file(odd);
        assert_eq!((block, lost(&loss, "messages[].content[].file")), (Value::Null, Some(Change::Dropped)));
    }
}

#[test]
fn only_what_fills_the_cache_asks_for_one_token_elsewhere() {
    let body = json!({"model": "m", "max_tokens": 0, "messages": [{"role": "user", "content": "q"}]});
    let (neutral, loss) = read(&body);
    assert_eq!((&neutral["max_tokens"], lost(&loss, "max_tokens")), (&json!(1), Some(Change::Clamped)));
    let raw = body.to_string();
    assert_eq!(Anthropic.splice_request(&To { model: "m", ..to() }, raw.as_bytes()), raw.as_bytes());
}

#[test]
fn a_lower_cap_lowers_the_budget_of_thoughts_too() {
    let body = json!({"model": "m", "max_tokens": 9000, "thinking": {"type": "enabled", "budget_tokens": 8000}, "messages": []});
    let capped = |cap| {
        let to = To { model: "m", cap: Some(cap), ..to() };
        serde_json::from_slice::<Value>(&Anthropic.splice_request(&to, body.to_string().as_bytes())).unwrap()
    };
    assert_eq!(capped(8500)["thinking"], body["thinking"]);
    assert_eq!(capped(4000)["thinking"], json!({"type": "enabled", "budget_tokens": 3999}));
    assert_eq!(capped(500)["thinking"], json!({"type": "disabled"}));
}

/// JSON of the words that the dialect knows, in any order.
fn any_json() -> impl Strategy<Value = Value> {
    let word = "(text|image|document|thinking|redacted_thinking|tool_use|tool_result|user|assistant|system|enabled|json_schema|base64|url|file|custom|native|anthropic|signature|hoosh\\.thoughts\\.\\[\\]|data:a/b;base64,AA|message_start|content_block_start|content_block_delta|message_delta|end_turn|\\PC{0,4})";
    let key = "(type|role|content|text|source|data|url|media_type|thinking|signature|id|name|input|tool_use_id|tool_calls|thoughts|origin|function|arguments|cache_control|budget_tokens|schema|format|message|usage|delta|content_block|input_tokens|stop_reason|citations|image_url|file)";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((key, inner), 0..6).prop_map(|all| Value::Object(all.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_json_makes_valid_json_or_a_failure(value in any_json(), field in 0..REQUEST_FIELDS.len(), messages in any_json()) {
        let mut body = json!({"model": "m", "max_tokens": 9, "messages": [messages]});
        body[REQUEST_FIELDS[field].0] = value.clone();
        let raw = body.to_string();
        if let Ok(neutral) = Anthropic.read_request(&Ask::default(), raw.as_bytes(), &mut Loss::default()) {
            let told = serde_json::from_slice::<Value>(&neutral);
            prop_assert!(told.is_ok(), "{}", String::from_utf8_lossy(&neutral));
            prop_assert!(!neutral.contains(&b'\n'));
        }
        let mut neutral = json!({"model": "m", "messages": [value.clone(), {"role": "assistant", "content": value.clone()}]});
        neutral["tools"] = json!([value.clone()]);
        neutral["thinking"] = value.clone();
        if let Ok(body) = Anthropic.write_request(&to(), neutral.to_string().as_bytes(), &mut Loss::default()) {
            prop_assert!(serde_json::from_slice::<Value>(&body).is_ok(), "{}", String::from_utf8_lossy(&body));
        }
        let spliced = Anthropic.splice_request(&To { cap: Some(5), ..to() }, raw.as_bytes());
        prop_assert!(serde_json::from_slice::<Value>(&spliced).is_ok(), "{}", String::from_utf8_lossy(&spliced));
        let mut items = Vec::new();
        let answer = json!({"type": "message", "content": [value.clone()], "stop_reason": "end_turn", "usage": value});
        let _ = Anthropic.read_answer(Endpoint::Chat, answer.to_string().as_bytes(), &mut items);
        let written = Anthropic.write_answer(&Reply::default(), &items, &Usage::default());
        prop_assert!(serde_json::from_slice::<Value>(&written).is_ok());
        let _ = heard(&[format!("data: {}\n\n", body["messages"][0]).as_bytes(), format!("data: {value}\n\n").as_bytes()]);
    }
}
