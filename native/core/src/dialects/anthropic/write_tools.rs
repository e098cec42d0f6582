//! Tools and how they may be used, as Anthropic has them.

use crate::dialects::{Change, Dialect, Loss};
use crate::json::{Kind, Value, Writer};

/// Of a function that takes nothing.
const NO_INPUT: &[u8] = b"{\"type\":\"object\",\"properties\":{}}";

/// The member `tools`; whether there are any.
pub(super) fn write_tools(tools: Option<Value<'_>>, out: &mut Writer, loss: &mut Loss) -> bool {
    let mut kept = 0;
    for tool in tools.into_iter().flat_map(Value::elements) {
        let Some(json) = one(tool, loss) else { continue };
        if kept == 0 {
            out.key("tools").open_array();
        }
        kept += 1;
        out.raw(&json);
    }
    if kept > 0 {
        out.close_array();
    }
    kept > 0
}

fn one(tool: Value<'_>, loss: &mut Loss) -> Option<Vec<u8>> {
    let kind = tool.get("type").and_then(Value::as_str).unwrap_or_default();
    if kind == "native" {
        let is_own = tool.get("origin").is_some_and(|origin| origin.str_eq(Dialect::Anthropic.as_str()));
        let value = tool.get("value").filter(|_| is_own);
        if value.is_none() {
            loss.add(Change::Dropped, "tools[]", "run by another provider");
        }
        return value.map(|value| value.raw().to_vec());
    }
    let function = tool.get("function").filter(|function| kind == "function" && function.kind() == Kind::Object);
    let Some(function) = function else {
        loss.add(Change::Dropped, "tools[]", "only functions are known");
        return None;
    };
    let mut out = Writer::with_capacity(tool.raw().len() + 32);
    out.open_object().member("name", function.get("name")).member("description", function.get("description"));
    match function.get("parameters").filter(|parameters| parameters.kind() == Kind::Object) {
        Some(parameters) => out.key("input_schema").value(parameters),
        None => out.key("input_schema").raw(NO_INPUT),
    };
    if function.get("strict").and_then(Value::as_bool) == Some(true) {
        out.key("strict").boolean(true);
    }
    out.member("cache_control", tool.get("cache_control")).close_object();
    Some(out.into_bytes())
}

/// `tool_choice`. While it thinks the model cannot be made to call.
pub(super) fn write_choice<'a>(
    field: &dyn Fn(&str) -> Option<Value<'a>>,
    has_tools: bool,
    thinks: bool,
    out: &mut Writer,
    loss: &mut Loss,
) {
    let alone = field("parallel_tool_calls").and_then(Value::as_bool) == Some(false);
    if !has_tools {
        return;
    }
    let choice = field("tool_choice");
    let word = choice.and_then(Value::as_str);
    let name = choice.and_then(|choice| choice.get("function")?.get("name"));
    let kind = match (word.as_deref(), name) {
        (Some("none"), _) => "none",
        (Some("required"), _) => "any",
        (None, Some(_)) => "tool",
        (None, None) if choice.is_some() => {
            loss.add(Change::Approximated, "tool_choice", "only one tool can be named, or none");
            "auto"
        }
        _ => "auto",
    };
    let kind = match kind {
        "any" | "tool" if thinks => {
            loss.add(Change::Approximated, "tool_choice", "auto: no call can be asked for while the model thinks");
            "auto"
        }
        kind => kind,
    };
    if choice.is_none() && !alone {
        return;
    }
    out.key("tool_choice").open_object().text_member("type", kind);
    if let Some(name) = name.filter(|_| kind == "tool") {
        out.key("name").value(name);
    }
    if alone && kind != "none" {
        out.key("disable_parallel_tool_use").boolean(true);
    }
    out.close_object();
}
