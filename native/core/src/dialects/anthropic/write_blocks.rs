//! What of a neutral message has a block of its own: thoughts, calls, and the results of calls.

use super::write_parts::blocks_of;
use crate::dialects::{Change, Dialect, Loss};
use crate::json::{validate, Kind, Limits, Value, Writer};

/// How a tool's result begins.
const RESULT: &[u8] = b"{\"type\":\"tool_result\"";
/// How thoughts begin.
const THINKING: [&[u8]; 2] = [b"{\"type\":\"thinking\"", b"{\"type\":\"redacted_thinking\""];

pub(super) fn is_result(block: &[u8]) -> bool {
    block.starts_with(RESULT)
}

pub(super) fn is_thinking(block: &[u8]) -> bool {
    THINKING.iter().any(|start| block.starts_with(start))
}

/// Puts a cache marker on a block that has none. Thoughts take none.
pub(super) fn mark(marker: Value<'_>, block: &mut Vec<u8>) {
    let has_one = validate(block, Limits::default()).is_ok_and(|block| block.get("cache_control").is_some());
    if has_one || is_thinking(block) || block.pop().is_none() {
        return;
    }
    block.extend_from_slice(b",\"cache_control\":");
    block.extend_from_slice(marker.raw());
    block.push(b'}');
}

/// Thoughts of Anthropic's own, with what signs them.
pub(super) fn thinking_block(thought: Value<'_>) -> Option<Vec<u8>> {
    let is = |name: &str, word: &str| thought.get(name).is_some_and(|value| value.str_eq(word));
    let opaque = |name: &str| thought.get(name).filter(|it| it.kind() == Kind::String && !it.str_eq(""));
    if !is("origin", Dialect::Anthropic.as_str()) {
        return None;
    }
    let mut out = Writer::with_capacity(thought.raw().len());
    out.open_object();
    if is("type", "redacted") {
        out.text_member("type", "redacted_thinking").key("data").value(opaque("data")?);
    } else {
        out.text_member("type", "thinking").key("thinking");
        match thought.get("thinking").filter(|thinking| thinking.kind() == Kind::String) {
            Some(thinking) => out.value(thinking),
            None => out.string(""),
        };
        out.key("signature").value(opaque("signature")?);
    }
    out.close_object();
    Some(out.into_bytes())
}

/// A call.
pub(super) fn tool_use(call: Value<'_>, loss: &mut Loss) -> Vec<u8> {
    let text = |kind: &str, name: &str| call.get(kind).and_then(|call| call.get(name)?.as_str());
    let mut out = Writer::with_capacity(call.raw().len() + 16);
    let id = call.get("id").and_then(Value::as_str).unwrap_or_default();
    let name = text("function", "name").or(text("custom", "name")).unwrap_or_default();
    out.open_object().text_member("type", "tool_use").text_member("id", &fit_id(&id));
    out.text_member("name", &name).key("input");
    match text("custom", "input") {
        // As the tool itself is told.
        Some(input) => {
            out.open_object().text_member("input", &input).close_object();
        }
        None => arguments(&text("function", "arguments").unwrap_or_default(), &mut out, loss),
    }
    out.member("cache_control", call.get("cache_control"));
    if call.get("extra_content").is_some_and(|extra| !extra.is_null()) {
        loss.add(Change::Dropped, "messages[].tool_calls[].extra_content", "of another model");
    }
    out.close_object();
    out.into_bytes()
}

/// The object that arguments are; what a model wrote wrong is given as it is, where an object must stand.
fn arguments(arguments: &str, out: &mut Writer, loss: &mut Loss) {
    if arguments.trim().is_empty() {
        out.raw(b"{}");
        return;
    }
    match validate(arguments.as_bytes(), Limits::default()) {
        Ok(value) if value.kind() == Kind::Object => {
            out.value(value);
        }
        _ => {
            let field = "messages[].tool_calls[].function.arguments";
            loss.add(Change::Approximated, field, "no JSON object: as text in one");
            out.open_object().text_member("arguments", arguments).close_object();
        }
    }
}

/// The result of a call. `name`: whose, in the older form without ids.
pub(super) fn tool_result(
    id: Option<Value<'_>>,
    content: Option<Value<'_>>,
    is_error: Option<Value<'_>>,
    marker: Option<Value<'_>>,
    loss: &mut Loss,
) -> Vec<u8> {
    let id = id.and_then(Value::as_str).unwrap_or_default();
    let mut out = Writer::with_capacity(content.map_or(0, |content| content.raw().len()) + 96);
    out.open_object().text_member("type", "tool_result").text_member("tool_use_id", &fit_id(&id));
    match content {
        Some(text) if text.kind() == Kind::String => {
            out.key("content").value(text);
        }
        _ => {
            let mut blocks = Vec::new();
            blocks_of(content, &mut blocks, loss);
            if !blocks.is_empty() {
                out.key("content").open_array();
                blocks.iter().for_each(|block| {
                    out.raw(block);
                });
                out.close_array();
            }
        }
    }
    if is_error.and_then(Value::as_bool) == Some(true) {
        out.key("is_error").boolean(true);
    }
    out.member("cache_control", marker).close_object();
    out.into_bytes()
}

/// Ids have letters, digits, `_` and `-` here; one that has others is written so that equal ones stay equal.
fn fit_id(id: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if id.chars().all(fits) && !id.is_empty() {
        return id.to_owned();
    }
    let digest = blake3::hash(id.as_bytes()).to_hex();
    format!("toolu_{}", &digest.as_str()[..24])
}
