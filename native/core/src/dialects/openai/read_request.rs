//! A caller's request as the neutral one. They are alike: only what other dialects could not understand is put into the
//! form that they know (older names, names of other gateways, tools that the provider runs), and what no dialect has a
//! place for is taken out and reported.

use bytes::Bytes;

use super::read_messages::Turns;
use super::request;
use super::request_fields::{is_carried, REQUEST_FIELDS};
use crate::dialects::neutral::Endpoint;
use crate::dialects::{Ask, Change, Dialect, Loss};
use crate::error::Failure;
use crate::json::{Edits, Kind, Value, Writer};

/// See [`crate::dialects::Protocol::read_request`].
///
/// # Errors
/// What [`request::read`] refuses.
pub fn read_request(ask: &Ask, body: &[u8], loss: &mut Loss) -> Result<Vec<u8>, Failure> {
    let endpoint = ask.endpoint.unwrap_or(Endpoint::Chat);
    let facts = request::read(Bytes::copy_from_slice(body), endpoint, None)?;
    let mut edits = Edits::new();
    unknown(&facts, &mut edits, loss);
    if endpoint == Endpoint::Chat {
        chat(&facts, &mut edits, loss);
    }
    let mut out = if edits.is_empty() { body.to_vec() } else { edits.apply(body, &facts.index) };
    // No string of checked JSON holds a line end as it is.
    out.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    Ok(out)
}

fn unknown(facts: &request::Facts, edits: &mut Edits, loss: &mut Loss) {
    for (name, value) in facts.index.iter(&facts.body) {
        if is_carried(REQUEST_FIELDS, &name) {
            continue;
        }
        if name != "pool" && !value.is_null() {
            loss.add(Change::Dropped, name.clone().into_owned(), "unknown to other dialects");
        }
        edits.remove(name.into_owned());
    }
}

fn chat(facts: &request::Facts, edits: &mut Edits, loss: &mut Loss) {
    let field = |name: &str| facts.index.get(&facts.body, name).filter(|value| !value.is_null());
    let has = |name: &str| facts.index.get(&facts.body, name).is_some();
    functions(&field, edits, loss);
    if let Some(tools) = field("tools").and_then(natives) {
        edits.set("tools", tools);
    }
    if let Some(reasoning) = field("reasoning") {
        let has_own = field("reasoning_effort").or(field("thinking")).is_some();
        self::reasoning(reasoning, has_own, edits, loss);
    }
    for name in ["functions", "function_call", "reasoning"].into_iter().filter(|name| has(name)) {
        edits.remove(name);
    }
    if let Some(messages) = field("messages").and_then(|messages| Turns::new(loss).write(messages)) {
        edits.set("messages", messages);
    }
}

/// The older `functions` and `function_call` as `tools` and `tool_choice`.
fn functions<'a>(field: &dyn Fn(&str) -> Option<Value<'a>>, edits: &mut Edits, loss: &mut Loss) {
    if let Some(functions) = field("functions") {
        loss.add(Change::Approximated, "functions", "as tools; the answer has tool_calls");
        if field("tools").is_none() {
            let mut out = Writer::with_capacity(functions.raw().len() + 64);
            out.open_array();
            for function in functions.elements() {
                out.open_object().text_member("type", "function").key("function").value(function).close_object();
            }
            out.close_array();
            edits.set("tools", out.into_bytes());
        }
    }
    if let Some(choice) = field("function_call").filter(|_| field("tool_choice").is_none()) {
        loss.add(Change::Renamed, "function_call", "as tool_choice");
        let mut out = Writer::default();
        match choice.get("name") {
            Some(name) => {
                out.open_object().text_member("type", "function").key("function").open_object();
                out.key("name").value(name).close_object().close_object();
            }
            None => {
                out.value(choice);
            }
        }
        edits.set("tool_choice", out.into_bytes());
    }
}

/// `tools` with those that the provider runs marked as this dialect's; `None` if there are none.
fn natives(tools: Value<'_>) -> Option<Vec<u8>> {
    let is_native = |tool: Value<'_>| {
        let kind = tool.get("type").filter(|kind| kind.kind() == Kind::String);
        kind.is_some_and(|kind| !["function", "custom", "native"].into_iter().any(|known| kind.str_eq(known)))
    };
    if !tools.elements().any(is_native) {
        return None;
    }
    let mut out = Writer::with_capacity(tools.raw().len() + 64);
    out.open_array();
    for tool in tools.elements() {
        if is_native(tool) {
            out.open_object().text_member("type", "native").text_member("origin", Dialect::OpenAiChat.as_str());
            out.key("value").value(tool).close_object();
        } else {
            out.value(tool);
        }
    }
    out.close_array();
    Some(out.into_bytes())
}

/// OpenRouter's `reasoning` object: effort in words or tokens.
fn reasoning(asked: Value<'_>, has_own: bool, edits: &mut Edits, loss: &mut Loss) {
    let effort = asked.get("effort").filter(|effort| effort.kind() == Kind::String);
    let budget = asked.get("max_tokens").and_then(Value::as_u64);
    let enabled = asked.get("enabled").and_then(Value::as_bool);
    let thinking = match (budget, enabled) {
        (Some(budget), _) => format!("{{\"type\":\"enabled\",\"budget_tokens\":{budget}}}"),
        (None, Some(true)) => "{\"type\":\"enabled\"}".to_owned(),
        (None, Some(false)) => "{\"type\":\"disabled\"}".to_owned(),
        (None, None) => String::new(),
    };
    match effort {
        _ if has_own => loss.add(Change::Dropped, "reasoning", "beside reasoning_effort or thinking"),
        Some(effort) => {
            edits.set("reasoning_effort", effort.raw().to_vec());
            loss.add(Change::Renamed, "reasoning", "as reasoning_effort");
        }
        None if !thinking.is_empty() => {
            edits.set("thinking", thinking.into_bytes());
            loss.add(Change::Renamed, "reasoning", "as thinking");
        }
        None => loss.add(Change::Dropped, "reasoning", "asks for nothing that is known"),
    }
    if asked.get("exclude").and_then(Value::as_bool) == Some(true) {
        loss.add(Change::Dropped, "reasoning.exclude", "thoughts are told where the model tells them");
    }
}
