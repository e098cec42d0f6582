//! Tools and how they may be used, as Anthropic has them.
//!
//! Two things of OpenAI's have no like here: tools of free text (`custom`), which become functions of one text, and a
//! choice among some of the tools (`allowed_tools`), for which the others are left out.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::write_schema::write_schema;
use crate::dialects::{Change, Dialect, Loss};
use crate::json::{Kind, Value, Writer};

/// Of a function that takes nothing.
const NO_INPUT: &[u8] = br#"{"type":"object","properties":{},"additionalProperties":false}"#;
/// Of a tool of free text.
const FREE_TEXT: &[u8] =
    br#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}"#;

/// The member `tools`; whether there are any. `choice`: how they may be used.
pub(super) fn write_tools(
    tools: Option<Value<'_>>,
    choice: Option<Value<'_>>,
    out: &mut Writer,
    loss: &mut Loss,
) -> bool {
    let allowed = choice.and_then(|choice| choice.get("allowed_tools")?.get("tools"));
    let allowed = allowed.filter(|list| list.kind() == Kind::Array);
    let allowed: Option<BTreeSet<Cow<'_, str>>> =
        allowed.map(|list| list.elements().filter_map(|one| name_of(one)?.as_str()).collect());
    let mut kept = 0;
    for tool in tools.into_iter().flat_map(Value::elements) {
        if allowed.as_ref().is_some_and(|allowed| is_forbidden(tool, allowed)) {
            continue;
        }
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
    let function = tool.get(&kind).filter(|function| function.kind() == Kind::Object);
    let Some(function) = function.filter(|_| matches!(&*kind, "function" | "custom")) else {
        loss.add(Change::Dropped, "tools[]", "neither a function nor of free text");
        return None;
    };
    let mut out = Writer::with_capacity(tool.raw().len() + 32);
    out.open_object().member("name", function.get("name")).member("description", function.get("description"));
    let is_strict = function.get("strict").and_then(Value::as_bool) == Some(true);
    match function.get("parameters").filter(|parameters| parameters.kind() == Kind::Object) {
        _ if kind == "custom" => {
            loss.add(Change::Emulated, "tools[].custom", "as a function of one text");
            out.key("input_schema").raw(FREE_TEXT);
        }
        Some(parameters) if is_strict => {
            out.key("input_schema");
            write_schema(parameters, "tools[].function.parameters", &mut out, loss);
        }
        Some(parameters) => {
            out.key("input_schema").value(parameters);
        }
        None => {
            out.key("input_schema").raw(NO_INPUT);
        }
    }
    if is_strict {
        out.key("strict").boolean(true);
    }
    out.member("cache_control", tool.get("cache_control")).close_object();
    Some(out.into_bytes())
}

/// The name in a tool, or in a choice of one.
fn name_of(tool: Value<'_>) -> Option<Value<'_>> {
    ["function", "custom"].into_iter().find_map(|kind| tool.get(kind)?.get("name"))
}

fn is_forbidden(tool: Value<'_>, allowed: &BTreeSet<Cow<'_, str>>) -> bool {
    name_of(tool).and_then(Value::as_str).is_some_and(|name| !allowed.contains(&name))
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
    let choice = field("tool_choice");
    if !has_tools {
        // Without tools none is called, whatever is chosen.
        if choice.is_some_and(|choice| !choice.str_eq("none") && !choice.str_eq("auto")) {
            loss.add(Change::Dropped, "tool_choice", "there are no tools");
        }
        return;
    }
    if choice.is_none() && !alone {
        return;
    }
    let name = choice.and_then(name_of);
    let kind = match choice {
        Some(choice) => kind_of(choice, name.is_some(), loss),
        None => "auto",
    };
    let kind = match kind {
        "any" | "tool" if thinks => {
            loss.add(Change::Approximated, "tool_choice", "auto: no call can be asked for while the model thinks");
            "auto"
        }
        kind => kind,
    };
    out.key("tool_choice").open_object().text_member("type", kind);
    if let Some(name) = name.filter(|_| kind == "tool") {
        out.key("name").value(name);
    }
    if alone && kind != "none" {
        out.key("disable_parallel_tool_use").boolean(true);
    }
    out.close_object();
}

fn kind_of(choice: Value<'_>, has_name: bool, loss: &mut Loss) -> &'static str {
    if let Some(allowed) = choice.get("allowed_tools") {
        loss.add(Change::Emulated, "tool_choice.allowed_tools", "the other tools are left out");
        let required = allowed.get("mode").is_some_and(|mode| mode.str_eq("required"));
        return if required { "any" } else { "auto" };
    }
    match choice.as_str().as_deref() {
        Some("none") => "none",
        Some("required") => "any",
        Some("auto") => "auto",
        None if has_name => "tool",
        _ => {
            loss.add(Change::Approximated, "tool_choice", "auto: of an unknown form");
            "auto"
        }
    }
}
