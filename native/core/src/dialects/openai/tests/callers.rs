//! Requests of callers, read as the neutral one.

use super::*;
use serde_json::json;

#[test]
fn a_request_of_known_fields_is_the_neutral_one() {
    let body = "{\"model\":\"m\", \"messages\":[{\"role\":\"user\",\"content\":\"a\\nb\"}],\"top_k\":5,\r\n\"seed\":1}";
    let mut loss = Loss::default();
    let neutral = OpenAiChat::USUAL.read_request(&Ask::default(), body.as_bytes(), &mut loss).unwrap();
    assert_eq!(String::from_utf8(neutral).unwrap(), body.replace("\r\n", "  "));
    assert!(loss.is_empty());
}

#[test]
fn unknown_fields_are_told() {
    let (body, lost) = neutral(
        r#"{"model":"m","messages":[{"role":"assistant","content":"a","annotations":[],"audio":null,"refusal":null,"x":1}],"guided_json":{},"pool":"p","nothing":null}"#,
    );
    assert_eq!(body, json!({"model": "m", "messages": [{"role": "assistant", "content": "a", "refusal": null}]}));
    assert_eq!(lost, [super::lost("guided_json", Change::Dropped), super::lost("messages[].x", Change::Dropped)]);
}

#[test]
fn older_and_other_names_are_read() {
    let (body, lost) = neutral(
        r#"{"model":"m","functions":[{"name":"f","parameters":{}}],"function_call":{"name":"f"},"reasoning":{"effort":"low"},"messages":[
            {"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},
            {"role":"function","name":"f","content":"r"},
            {"role":"assistant","content":"a","reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"s"},{"type":"reasoning.summary","summary":"x"}]}]}"#,
    );
    assert_eq!(body["tools"], json!([{"type": "function", "function": {"name": "f", "parameters": {}}}]));
    assert_eq!(body["tool_choice"], json!({"type": "function", "function": {"name": "f"}}));
    assert_eq!(body["reasoning_effort"], "low");
    assert!(["functions", "function_call", "reasoning"].into_iter().all(|name| body.get(name).is_none()));
    let messages = &body["messages"];
    assert_eq!(messages[0]["tool_calls"][0]["function"], json!({"name": "f", "arguments": "{}"}));
    assert_eq!(messages[1]["role"], "tool");
    assert_eq!(messages[1]["tool_call_id"], messages[0]["tool_calls"][0]["id"]);
    assert_eq!(
        messages[2],
        json!({"role": "assistant", "content": "a", "reasoning_content": "hm", "thoughts": [
        {"origin": "openai_chat", "type": "item", "item": {"type": "reasoning.text", "text": "hm", "signature": "s"}}]})
    );
    let (google, _) = neutral(
        r#"{"model":"m","messages":[{"role":"assistant","content":"a","extra_content":{"google":{"thought_signature":"s"}}}]}"#,
    );
    assert_eq!(google["messages"][0]["thoughts"], json!([{"origin": "gemini", "type": "text", "signature": "s"}]));
    assert!(lost.iter().all(|(_, change)| matches!(change, Change::Renamed | Change::Approximated)), "{lost:?}");
}

#[test]
fn tools_that_the_provider_runs_are_marked() {
    let (body, lost) = neutral(
        r#"{"model":"m","messages":[{"role":"user","content":"q"}],"tools":[{"type":"builtin_function","function":{"name":"$web_search"}},{"type":"custom","custom":{"name":"c"}}]}"#,
    );
    assert_eq!(
        body["tools"],
        json!([
        {"type": "native", "origin": "openai_chat", "value": {"type": "builtin_function", "function": {"name": "$web_search"}}},
        {"type": "custom", "custom": {"name": "c"}}])
    );
    assert!(lost.is_empty());
}

#[test]
fn bad_requests_are_refused_in_words() {
    for (body, param) in [
        (r#"{"messages":[]}"#, Some("model")),
        (r#"{"model":"m"}"#, Some("messages")),
        (r#"{"model":"m","messages":[7]}"#, Some("messages[0]")),
        (r#"{"model":"m","messages":[{"role":"user","content":7}]}"#, Some("messages[0].content")),
        (r#"{"model":"m","messages":[{"role":"user"}],"temperature":9}"#, Some("temperature")),
        ("{", None),
        ("[]", None),
    ] {
        let failure =
            OpenAiChat::USUAL.read_request(&Ask::default(), body.as_bytes(), &mut Loss::default()).unwrap_err();
        assert_eq!(failure.param.as_deref(), param, "{body}: {failure}");
        assert_eq!(failure.status(), 400);
    }
}

#[test]
fn every_field_of_the_sdk_is_in_the_table() {
    // `completion_create_params.py` and `embedding_create_params.py` of openai 3.57.
    for field in [
        "messages",
        "model",
        "audio",
        "frequency_penalty",
        "function_call",
        "functions",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "metadata",
        "modalities",
        "moderation",
        "n",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
        "web_search_options",
        "input",
        "dimensions",
        "encoding_format",
    ] {
        assert!(super::super::REQUEST_FIELDS.iter().any(|(name, ..)| *name == field), "{field}");
    }
}

#[test]
fn signed_thinking_survives_three_turns_of_a_caller() {
    let turn = |at: usize| {
        let thought = Thought::Signature(format!("c2lnbmVk+/{at}=="));
        let items = [
            reasoning(&format!("thought \"{at}\"\n")),
            Item::Thought { choice: 0, origin: Dialect::Anthropic, thought },
            call(0, &format!("toolu_{at}"), "f", "{}"),
            finish("tool_calls"),
        ];
        let answer = OpenAiChat::USUAL.write_answer(&Reply::default(), &items, &usage(1, 1, 0));
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        answer["choices"][0]["message"].clone()
    };
    let mut messages = vec![json!({"role": "user", "content": "q"})];
    for at in 0..3 {
        messages.push(turn(at));
        messages.push(json!({"role": "tool", "tool_call_id": format!("toolu_{at}"), "content": "r"}));
    }
    let (body, lost) = neutral(&json!({"model": "m", "messages": messages}).to_string());
    assert!(lost.is_empty(), "{lost:?}");
    for at in 0..3 {
        let message = &body["messages"][1 + 2 * at];
        assert_eq!(
            message["thoughts"],
            json!([{"origin": "anthropic", "type": "signature",
            "thinking": format!("thought \"{at}\"\n"), "signature": format!("c2lnbmVk+/{at}==")}])
        );
        assert_eq!(message["tool_calls"][0]["id"], format!("toolu_{at}"));
    }
}
