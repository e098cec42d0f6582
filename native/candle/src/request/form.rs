//! What the answers of a request are to be held to: `response_format`, `tools` and what goes with them.

use hoosh_core::engine::Refusal;
use serde_json::{json, Value};

use super::fields::Fields;
use super::wrong;
use crate::constrain::{Calls, Form, Function, Text};

/// The most functions of a request; OpenAI's limit.
const MOST_FUNCTIONS: usize = 128;
/// The longest name of one; OpenAI's limit.
const LONGEST_NAME: usize = 64;

/// Which call is wanted.
enum Choice<'a> {
    /// As the model likes, none among them.
    Any,
    /// At least one.
    Required,
    /// One of this function.
    Named(&'a str),
}

/// What answers are to be held to. `None`: they are free, or their tools' arguments need no care.
pub(super) fn form(fields: &Fields<'_>) -> Result<Option<Form>, Refusal> {
    let text = text(fields)?;
    let calls = calls(fields, matches!(text, Text::Json(_)))?;
    Ok(match calls {
        Some((calls, true)) => Some(Form { text: Text::Never, calls: Some(calls) }),
        Some((calls, false)) => Some(Form { text, calls: Some(calls) }),
        None => matches!(text, Text::Json(_)).then_some(Form { text, calls: None }),
    })
}

fn text(fields: &Fields<'_>) -> Result<Text, Refusal> {
    let field = "response_format";
    let Some(format) = fields.get(field) else { return Ok(Text::Free) };
    match format.get("type").and_then(Value::as_str) {
        Some("text") => Ok(Text::Free),
        Some("json_object") => Ok(Text::Json(json!({ "type": "object" }))),
        Some("json_schema") => match format.pointer("/json_schema/schema") {
            Some(schema) => Ok(Text::Json(schema.clone())),
            None => Err(wrong("invalid_schema", field, "has no `json_schema.schema`")),
        },
        _ => Err(wrong("unsupported_value", field, "must be of the type `text`, `json_object` or `json_schema`")),
    }
}

/// What is to be seen to about calls, and whether one has to be made. Free text and arguments that need not be strict are
/// left alone; `held`: the text is not free.
fn calls(fields: &Fields<'_>, held: bool) -> Result<Option<(Calls, bool)>, Refusal> {
    let tools = fields.tools()?;
    let choice = choice(fields)?;
    let several = fields.get("parallel_tool_calls").is_none() || fields.flag("parallel_tool_calls")?;
    if tools.is_empty() {
        return match choice {
            Choice::Any => Ok(None),
            Choice::Required | Choice::Named(_) => {
                Err(wrong("invalid_value", "tool_choice", "needs `tools` to choose of"))
            }
        };
    }
    let is_strict = |tool: &Value| tool.pointer("/function/strict").is_some_and(|strict| strict == true);
    if matches!(choice, Choice::Any) && several && !held && !tools.iter().any(is_strict) {
        return Ok(None);
    }
    let mut functions = functions(tools)?;
    if let Choice::Named(name) = choice {
        functions.retain(|function| function.name == name);
        if functions.is_empty() {
            return Err(wrong("invalid_value", "tool_choice", "names a function that is not in `tools`"));
        }
    }
    let several = several && !matches!(choice, Choice::Named(_));
    Ok(Some((Calls { functions, several }, !matches!(choice, Choice::Any))))
}

fn choice<'a>(fields: &Fields<'a>) -> Result<Choice<'a>, Refusal> {
    let field = "tool_choice";
    match fields.get(field) {
        None => Ok(Choice::Any),
        Some(Value::String(word)) if word == "auto" || word == "none" => Ok(Choice::Any),
        Some(Value::String(word)) if word == "required" => Ok(Choice::Required),
        Some(choice @ Value::Object(_)) if choice.get("type").is_some_and(|kind| kind == "function") => {
            match choice.pointer("/function/name").and_then(Value::as_str) {
                Some(name) => Ok(Choice::Named(name)),
                None => Err(wrong("invalid_value", field, "names no function")),
            }
        }
        Some(_) => Err(wrong("unsupported_value", field, "must be `none`, `auto`, `required` or a function")),
    }
}

fn functions(tools: &[Value]) -> Result<Vec<Function>, Refusal> {
    if tools.len() > MOST_FUNCTIONS {
        return Err(wrong("out_of_range", "tools", format!("must hold at most {MOST_FUNCTIONS} functions")));
    }
    tools.iter().map(function).collect()
}

fn function(tool: &Value) -> Result<Function, Refusal> {
    let field = "tools";
    if tool.get("type").is_some_and(|kind| kind != "function") {
        return Err(wrong("unsupported_value", field, "can only hold functions"));
    }
    let name = tool.pointer("/function/name").and_then(Value::as_str).unwrap_or_default();
    let is_known = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(is_known) {
        let words = format!("must name each function by 1 to {LONGEST_NAME} letters, digits, `_` and `-`");
        return Err(wrong("invalid_value", field, words));
    }
    let strict = match tool.pointer("/function/strict") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(strict)) => *strict,
        Some(_) => return Err(wrong("invalid_type", field, "must have true or false as `strict`")),
    };
    // OpenAI: "Omitting parameters defines a function with an empty parameter list."
    let none = || json!({ "type": "object", "properties": {}, "additionalProperties": false });
    let parameters = tool.pointer("/function/parameters").filter(|parameters| !parameters.is_null());
    Ok(Function { name: name.to_owned(), parameters: Some(parameters.cloned().unwrap_or_else(none)), strict })
}
