//! What users of other gateways complained of, each as a test named after it.

use super::*;

fn usage_of(items: &[Item]) -> Option<Usage> {
    items.iter().rev().find_map(|item| match item {
        Item::Usage(usage) => Some(*usage),
        _ => None,
    })
}

fn encoded(items: &[Item], usage: &Usage) -> String {
    let mut encoder = Anthropic.encoder(Reply { id: "r".into(), model: "m".into(), ..Reply::default() });
    let mut out = Vec::new();
    items.iter().for_each(|item| encoder.item(item, &mut out));
    encoder.end(usage, &mut out);
    String::from_utf8(out).unwrap()
}

fn text(text: &str) -> Item {
    Item::Text { choice: 0, text: text.into(), logprobs: Vec::new() }
}

fn finish(reason: &str) -> Item {
    Item::Finish { choice: 0, reason: reason.into() }
}

fn event(json: &Value) -> String {
    format!("event: {}\ndata: {json}\n\n", json["type"].as_str().unwrap())
}

/// A stream that says so of its usage at its beginning and at its end.
fn stream(start: &Value, end: &Value) -> String {
    [
        event(&json!({"type": "message_start", "message": {"usage": start}})),
        event(&json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": end})),
        event(&json!({"type": "message_stop"})),
    ]
    .concat()
}

#[test]
fn apisix_13662_and_higress_1080_stream_totals_have_their_input_once() {
    let start = json!({"input_tokens": 5, "cache_read_input_tokens": 3, "output_tokens": 1});
    for end in [
        json!({"output_tokens": 20}),
        json!({"input_tokens": 5, "cache_read_input_tokens": 3, "output_tokens": 20}),
        json!({"input_tokens": null, "cache_read_input_tokens": null, "output_tokens": 20}),
    ] {
        let (items, _) = heard(&[stream(&start, &end).as_bytes()]);
        let wanted = Usage {
            input_tokens: 8,
            output_tokens: 20,
            cached_tokens: 3,
            source: UsageSource::Reported,
            ..Usage::default()
        };
        assert_eq!(usage_of(&items), Some(wanted), "{end}");
    }
}

#[test]
fn octopus_243_negative_and_absurd_usage_is_not_taken() {
    for odd in [json!(-20), json!(1.5), json!("20"), json!(u64::MAX)] {
        let told = stream(&json!({"input_tokens": 5, "output_tokens": 1}), &json!({"output_tokens": odd}));
        let (items, end) = heard(&[told.as_bytes()]);
        assert_eq!((usage_of(&items).unwrap().output_tokens, end), (1, Fed::Done), "{odd}");
    }
}

#[test]
fn litellm_36981_usage_that_nobody_named_is_not_zero() {
    let (items, end) = heard(&[stream(&json!(null), &json!(null)).as_bytes()]);
    assert_eq!((usage_of(&items), end), (None, Fed::Done));
    let mut items = Vec::new();
    let body = json!({"type": "message", "content": [], "stop_reason": "end_turn"}).to_string();
    assert_eq!(Anthropic.read_answer(Endpoint::Chat, body.as_bytes(), &mut items), Answer::Whole);
    assert_eq!(usage_of(&items), None);
}

#[test]
fn litellm_3490_the_last_event_of_a_stream_has_all_usage() {
    let usage = Usage {
        input_tokens: 10,
        output_tokens: 7,
        cached_tokens: 3,
        cache_written_tokens: 2,
        source: UsageSource::Reported,
        ..Usage::default()
    };
    let detail = Item::UsageDetail { reasoning_tokens: 4 };
    let told = encoded(&[text("a"), detail, finish("stop")], &usage);
    let delta = told.lines().find_map(|line| line.strip_prefix("data: ").filter(|it| it.contains("message_delta")));
    let delta: Value = serde_json::from_str(delta.unwrap()).unwrap();
    assert_eq!(
        delta["usage"],
        json!({"input_tokens": 5, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 3,
            "output_tokens": 7, "output_tokens_details": {"thinking_tokens": 4}})
    );
}

#[test]
fn bifrost_4556_message_start_is_sent_once() {
    let told = encoded(&[text("a"), text("b"), finish("stop")], &Usage::default());
    assert_eq!(told.matches("event: message_start").count(), 1);
    assert_eq!(told.matches("event: message_stop").count(), 1);
    let twice = event(&json!({"type": "message_start", "message": {"usage": {"input_tokens": 5, "output_tokens": 1}}}));
    let end = stream(&json!({"input_tokens": 5, "output_tokens": 1}), &json!({"output_tokens": 2}));
    let (items, fed) = heard(&[twice.as_bytes(), end.as_bytes()]);
    assert_eq!((usage_of(&items).unwrap().input_tokens, fed), (5, Fed::Done));
}

#[test]
fn cliproxyapi_2172_signed_thoughts_keep_every_byte() {
    // Escapes that a writer would choose otherwise, and members in an odd order.
    let block = r#"{"signature":"Eq\/oB+\u0041==","type":"thinking","thinking":"h\u006d \u00e9\n"}"#;
    let body = format!(
        r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":"a"}},{{"role":"assistant","content":[{block},{{"type":"text","text":"b"}}]}},{{"role":"user","content":"c"}}]}}"#
    );
    assert_eq!(Anthropic.splice_request(&To { model: "m", ..to() }, body.as_bytes()), body.as_bytes());
    let mut loss = Loss::default();
    let neutral = Anthropic.read_request(&Ask::default(), body.as_bytes(), &mut loss).unwrap();
    let back = Anthropic.write_request(&to(), &neutral, &mut loss).unwrap();
    let back: Value = serde_json::from_slice(&back).unwrap();
    assert_eq!(back["messages"][1]["content"][0], serde_json::from_str::<Value>(block).unwrap());
}

#[test]
fn litellm_18667_arguments_that_are_no_json_are_passed_on() {
    let call = |arguments: &str| Item::ToolCall {
        choice: 0,
        index: 0,
        id: Some("a".into()),
        name: Some("f".into()),
        arguments: arguments.into(),
        kind: CallKind::Function,
    };
    for odd in ["{\"x\":", "[1]", "no json"] {
        let body = Anthropic.write_answer(&Reply::default(), &[call(odd), finish("tool_calls")], &Usage::default());
        let said: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(said["content"][0]["input"], json!({"arguments": odd}));
        let (body, loss) =
            write(&json!({"model": "m", "max_tokens": 9, "messages": [{"role": "assistant", "content": null,
            "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": odd}}]}]}));
        assert_eq!(body["messages"][1]["content"][0]["input"], json!({"arguments": odd}));
        assert_eq!(lost(&loss, "messages[].tool_calls[].function.arguments"), Some(Change::Approximated));
    }
}

#[test]
fn litellm_26916_thoughts_stand_before_the_words() {
    let thought = Item::Reasoning { choice: 0, text: "Hm.".into() };
    let items = [thought, text("Hi"), finish("stop")];
    let body = Anthropic.write_answer(&Reply::default(), &items, &Usage::default());
    let said: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(said["content"][0], json!({"type": "thinking", "thinking": "Hm.", "signature": ""}));
    assert_eq!(said["content"][1], json!({"type": "text", "text": "Hi"}));
    let (heard, _) = heard(&[encoded(&items, &Usage::default()).as_bytes()]);
    assert_eq!(heard[..2], items[..2]);
}

#[test]
fn litellm_9504_a_schema_is_kept_to_natively_and_json_without_one_is_emulated() {
    let asking =
        |format: Value| write(&json!({"model": "m", "max_tokens": 9, "response_format": format, "messages": []}));
    let schema = json!({"type": "object", "additionalProperties": false});
    let named = json!({"name": "a", "schema": schema, "strict": true});
    let (body, loss) = asking(json!({"type": "json_schema", "json_schema": named}));
    assert_eq!(body["output_config"]["format"], json!({"type": "json_schema", "schema": schema}));
    assert!(loss.is_empty(), "{loss:?}");
    for bare in [json!({"type": "json_object"}), json!({"type": "json_schema", "json_schema": {"name": "a"}})] {
        let (body, loss) = asking(bare);
        assert!(body["system"][0]["text"].as_str().unwrap().contains("JSON"));
        assert_eq!(lost(&loss, "response_format"), Some(Change::Emulated));
    }
    let (_, loss) = asking(json!({"type": "grammar"}));
    assert_eq!(lost(&loss, "response_format"), Some(Change::Dropped));
}

#[test]
fn litellm_20021_beta_fields_pass_between_equals_and_are_reported_across() {
    let body =
        json!({"model": "m", "max_tokens": 9, "messages": [], "context_management": {"edits": []}, "betas_to_come": 1});
    let raw = body.to_string();
    assert_eq!(Anthropic.splice_request(&To { model: "m", ..to() }, raw.as_bytes()), raw.as_bytes());
    let (_, loss) = read(&body);
    for field in ["context_management", "betas_to_come"] {
        assert_eq!(lost(&loss, field), Some(Change::Dropped), "{field}");
    }
}

#[test]
fn litellm_15097_temperature_and_top_p_are_not_sent_together() {
    let (body, loss) = write(&json!({"model": "m", "max_tokens": 9, "messages": [], "temperature": 0.5, "top_p": 0.9}));
    assert_eq!((&body["temperature"], &body["top_p"]), (&json!(0.5), &Value::Null));
    assert_eq!(lost(&loss, "top_p"), Some(Change::Dropped));
    let (body, loss) = write(&json!({"model": "m", "max_tokens": 9, "messages": [], "top_p": 0.9}));
    assert_eq!(body["top_p"], 0.9);
    assert!(loss.is_empty());
    let (body, loss) = write(&json!({"model": "m", "max_tokens": 9, "messages": [], "temperature": 1.7, "top_p": 1}));
    assert_eq!(body["temperature"], 1);
    assert_eq!((lost(&loss, "temperature"), lost(&loss, "top_p")), (Some(Change::Clamped), None));
}

#[test]
fn home_assistant_175637_text_of_white_space_is_not_sent() {
    let (body, _) = write(&json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "user", "content": " \n"}, {"role": "user", "content": [{"type": "text", "text": "\t"}, {"type": "text", "text": "a"}]},
        {"role": "assistant", "content": "\n"}, {"role": "assistant", "content": "b \n"}]}));
    assert_eq!(
        body["messages"],
        json!([{"role": "user", "content": [{"type": "text", "text": "a"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "b"}]}])
    );
}

#[test]
fn envoy_ai_gateway_0_7_events_without_a_space_are_read() {
    let told = stream(&json!({"input_tokens": 5, "output_tokens": 1}), &json!({"output_tokens": 2}));
    let tight = told.replace("data: ", "data:").replace("event: ", "event:");
    assert_eq!(heard(&[tight.as_bytes()]), heard(&[told.as_bytes()]));
    // Some proxies lose the lines with the events' names.
    let bare: String = told.split_inclusive('\n').filter(|line| !line.starts_with("event")).collect();
    assert_eq!(heard(&[bare.as_bytes()]), heard(&[told.as_bytes()]));
}
