//! Tools and the choice of them, both ways.
//!
//! Functions of a namespace have no like in other dialects: each becomes a function whose name is that of the namespace,
//! [`BETWEEN`] and its own, and a call of it is taken apart again.

use std::fmt::Arguments;

use super::fields::{drop_unknown, pick};
use super::refuse::{as_text, missing, of_kind, present, text_of, wrong_type, wrong_value};
use crate::dialects::{Change, Dialect, Loss};
use crate::error::Failure;
use crate::json::{Kind, Value, Writer};

/// Stands between the name of a namespace and that of its function: of the letters that all dialects take in names, and
/// in no order in which people write them.
const BETWEEN: &str = "_-_";

/// One name of a namespace's function.
pub(super) fn joined(namespace: &str, name: &str) -> String {
    format!("{namespace}{BETWEEN}{name}")
}

/// Namespace, if any, and name.
pub(super) fn parted(name: &str) -> (Option<&str>, &str) {
    match name.split_once(BETWEEN) {
        Some((namespace, own)) if !namespace.is_empty() && !own.is_empty() => (Some(namespace), own),
        _ => (None, name),
    }
}

/// `tools` of a caller as the neutral ones.
pub(super) fn read_tools(out: &mut Writer, tools: Value<'_>, loss: &mut Loss) -> Result<(), Failure> {
    of_kind("tools", Kind::Array, tools)?;
    if tools.elements().next().is_none() {
        return Ok(());
    }
    out.key("tools").open_array();
    for (at, tool) in tools.elements().enumerate() {
        read_any(out, tool, format_args!("tools[{at}]"), loss)?;
    }
    out.close_array();
    Ok(())
}

fn read_any(out: &mut Writer, tool: Value<'_>, place: Arguments<'_>, loss: &mut Loss) -> Result<(), Failure> {
    let kind = text_of(of_kind(place, Kind::Object, tool)?, "type", place)?;
    if kind.str_eq("namespace") {
        return read_namespace(out, tool, place, loss);
    }
    read_tool(out, tool, kind, None, place, loss)
}

fn read_namespace(out: &mut Writer, tool: Value<'_>, place: Arguments<'_>, loss: &mut Loss) -> Result<(), Failure> {
    let namespace = text_of(tool, "name", place)?.as_str().unwrap_or_default();
    let inner = present(tool, "tools").ok_or_else(|| missing(&format!("{place}.tools")))?;
    of_kind(format_args!("{place}.tools"), Kind::Array, inner)?;
    loss.add(Change::Renamed, "tools[].namespace", "as a part of its functions' names");
    if present(tool, "description").is_some() {
        loss.add(Change::Dropped, "tools[].description", "of a namespace");
    }
    for (at, one) in inner.elements().enumerate() {
        let kind = text_of(of_kind(format_args!("{place}.tools[{at}]"), Kind::Object, one)?, "type", place)?;
        read_tool(out, one, kind, Some(&namespace), format_args!("{place}.tools[{at}]"), loss)?;
    }
    Ok(())
}

fn read_tool(
    out: &mut Writer,
    tool: Value<'_>,
    kind: Value<'_>,
    namespace: Option<&str>,
    place: Arguments<'_>,
    loss: &mut Loss,
) -> Result<(), Failure> {
    let is_function = kind.str_eq("function");
    if !is_function && !kind.str_eq("custom") {
        out.open_object().text_member("type", "native").text_member("origin", Dialect::OpenAiResponses.as_str());
        out.key("value").value(tool).close_object();
        return Ok(());
    }
    let format = if is_function { "strict" } else { "format" };
    // A custom tool has no parameters.
    let its = if is_function { "parameters" } else { "type" };
    let [name, description, parameters, format, _] =
        pick(tool, ["name", "description", its, format, "type"], "tools[].", loss);
    let name = as_text(name, "name", place)?;
    out.open_object().key("type").value(kind).key(if is_function { "function" } else { "custom" }).open_object();
    match namespace {
        Some(namespace) => out.text_member("name", &joined(namespace, &name.as_str().unwrap_or_default())),
        None => out.key("name").value(name),
    };
    out.member("description", description);
    if is_function {
        out.member("parameters", parameters).member("strict", format);
    } else if let Some(format) = format {
        read_grammar(out, format);
    }
    out.close_object().close_object();
    Ok(())
}

/// Chat has a grammar's members in an object of their own.
fn read_grammar(out: &mut Writer, format: Value<'_>) {
    out.key("format");
    if !format.get("type").is_some_and(|kind| kind.str_eq("grammar")) {
        out.value(format);
        return;
    }
    out.open_object().text_member("type", "grammar").key("grammar").open_object();
    out.member("syntax", format.get("syntax")).member("definition", format.get("definition"));
    out.close_object().close_object();
}

/// `tool_choice` of a caller as the neutral one.
pub(super) fn read_choice(out: &mut Writer, choice: Value<'_>, loss: &mut Loss) -> Result<(), Failure> {
    match choice.kind() {
        Kind::String => {
            if !["none", "auto", "required"].into_iter().any(|word| choice.str_eq(word)) {
                return Err(wrong_value("tool_choice", "'none', 'auto', 'required' or an object", choice));
            }
            out.key("tool_choice").value(choice);
        }
        Kind::Object => {
            let kind = text_of(choice, "type", "tool_choice")?;
            if kind.str_eq("allowed_tools") {
                let tools = present(choice, "tools").ok_or_else(|| missing("tool_choice.tools"))?;
                out.key("tool_choice").open_object().text_member("type", "allowed_tools");
                out.key("allowed_tools").open_object().member("mode", choice.get("mode")).key("tools").open_array();
                for tool in tools.elements() {
                    match tool.get("type").filter(|kind| is_own_kind(*kind)) {
                        Some(kind) => read_named(out, tool, kind),
                        None => loss.add(Change::Dropped, "tool_choice.tools[]", "run by the provider"),
                    }
                }
                out.close_array().close_object().close_object();
            } else if is_own_kind(kind) {
                text_of(choice, "name", "tool_choice")?;
                loss.add_others(choice, "tool_choice", &["type", "name", "namespace"], "unknown to other dialects");
                out.key("tool_choice");
                read_named(out, choice, kind);
            } else {
                loss.add(Change::Dropped, "tool_choice", "of a tool that the provider runs");
            }
        }
        _ => return Err(wrong_type("tool_choice", "a string or an object", choice)),
    }
    Ok(())
}

fn is_own_kind(kind: Value<'_>) -> bool {
    kind.str_eq("function") || kind.str_eq("custom")
}

fn read_named(out: &mut Writer, tool: Value<'_>, kind: Value<'_>) {
    let word = if kind.str_eq("custom") { "custom" } else { "function" };
    let name = tool.get("name").and_then(Value::as_str).unwrap_or_default();
    out.open_object().text_member("type", word).key(word).open_object();
    match tool.get("namespace").and_then(Value::as_str) {
        Some(namespace) => out.text_member("name", &joined(&namespace, &name)),
        None => out.text_member("name", &name),
    };
    out.close_object().close_object();
}

/// The neutral `tools` as an upstream takes them. Whether any is left.
pub(super) fn write_tools(out: &mut Writer, tools: Value<'_>, loss: &mut Loss) -> bool {
    let is_foreign = |tool: Value<'_>| {
        tool.get("type").is_some_and(|kind| kind.str_eq("native"))
            && !tool.get("origin").is_some_and(|origin| origin.str_eq(Dialect::OpenAiResponses.as_str()))
    };
    if tools.elements().any(is_foreign) {
        loss.add(Change::Dropped, "tools[]", "run by another provider");
    }
    if tools.elements().all(is_foreign) {
        return false;
    }
    out.key("tools").open_array();
    for tool in tools.elements().filter(|tool| !is_foreign(*tool)) {
        write_tool(out, tool, loss);
    }
    out.close_array();
    true
}

fn write_tool(out: &mut Writer, tool: Value<'_>, loss: &mut Loss) {
    if tool.get("type").is_some_and(|kind| kind.str_eq("native")) {
        if let Some(value) = tool.get("value") {
            out.value(value);
        }
        return;
    }
    let is_custom = tool.get("type").is_some_and(|kind| kind.str_eq("custom"));
    let word = if is_custom { "custom" } else { "function" };
    drop_unknown(tool, &["type", word], "tools[].", loss);
    out.open_object().text_member("type", word);
    if let Some(inner) = tool.get(word) {
        out.member("name", inner.get("name")).member("description", inner.get("description"));
        if is_custom {
            drop_unknown(inner, &["name", "description", "format"], "tools[].custom.", loss);
            if let Some(format) = present(inner, "format") {
                write_grammar(out, format);
            }
        } else {
            drop_unknown(inner, &["name", "description", "parameters", "strict"], "tools[].function.", loss);
            // Both are required here; what chat does where nothing is said is not to be strict.
            match present(inner, "parameters") {
                Some(parameters) => out.key("parameters").value(parameters),
                None => out.key("parameters").raw(b"{\"type\":\"object\",\"properties\":{}}"),
            };
            out.key("strict").boolean(inner.get("strict").and_then(Value::as_bool).unwrap_or(false));
        }
    }
    out.close_object();
}

fn write_grammar(out: &mut Writer, format: Value<'_>) {
    out.key("format");
    match present(format, "grammar") {
        Some(grammar) => {
            out.open_object().text_member("type", "grammar");
            out.member("syntax", grammar.get("syntax")).member("definition", grammar.get("definition")).close_object();
        }
        None => {
            out.value(format);
        }
    }
}

/// The neutral `tool_choice` as an upstream takes it.
pub(super) fn write_choice(out: &mut Writer, choice: Value<'_>, loss: &mut Loss) {
    if choice.kind() == Kind::String {
        out.key("tool_choice").value(choice);
        return;
    }
    let kind = choice.get("type");
    if kind.is_some_and(|kind| kind.str_eq("allowed_tools")) {
        let inner = present(choice, "allowed_tools").unwrap_or(choice);
        out.key("tool_choice").open_object().text_member("type", "allowed_tools").member("mode", inner.get("mode"));
        out.key("tools").open_array();
        for tool in inner.get("tools").into_iter().flat_map(Value::elements) {
            write_named(out, tool);
        }
        out.close_array().close_object();
    } else if kind.is_some_and(is_own_kind) {
        out.key("tool_choice");
        write_named(out, choice);
    } else {
        loss.add(Change::Dropped, "tool_choice", "of an unknown type");
    }
}

fn write_named(out: &mut Writer, tool: Value<'_>) {
    let word = if tool.get("type").is_some_and(|kind| kind.str_eq("custom")) { "custom" } else { "function" };
    let name = tool.get(word).and_then(|inner| inner.get("name")).or_else(|| tool.get("name"));
    out.open_object().text_member("type", word).member("name", name).close_object();
}
