//! Tools of neutral requests, written for upstreams.

use super::*;
use serde_json::json;

#[test]
fn tools_of_other_providers_are_left_out() {
    let native = |origin: &str| json!({"type": "native", "origin": origin, "value": {"type": "web_search"}});
    let function = json!({"type": "function", "function": {"name": "f"}});
    let neutral =
        json!({"model": "m", "messages": [], "tools": [native("anthropic"), function, native("openai_chat")]});
    let (body, lost) = written(OpenAiChat::USUAL, &CHAT, &neutral.to_string());
    assert_eq!(body["tools"], json!([function, {"type": "web_search"}]));
    assert_eq!(lost, [super::lost("tools[]", Change::Dropped)]);
    let neutral = json!({"model": "m", "messages": [], "tools": [native("gemini")], "tool_choice": "auto"});
    let (body, _) = written(OpenAiChat::USUAL, &CHAT, &neutral.to_string());
    assert_eq!(body, json!({"model": "m", "messages": []}));
}

#[test]
fn free_text_tools_and_allowed_tools_are_openais_alone() {
    let custom = json!({"type": "custom", "custom": {"name": "patch", "description": "d", "format": {"type": "text"}}});
    let function = |name: &str| json!({"type": "function", "function": {"name": name}});
    let neutral = json!({"model": "m", "tools": [custom, function("f"), function("g")],
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required",
            "tools": [{"type": "custom", "custom": {"name": "patch"}}, function("g")]}},
        "messages": [{"role": "assistant", "content": null, "tool_calls": [
            {"id": "c", "type": "custom", "custom": {"name": "patch", "input": "a \"b\"\n"}}]}]});
    let (body, lost) = written(dialect("openai"), &CHAT, &neutral.to_string());
    assert_eq!((body, lost), (neutral.clone(), vec![]));

    let (body, lost) = written(OpenAiChat::USUAL, &CHAT, &neutral.to_string());
    assert_eq!(body["tools"].as_array().unwrap().len(), 2);
    assert_eq!(body["tools"][0]["function"]["name"], "patch");
    assert_eq!(body["tools"][0]["function"]["parameters"]["required"], json!(["input"]));
    assert_eq!(body["tools"][1], function("g"));
    assert_eq!(body["tool_choice"], "required");
    let call = &body["messages"][0]["tool_calls"][0];
    assert_eq!((call["id"].as_str(), call["type"].as_str()), (Some("c"), Some("function")));
    let arguments: serde_json::Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
    assert_eq!(arguments, json!({"input": "a \"b\"\n"}));
    assert_eq!(
        lost,
        [super::lost("tools[].custom", Change::Emulated), super::lost("tool_choice.allowed_tools", Change::Emulated)]
    );
}
