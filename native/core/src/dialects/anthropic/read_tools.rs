//! A caller's tools and how they may be used, in the neutral form.

use super::read_request::{invalid, missing, object};
use crate::dialects::{Change, Dialect, Loss};
use crate::error::Failure;
use crate::json::{Kind, Value, Writer};

/// Tools of the caller become functions; those that Anthropic runs stay as they are, for Anthropic alone.
pub(super) fn read_tools(tools: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    if tools.kind() != Kind::Array {
        return Err(invalid("tools", "'tools' must be an array."));
    }
    if tools.elements().next().is_none() {
        return Ok(());
    }
    out.key("tools").open_array();
    for (at, tool) in tools.elements().enumerate() {
        if tool.kind() != Kind::Object {
            return Err(invalid(format!("tools.{at}"), format!("'tools.{at}' must be an object.")));
        }
        let kind = tool.get("type").filter(|kind| !kind.is_null());
        if kind.is_some_and(|kind| !kind.str_eq("custom")) {
            out.open_object().text_member("type", "native").text_member("origin", Dialect::Anthropic.as_str());
            out.key("value").value(tool).close_object();
            continue;
        }
        function(at, tool, out, loss)?;
    }
    out.close_array();
    Ok(())
}

fn function(at: usize, tool: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    let name = tool.get("name").filter(|name| name.kind() == Kind::String);
    let name = name.ok_or_else(|| missing(&format!("tools.{at}.name")))?;
    let schema = tool.get("input_schema").filter(|schema| schema.kind() == Kind::Object);
    let schema = schema.ok_or_else(|| missing(&format!("tools.{at}.input_schema")))?;
    out.open_object().text_member("type", "function").key("function").open_object().key("name").value(name);
    out.member("description", tool.get("description"));
    out.key("parameters").value(schema);
    out.member("strict", tool.get("strict"));
    out.close_object().member("cache_control", tool.get("cache_control"));
    out.close_object();
    for (key, value) in tool.fields().filter(|(_, value)| !value.is_null()) {
        let key = key.as_str().unwrap_or_default();
        // It only asks for pieces as they come, as everybody else gives them.
        let known = ["type", "name", "description", "input_schema", "strict", "cache_control", "eager_input_streaming"];
        if !known.contains(&&*key) && value.raw() != b"false" {
            loss.add(Change::Dropped, format!("tools[].{key}"), "unknown to other dialects");
        }
    }
    Ok(())
}

/// `tool_choice`, and `disable_parallel_tool_use` in it.
pub(super) fn read_choice(choice: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    object("tool_choice", choice)?;
    loss.add_others(choice, "tool_choice", &["type", "name", "disable_parallel_tool_use"], "unknown to other dialects");
    let kind = choice.get("type").and_then(Value::as_str).unwrap_or_default();
    match &*kind {
        "auto" => out.text_member("tool_choice", "auto"),
        "any" => out.text_member("tool_choice", "required"),
        "none" => out.text_member("tool_choice", "none"),
        "tool" => {
            let name = choice.get("name").filter(|name| name.kind() == Kind::String);
            let name = name.ok_or_else(|| missing("tool_choice.name"))?;
            out.key("tool_choice").open_object().text_member("type", "function").key("function").open_object();
            out.key("name").value(name).close_object().close_object()
        }
        _ => {
            let words = "'tool_choice.type' must be auto, any, tool or none.";
            return Err(invalid("tool_choice.type", words));
        }
    };
    if let Some(alone) = choice.get("disable_parallel_tool_use").and_then(Value::as_bool) {
        out.key("parallel_tool_calls").boolean(!alone);
    }
    Ok(())
}
