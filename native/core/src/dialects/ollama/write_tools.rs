//! Tools, and which of them may be called. Ollama's API offers tools and nothing else.

use std::borrow::Cow;

use crate::dialects::{Change, Loss};
use crate::json::{Kind, Value, Writer};

/// What a custom tool, whose input is text, looks like as a function.
const TEXT_INPUT: &[u8] =
    br#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}"#;

/// Which tools are offered.
#[derive(Debug, PartialEq)]
enum Choice<'a> {
    All,
    None,
    Only(Vec<Cow<'a, str>>),
}

/// `tools`, without those that `choice` rules out.
pub(super) fn write_tools(tools: Option<Value<'_>>, choice: Option<Value<'_>>, out: &mut Writer, loss: &mut Loss) {
    let Some(tools) = tools.filter(|tools| tools.elements().next().is_some()) else {
        if choice.is_some_and(|choice| !choice.str_eq("none") && !choice.str_eq("auto")) {
            loss.add(Change::Dropped, "tool_choice", "there are no tools");
        }
        return;
    };
    let choice = choice.map_or(Choice::All, |choice| read_choice(choice, loss));
    if choice == Choice::None {
        loss.add(Change::Emulated, "tool_choice", "none: the tools are left out");
        return;
    }
    out.key("tools").open_array();
    for tool in tools.elements() {
        write_tool(tool, &choice, out, loss);
    }
    out.close_array();
}

fn read_choice<'a>(choice: Value<'a>, loss: &mut Loss) -> Choice<'a> {
    const UNFORCED: &str = "Ollama cannot force a call";
    match (choice.kind(), choice.as_str().as_deref()) {
        (_, Some("auto")) => Choice::All,
        (_, Some("none")) => Choice::None,
        (Kind::Object, _) if choice.get("type").is_some_and(|kind| kind.str_eq("allowed_tools")) => {
            let allowed =
                choice.get("allowed_tools").filter(|allowed| allowed.kind() == Kind::Object).unwrap_or(choice);
            loss.add(Change::Emulated, "tool_choice.allowed_tools", "the other tools are left out");
            if allowed.get("mode").is_some_and(|mode| mode.str_eq("required")) {
                loss.add(Change::Dropped, "tool_choice.mode", UNFORCED);
            }
            Choice::Only(allowed.get("tools").into_iter().flat_map(Value::elements).filter_map(name_of).collect())
        }
        (Kind::Object, _) => match name_of(choice) {
            Some(name) => {
                loss.add(Change::Approximated, "tool_choice", "the other tools are left out, and no call is forced");
                Choice::Only(vec![name])
            }
            None => {
                loss.add(Change::Dropped, "tool_choice", "an unknown choice");
                Choice::All
            }
        },
        _ => {
            loss.add(Change::Dropped, "tool_choice", UNFORCED);
            Choice::All
        }
    }
}

/// The name in a tool, or in what chooses one.
fn name_of(tool: Value<'_>) -> Option<Cow<'_, str>> {
    let callable = tool.get("function").or(tool.get("custom")).filter(|callable| callable.kind() == Kind::Object);
    callable.unwrap_or(tool).get("name").and_then(Value::as_str)
}

fn write_tool(tool: Value<'_>, choice: &Choice<'_>, out: &mut Writer, loss: &mut Loss) {
    let name = name_of(tool);
    if matches!(choice, Choice::Only(names) if !name.as_ref().is_some_and(|name| names.contains(name))) {
        return;
    }
    let marked = |value: Value<'_>| value.get("cache_control").is_some_and(|marker| !marker.is_null());
    if marked(tool) || tool.get("function").is_some_and(marked) {
        loss.add(Change::Dropped, "tools[].cache_control", "Ollama keeps prompts by itself");
    }
    if let Some(function) = tool.get("function").filter(|function| function.kind() == Kind::Object) {
        out.open_object().text_member("type", "function").key("function").open_object();
        for (key, value) in function.fields().filter(|(_, value)| !value.is_null()) {
            match &*key.as_str().unwrap_or_default() {
                known @ ("name" | "description" | "parameters") => {
                    out.key(known).value(value);
                }
                "strict" if value.as_bool() == Some(false) => {}
                "strict" => {
                    loss.add(Change::Dropped, "tools[].function.strict", "arguments are not forced into the schema")
                }
                "cache_control" => {}
                other => loss.add(Change::Dropped, format!("tools[].function.{other}"), "Ollama has no such field"),
            }
        }
        // Without parameters a tool has none: templates look into them.
        if function.get("parameters").is_none_or(Value::is_null) {
            out.key("parameters").raw(br#"{"type":"object","properties":{}}"#);
        }
        out.close_object().close_object();
    } else if let Some(custom) = tool.get("custom").filter(|custom| custom.kind() == Kind::Object) {
        loss.add(Change::Emulated, "tools[].custom", "as a function with one text, input");
        out.open_object().text_member("type", "function").key("function").open_object();
        out.text_member("name", &name.unwrap_or_default()).member("description", custom.get("description"));
        if custom.get("format").is_some_and(|format| !format.is_null()) {
            loss.add(Change::Dropped, "tools[].custom.format", "the input is any text");
        }
        out.key("parameters").raw(TEXT_INPUT).close_object().close_object();
    } else {
        loss.add(Change::Dropped, "tools[].type", "a tool that another provider runs");
    }
}
