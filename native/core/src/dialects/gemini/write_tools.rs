//! The neutral request's tools and choice among them, as Gemini takes them.

use std::borrow::Cow;

use super::{abilities, schema};
use crate::dialects::{Change, Loss};
use crate::json::{Value, Writer};

/// What kinds of tools were written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Written {
    pub functions: bool,
    pub natives: bool,
}

/// Writes the member `tools`. `functions` is OpenAI's older list, of functions alone.
pub(super) fn tools(
    model: &str,
    tools: Option<Value<'_>>,
    functions: Option<Value<'_>>,
    mut searches: bool,
    out: &mut Writer,
    loss: &mut Loss,
) -> Written {
    let (mut declarations, mut natives) = (Writer::default(), Vec::new());
    for tool in tools.into_iter().flat_map(Value::elements) {
        let kind = tool.get("type").and_then(Value::as_str).unwrap_or(Cow::Borrowed("function"));
        if tool.get("cache_control").is_some_and(|mark| !mark.is_null()) {
            loss.add(Change::Dropped, "tools[].cache_control", "Gemini caches by itself");
        }
        match (&*kind, tool.get("function"), tool.get("custom")) {
            ("function", Some(function), _) => declaration(function, &mut declarations, loss),
            ("custom", _, Some(custom)) => {
                loss.add(Change::Emulated, "tools[].custom", "as a function with one text");
                custom_declaration(custom, &mut declarations);
            }
            ("native", ..) if tool.get("origin").is_some_and(|origin| origin.str_eq("gemini")) => {
                natives.extend(tool.get("value"));
            }
            (kind, ..) => {
                let known = if kind == "native" { "another provider's tool" } else { "unknown kind of tool" };
                loss.add(Change::Dropped, format!("tools[].type:{kind}"), known);
            }
        }
    }
    functions.into_iter().flat_map(Value::elements).for_each(|one| declaration(one, &mut declarations, loss));
    if !declarations.is_empty() && !abilities::of(model).combines {
        let why = "the model takes none of Google's tools beside functions";
        if !std::mem::take(&mut natives).is_empty() {
            loss.add(Change::Dropped, "tools[].type:native", why);
        }
        if std::mem::take(&mut searches) {
            loss.add(Change::Dropped, "web_search_options", why);
        }
    }
    let written = Written { functions: !declarations.is_empty(), natives: searches || !natives.is_empty() };
    if !written.functions && !written.natives {
        return written;
    }
    out.key("tools").open_array();
    if !declarations.is_empty() {
        out.open_object().key("functionDeclarations").open_array().raw(&declarations.into_bytes());
        out.close_array().close_object();
    }
    natives.into_iter().for_each(|value| {
        out.value(value);
    });
    if searches {
        out.raw(br#"{"googleSearch":{}}"#);
    }
    out.close_array();
    written
}

fn declaration(function: Value<'_>, out: &mut Writer, loss: &mut Loss) {
    out.open_object();
    for (key, value) in function.fields().filter(|(_, value)| !value.is_null()) {
        match &*key.as_str().unwrap_or_default() {
            "name" => {
                out.key("name").value(value);
            }
            "description" => {
                out.key("description").value(value);
            }
            // Without properties there is nothing to describe, and older models refuse an object of none.
            "parameters" if value.fields().next().is_none() => {}
            "parameters" => {
                out.key("parametersJsonSchema");
                schema::write_json(value, "tools[].function.parameters", out, loss);
            }
            "strict" if value.as_bool() == Some(false) => {}
            "strict" => {
                loss.add(Change::Approximated, "tools[].function.strict", "only as far as the model keeps to it")
            }
            name => loss.add(Change::Dropped, format!("tools[].function.{name}"), "no such field"),
        }
    }
    out.close_object();
}

fn custom_declaration(custom: Value<'_>, out: &mut Writer) {
    out.open_object().member("name", custom.get("name")).member("description", custom.get("description"));
    out.key("parametersJsonSchema");
    out.raw(br#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}"#).close_object();
}

/// Writes the member `toolConfig`. `call` is OpenAI's older `function_call`. Without functions there is nothing to choose:
/// "Function calling config is set without function_declarations" (pydantic/pydantic-ai#5791).
pub(super) fn choice(
    choice: Option<Value<'_>>,
    call: Option<Value<'_>>,
    tools: Written,
    out: &mut Writer,
    loss: &mut Loss,
) {
    let mut config = Writer::default();
    match choice.or(call) {
        Some(choice) if tools.functions => mode(choice, &mut config, loss),
        Some(choice) if !choice.str_eq("auto") && !choice.str_eq("none") => {
            loss.add(Change::Dropped, "tool_choice", "there are no functions to choose among");
        }
        _ => {}
    }
    if tools.functions && tools.natives {
        // "Please enable tool_config.include_server_side_tool_invocations to use Built-in tools with Function calling."
        // (cloudwego/eino-ext#761)
        config.key("includeServerSideToolInvocations").boolean(true);
    }
    if !config.is_empty() {
        out.key("toolConfig").open_object().raw(&config.into_bytes()).close_object();
    }
}

/// Writes the member `functionCallingConfig`.
fn mode(choice: Value<'_>, out: &mut Writer, loss: &mut Loss) {
    let mut names = Vec::new();
    let mode = if choice.str_eq("auto") {
        "AUTO"
    } else if choice.str_eq("none") {
        "NONE"
    } else if choice.str_eq("required") {
        "ANY"
    } else if let Some(allowed) = choice.get("allowed_tools") {
        let tools = allowed.get("tools").into_iter().flat_map(Value::elements);
        names.extend(tools.filter_map(name_of));
        if allowed.get("mode").is_some_and(|mode| mode.str_eq("required")) {
            "ANY"
        } else {
            loss.add(Change::Renamed, "tool_choice.allowed_tools.mode", "VALIDATED");
            "VALIDATED"
        }
    } else if let Some(name) = name_of(choice) {
        names.push(name);
        "ANY"
    } else {
        loss.add(Change::Dropped, "tool_choice", "unknown kind of choice");
        return;
    };
    out.key("functionCallingConfig").open_object().text_member("mode", mode);
    if !names.is_empty() {
        out.key("allowedFunctionNames").open_array();
        names.iter().for_each(|name| {
            out.string(name);
        });
        out.close_array();
    }
    out.close_object();
}

/// The function that a choice names: `{"function":{"name"}}`, `{"custom":{"name"}}` or the older `{"name"}`.
fn name_of(choice: Value<'_>) -> Option<Cow<'_, str>> {
    let inner = choice.get("function").or_else(|| choice.get("custom")).unwrap_or(choice);
    inner.get("name").and_then(Value::as_str)
}
