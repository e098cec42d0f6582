//! Finds out what a template expects by trying it: the templates about differ in that, and do not say so.

use serde_json::{json, Value};

use super::messages::Manners;

/// What no template says by itself.
const NEEDLE: &str = "needle7f3a";

/// Tries the template that `run` runs on messages and tools.
pub(super) fn manners(source: &str, run: impl Fn(Value, Value) -> Option<String>) -> Manners {
    let user = |content: Value| json!([{ "role": "user", "content": content }]);
    let says = |messages: Value, tools: Value, what: &str| run(messages, tools).is_some_and(|text| text.contains(what));
    let parts = json!([{ "type": "text", "text": NEEDLE }]);
    let takes_text = says(user(NEEDLE.into()), Value::Null, NEEDLE);
    let content = |text: &str| if takes_text { json!(text) } else { json!([{ "type": "text", "text": text }]) };

    let system = json!([
        { "role": "system", "content": content(NEEDLE) },
        { "role": "user", "content": content("x") },
    ]);
    let tools = json!([{ "type": "function", "function": {
        "name": NEEDLE,
        "description": "x",
        "parameters": { "type": "object", "properties": { "x": { "type": "string", "description": "x" } }, "required": [] },
    } }]);
    let called = |arguments: Value| {
        let call =
            json!({ "id": "call00001", "type": "function", "function": { "name": "x", "arguments": arguments } });
        json!([
            { "role": "user", "content": content("x") },
            { "role": "assistant", "content": content(""), "tool_calls": [call] },
            { "role": "tool", "tool_call_id": "call00001", "name": "x", "content": content("x") },
        ])
    };
    // Not with a backslash before the quote: that is a text put into JSON once more.
    let as_member = format!("\"{NEEDLE}\":");
    let as_text = says(called(format!("{{\"{NEEDLE}\": 1}}").into()), tools.clone(), &as_member);
    let as_object = says(called(json!({ NEEDLE: 1 })), tools.clone(), NEEDLE);

    Manners {
        wants_parts: !takes_text && says(user(parts), Value::Null, NEEDLE),
        takes_system: says(system, Value::Null, NEEDLE),
        takes_developer: source.contains("developer"),
        wants_objects: as_object && !as_text,
        takes_tools: says(user(content("x")), tools, NEEDLE),
    }
}
