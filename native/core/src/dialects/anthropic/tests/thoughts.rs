//! Thoughts on their way through callers and upstreams, and back to their origin with the next turn.

use super::*;

/// What a model said with thoughts of `Gemini` and of the Responses API beside it.
fn said() -> Vec<Item> {
    let thought = |origin, thought| Item::Thought { choice: 0, origin, thought };
    let [begun, arguments] = call(0, "call_1", "f", "{\"a\":1}");
    let [second, more] = call(1, "call_2", "g", "{}");
    vec![
        Item::Reasoning { choice: 0, text: "Hm.".into() },
        thought(Dialect::OpenAiResponses, Thought::Item("{\"type\":\"reasoning\",\"encrypted_content\":\"x\"}".into())),
        Item::Text { choice: 0, text: "Hi".into(), logprobs: Vec::new() },
        thought(Dialect::Gemini, Thought::OfText("sig-text".into())),
        begun,
        arguments,
        thought(Dialect::Gemini, Thought::OfCall(0, "sig-call".into())),
        second,
        more,
        Item::Finish { choice: 0, reason: "tool_calls".into() },
    ]
}

/// The content of an assistant's turn, as the SDK joins a stream's events.
fn joined(stream: &str) -> Value {
    let mut content: Vec<Value> = Vec::new();
    let mut inputs: Vec<String> = Vec::new();
    for data in stream.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let event: Value = serde_json::from_str(data).unwrap();
        match event["type"].as_str().unwrap() {
            "content_block_start" => {
                assert_eq!(event["index"], content.len());
                content.push(event["content_block"].clone());
                inputs.push(String::new());
            }
            "content_block_delta" => {
                let at = event["index"].as_u64().unwrap() as usize;
                for (name, piece) in event["delta"].as_object().unwrap().iter().filter(|(name, _)| *name != "type") {
                    match name.as_str() {
                        "partial_json" => inputs[at].push_str(piece.as_str().unwrap()),
                        "citation" => content[at]["citations"] = json!([piece]),
                        name => {
                            content[at][name] =
                                json!(content[at][name].as_str().unwrap().to_owned() + piece.as_str().unwrap())
                        }
                    }
                }
            }
            _ => {}
        }
    }
    for (block, input) in content.iter_mut().zip(&inputs).filter(|(_, input)| !input.is_empty()) {
        block["input"] = serde_json::from_str(input).unwrap();
    }
    Value::from(content)
}

fn streamed(items: &[Item]) -> String {
    let mut encoder = Anthropic.encoder(Reply { id: "r".into(), model: "m".into(), ..Reply::default() });
    let mut out = Vec::new();
    items.iter().for_each(|item| encoder.item(item, &mut out));
    encoder.end(&Usage::default(), &mut out);
    String::from_utf8(out).unwrap()
}

fn whole_answer(items: &[Item]) -> Value {
    let reply = Reply { id: "r".into(), model: "m".into(), ..Reply::default() };
    let body = Anthropic.write_answer(&reply, items, &Usage::default());
    serde_json::from_slice::<Value>(&body).unwrap()["content"].clone()
}

fn asks_again(content: &Value) -> Value {
    json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "r"}]}]})
}

#[test]
fn portkey_1275_thoughts_of_other_dialects_come_back_to_their_origin() {
    let mut content = joined(&streamed(&said()));
    for turn in 0..3 {
        let (neutral, loss) = read(&asks_again(&content));
        assert!(loss.is_empty(), "{turn} {loss:?}");
        let turn = &neutral["messages"][1];
        assert_eq!(turn["reasoning_content"], "Hm.");
        assert_eq!(
            turn["thoughts"],
            json!([{"origin": "openai_responses", "type": "item", "item": {"type": "reasoning", "encrypted_content": "x"}},
                {"origin": "gemini", "type": "text", "signature": "sig-text"}])
        );
        let calls = turn["tool_calls"].as_array().unwrap();
        assert_eq!(calls[0]["extra_content"]["google"]["thought_signature"], "sig-call");
        assert_eq!((&calls[1]["id"], calls[1].get("extra_content")), (&json!("call_2"), None));
        content = whole_answer(&said());
    }
}

#[test]
fn bifrost_6342_anthropic_is_not_sent_what_it_did_not_say() {
    for content in [joined(&streamed(&said())), whole_answer(&said())] {
        let body = asks_again(&content).to_string();
        let sent = Anthropic.splice_request(&To { model: "m", ..to() }, body.as_bytes());
        let sent: Value = serde_json::from_slice(&sent).unwrap();
        let kinds: Vec<_> = sent["messages"][1]["content"].as_array().unwrap().iter().map(|it| &it["type"]).collect();
        assert_eq!(kinds, ["text", "tool_use", "tool_use"]);
        assert_eq!(sent["messages"][2], asks_again(&content)["messages"][2]);
    }
    // A turn of nothing else is left out; what Anthropic signed itself stays.
    let unsigned = json!({"type": "thinking", "thinking": "Hm.", "signature": ""});
    let signed = json!({"type": "thinking", "thinking": "Hm.", "signature": "s"});
    let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "assistant", "content": [unsigned]},
        {"role": "assistant", "content": [unsigned, signed]}]});
    let sent = Anthropic.splice_request(&To { model: "m", ..to() }, body.to_string().as_bytes());
    let sent: Value = serde_json::from_slice(&sent).unwrap();
    assert_eq!(sent["messages"], json!([{"role": "assistant", "content": [signed]}]));
}

#[test]
fn signed_thoughts_survive_three_turns() {
    let thought = |thought| Item::Thought { choice: 0, origin: Dialect::Anthropic, thought };
    let [begun, arguments] = call(0, "toolu_1", "f", "{}");
    let items = [
        thought(Thought::Redacted("opaque".into())),
        Item::Reasoning { choice: 0, text: "Hm.".into() },
        thought(Thought::Signature("sig".into())),
        begun,
        arguments,
        Item::Finish { choice: 0, reason: "tool_calls".into() },
    ];
    for _ in 0..3 {
        assert_eq!(joined(&streamed(&items)), whole_answer(&items));
        let (neutral, _) = read(&asks_again(&whole_answer(&items)));
        let (body, loss) = write(&neutral);
        assert!(loss.is_empty(), "{loss:?}");
        assert_eq!(body["messages"][1]["content"], whole_answer(&items));
    }
}

#[test]
fn addresses_are_cited_and_taken_out_again_before_anthropic() {
    let cited = json!({"type": "url_citation", "url_citation": {"url": "https://a.example/", "title": "A", "start_index": 0, "end_index": 0}});
    let items = [
        Item::Text { choice: 0, text: "Hi".into(), logprobs: Vec::new() },
        Item::Annotation { choice: 0, json: cited.to_string() },
        Item::Finish { choice: 0, reason: "stop".into() },
    ];
    let content = joined(&streamed(&items));
    assert_eq!(content, whole_answer(&items));
    assert_eq!(
        (&content[0]["citations"][0]["url"], &content[0]["citations"][0]["title"]),
        (&json!("https://a.example/"), &json!("A"))
    );
    let (read, _) = heard(&[streamed(&items).as_bytes()]);
    let Item::Annotation { json, .. } = &read[1] else { panic!("{read:?}") };
    assert_eq!(serde_json::from_str::<Value>(json).unwrap(), cited);
    let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "assistant", "content": content}]});
    let sent = Anthropic.splice_request(&To { model: "m", ..to() }, body.to_string().as_bytes());
    let sent: Value = serde_json::from_slice(&sent).unwrap();
    assert_eq!(sent["messages"][0]["content"], json!([{"type": "text", "text": "Hi", "citations": []}]));
}

#[test]
fn a_model_that_declines_ends_with_refusal() {
    let words = [Item::Refusal { choice: 0, text: "No.".into() }, Item::Finish { choice: 0, reason: "stop".into() }];
    let body = Anthropic.write_answer(&Reply::default(), &words, &Usage::default());
    let said: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&said["content"][0]["text"], &said["stop_reason"]), (&json!("No."), &json!("refusal")));
    let body = json!({"type": "message", "content": [], "stop_reason": "refusal",
        "stop_details": {"type": "refusal", "category": "bio", "explanation": "Not this."}});
    let mut items = Vec::new();
    assert_eq!(Anthropic.read_answer(Endpoint::Chat, body.to_string().as_bytes(), &mut items), Answer::Whole);
    assert_eq!(
        items,
        [
            Item::Refusal { choice: 0, text: "Not this.".into() },
            Item::Finish { choice: 0, reason: "content_filter".into() }
        ]
    );
    for (said, reason) in [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
    ] {
        let mut items = Vec::new();
        let body = json!({"type": "message", "content": [], "stop_reason": said}).to_string();
        assert_eq!(Anthropic.read_answer(Endpoint::Chat, body.as_bytes(), &mut items), Answer::Whole);
        assert_eq!(items, [Item::Finish { choice: 0, reason: reason.into() }], "{said}");
    }
}

#[test]
fn effort_and_thinking_are_both_told_where_both_are_taken() {
    let newest = To { version: "2026-10-21", ..to() };
    let asking = |to: &To<'_>, thinking: Value, effort: Value| {
        write_to(
            to,
            &json!({"model": "m", "max_tokens": 90_000, "thinking": thinking, "reasoning_effort": effort, "messages": []}),
        )
    };
    let (body, loss) = asking(&newest, json!({"type": "adaptive"}), json!("xhigh"));
    assert_eq!(
        (&body["thinking"], &body["output_config"]),
        (&json!({"type": "adaptive"}), &json!({"effort": "xhigh"}))
    );
    assert!(loss.is_empty(), "{loss:?}");
    let (body, loss) = asking(&to(), json!({"type": "enabled", "budget_tokens": 2000}), json!("high"));
    assert_eq!(body["thinking"]["budget_tokens"], 2000);
    assert_eq!(lost(&loss, "reasoning_effort"), Some(Change::Dropped));
    let (body, loss) = asking(&newest, json!({"type": "disabled"}), json!("high"));
    assert_eq!(
        (&body["thinking"]["type"], lost(&loss, "reasoning_effort")),
        (&json!("disabled"), Some(Change::Dropped))
    );
    let huge = json!({"model": "m", "thinking": {"type": "enabled", "budget_tokens": u64::MAX}, "messages": []});
    assert!(write(&huge).0["max_tokens"].is_u64());
    for (thinking, change) in [
        (json!({"type": "between_tools"}), ("thinking.type", Change::Approximated)),
        (json!({"type": "adaptive", "display": "omitted"}), ("thinking.display", Change::Dropped)),
    ] {
        let (_, loss) = read(&json!({"model": "m", "max_tokens": 9, "thinking": thinking, "messages": []}));
        assert_eq!(lost(&loss, change.0), Some(change.1));
    }
}
