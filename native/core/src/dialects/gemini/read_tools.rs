//! A caller's `tools` and `toolConfig`, as the neutral request's `tools` and `tool_choice`.

use super::names::{array, fields, get, invalid, object, string, text};
use super::schema;
use crate::dialects::{Change, Loss};
use crate::error::Failure;
use crate::json::{Kind, Value, Writer};

/// Writes the member `tools`.
pub(super) fn tools(tools: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    out.key("tools").open_array();
    for (at, tool) in each(tools).enumerate() {
        let tool = object(tool, format!("tools[{at}]"))?;
        for (name, value) in fields(tool) {
            if name == "functionDeclarations" {
                let place = format!("tools[{at}].functionDeclarations");
                for (nth, function) in array(value, &place)?.elements().enumerate() {
                    declaration(function, &format!("{place}[{nth}]"), out, loss)?;
                }
                continue;
            }
            // What the provider runs itself, as it is: only another of Google's may understand it.
            out.open_object().text_member("type", "native").text_member("origin", "gemini");
            out.key("value").open_object().key(&name).value(value).close_object().close_object();
        }
    }
    out.close_array();
    Ok(())
}

/// A list, or the one thing that stands for a list of one.
pub(super) fn each(value: Value<'_>) -> impl Iterator<Item = Value<'_>> {
    let one = (value.kind() != Kind::Array).then_some(value);
    one.into_iter().chain(value.elements())
}

fn declaration(function: Value<'_>, at: &str, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    const AT: &str = "tools[].functionDeclarations[]";
    let Some(name) = text(object(function, at)?, "name").filter(|name| !name.is_empty()) else {
        return Err(invalid(format!("{at}.name"), "is missing: a function has a name"));
    };
    out.open_object().text_member("type", "function").key("function").open_object().text_member("name", &name);
    for (name, value) in fields(function) {
        match &*name {
            "name" => {}
            "description" => {
                out.text_member("description", &string(value, format!("{at}.description"))?);
            }
            "parametersJsonSchema" => {
                out.key("parameters").value(value);
            }
            "parameters" => {
                out.key("parameters");
                schema::write(value, "tools[].functionDeclarations[].parameters", out, loss);
            }
            name => loss.add(Change::Dropped, format!("{AT}.{name}"), "no other protocol has it"),
        }
    }
    out.close_object().close_object();
    Ok(())
}

/// Writes the member `tool_choice`.
pub(super) fn choice(config: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    const AT: &str = "toolConfig.functionCallingConfig";
    for (name, value) in fields(object(config, "toolConfig")?) {
        if name != "functionCallingConfig" {
            loss.add(Change::Dropped, format!("toolConfig.{name}"), "no other protocol has it");
            continue;
        }
        for (name, _) in fields(object(value, AT)?) {
            if !matches!(&*name, "mode" | "allowedFunctionNames") {
                loss.add(Change::Dropped, format!("{AT}.{name}"), "no other protocol has it");
            }
        }
        let mode = text(value, "mode").unwrap_or_default().to_ascii_uppercase();
        let names = get(value, "allowedFunctionNames");
        let mut allowed = Vec::new();
        for name in names.into_iter().flat_map(each) {
            allowed.push(string(name, format!("{AT}.allowedFunctionNames"))?);
        }
        match (&*mode, &allowed[..]) {
            ("" | "AUTO" | "MODE_UNSPECIFIED", names) => {
                if !names.is_empty() {
                    loss.add(Change::Dropped, format!("{AT}.allowedFunctionNames"), "for ANY and VALIDATED alone");
                }
                out.text_member("tool_choice", "auto");
            }
            ("NONE", _) => {
                out.text_member("tool_choice", "none");
            }
            ("ANY", []) => {
                out.text_member("tool_choice", "required");
            }
            ("ANY", [name]) => {
                out.key("tool_choice");
                named(name, out);
            }
            ("VALIDATED", []) => {
                loss.add(Change::Approximated, format!("{AT}.mode"), "VALIDATED as auto");
                out.text_member("tool_choice", "auto");
            }
            ("ANY" | "VALIDATED", names) => {
                out.key("tool_choice").open_object().text_member("type", "allowed_tools");
                out.key("allowed_tools").open_object();
                out.text_member("mode", if mode == "ANY" { "required" } else { "auto" }).key("tools").open_array();
                names.iter().for_each(|name| named(name, out));
                out.close_array().close_object().close_object();
            }
            _ => return Err(invalid(format!("{AT}.mode"), "must be AUTO, ANY, NONE or VALIDATED")),
        }
    }
    Ok(())
}

fn named(name: &str, out: &mut Writer) {
    out.open_object().text_member("type", "function").key("function").open_object();
    out.text_member("name", name).close_object().close_object();
}
