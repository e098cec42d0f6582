//! A request in OpenAI's form as chat templates expect it: texts for contents, objects for the arguments of calls, a system
//! message only where the template takes one; and all that users wrote marked by the guard.

use serde_json::{json, Map, Value};

use super::error::TemplateError;
use super::guard::Guard;

/// What a template expects, found by trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Manners {
    /// A list of parts as the content, never a text.
    pub wants_parts: bool,
    /// A system message.
    pub takes_system: bool,
    /// The role `developer`, which is `system` elsewhere.
    pub takes_developer: bool,
    /// The arguments of calls as objects; else as the JSON text they came in.
    pub wants_objects: bool,
    /// Functions that may be called.
    pub takes_tools: bool,
}

/// Names that belong to the protocol, as keys or as the values of `role` and `type`. No template means anything else by
/// them, and templates compare them.
const PROTOCOL: [&str; 44] = [
    "additionalProperties",
    "allOf",
    "anyOf",
    "arguments",
    "array",
    "assistant",
    "boolean",
    "content",
    "default",
    "description",
    "developer",
    "enum",
    "format",
    "function",
    "id",
    "index",
    "integer",
    "items",
    "maximum",
    "minimum",
    "name",
    "null",
    "number",
    "object",
    "oneOf",
    "parameters",
    "pattern",
    "properties",
    "reasoning_content",
    "required",
    "role",
    "strict",
    "string",
    "system",
    "text",
    "thinking",
    "title",
    "tool",
    "tool_call_id",
    "tool_calls",
    "tools",
    "type",
    "user",
    "value",
];

/// What a caller may not set by `chat_template_kwargs`, since it comes from elsewhere.
const OURS: [&str; 8] =
    ["messages", "tools", "documents", "add_generation_prompt", "bos_token", "eos_token", "unk_token", "pad_token"];

/// The variables of a template for `body`, but for the model's own.
pub(super) fn variables(body: &Value, manners: Manners, guard: &Guard) -> Result<Map<String, Value>, TemplateError> {
    let mut variables = Map::new();
    if let Some(given) = body.get("chat_template_kwargs").filter(|given| !given.is_null()) {
        let given = given.as_object().ok_or_else(|| wrong("chat_template_kwargs has to be an object"))?;
        variables.extend(given.iter().filter(|(key, _)| !OURS.contains(&key.as_str())).map(pair));
    }
    let tools = tools(body)?;
    variables.insert("tools".into(), tools);
    variables.insert("messages".into(), Value::Array(messages(body, manners)?));
    Ok(variables.iter().map(|(key, value)| (key.clone(), marked(value, key, guard))).collect())
}

fn pair((key, value): (&String, &Value)) -> (String, Value) {
    (key.clone(), value.clone())
}

/// The functions that may be called, or null as `transformers` has it for none.
fn tools(body: &Value) -> Result<Value, TemplateError> {
    let forbidden = body.get("tool_choice").and_then(Value::as_str) == Some("none");
    match body.get("tools") {
        None | Some(Value::Null) => Ok(Value::Null),
        Some(Value::Array(tools)) if tools.is_empty() || forbidden => Ok(Value::Null),
        Some(tools @ Value::Array(_)) => Ok(tools.clone()),
        Some(_) => Err(wrong("tools has to be a list")),
    }
}

fn messages(body: &Value, manners: Manners) -> Result<Vec<Value>, TemplateError> {
    let given = body.get("messages").and_then(Value::as_array);
    let given = given.ok_or_else(|| wrong("messages has to be a list of messages"))?;
    if given.is_empty() {
        return Err(wrong("messages is empty; there is nothing to answer"));
    }
    let mut messages = Vec::with_capacity(given.len());
    for (index, message) in given.iter().enumerate() {
        let message = message.as_object().ok_or_else(|| wrong(format!("messages[{index}] has to be an object")))?;
        messages.push(self::message(message, index, manners)?);
    }
    if !manners.takes_system {
        messages = without_system(messages);
    }
    if manners.wants_parts {
        messages.iter_mut().for_each(to_parts);
    }
    Ok(messages.into_iter().map(Value::Object).collect())
}

fn message(given: &Map<String, Value>, index: usize, manners: Manners) -> Result<Map<String, Value>, TemplateError> {
    let role = given.get("role").and_then(Value::as_str);
    let role = role.ok_or_else(|| wrong(format!("messages[{index}].role has to be a text")))?;
    // A member that is null is one that is not there: templates ask for either.
    let mut message: Map<String, Value> = given.iter().filter(|(_, value)| !value.is_null()).map(pair).collect();
    if role == "developer" && !manners.takes_developer {
        message.insert("role".into(), "system".into());
    }
    let content = text(given.get("content").unwrap_or(&Value::Null), index)?;
    message.insert("content".into(), content.into());
    match message.get_mut("tool_calls") {
        Some(Value::Array(calls)) if calls.is_empty() => {
            message.remove("tool_calls");
        }
        Some(Value::Array(calls)) if manners.wants_objects => calls.iter_mut().for_each(parse_arguments),
        Some(Value::Array(_)) | None => {}
        Some(_) => return Err(wrong(format!("messages[{index}].tool_calls has to be a list"))),
    }
    Ok(message)
}

/// The text of a content: a text, parts of text, or none.
fn text(content: &Value, index: usize) -> Result<String, TemplateError> {
    let wrong_part = |number: usize, problem: &str| wrong(format!("messages[{index}].content[{number}] {problem}"));
    match content {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        Value::Array(parts) => {
            let mut texts = Vec::with_capacity(parts.len());
            for (number, part) in parts.iter().enumerate() {
                let kind = part.get("type").and_then(Value::as_str).unwrap_or("text");
                let key = match kind {
                    "text" | "input_text" | "output_text" => "text",
                    "refusal" => "refusal",
                    other => {
                        let kind: String = other.chars().take(40).collect();
                        return Err(wrong_part(
                            number,
                            &format!("is of the type {kind}, and this model reads text only"),
                        ));
                    }
                };
                let text = part.get(key).and_then(Value::as_str);
                texts.push(text.ok_or_else(|| wrong_part(number, "has no text"))?);
            }
            Ok(texts.join("\n"))
        }
        _ => Err(wrong(format!("messages[{index}].content has to be a text or a list of parts"))),
    }
}

/// Turns the JSON text of a call's arguments into what it says. One that is no JSON stays as it is.
fn parse_arguments(call: &mut Value) {
    let Some(arguments) = call.pointer_mut("/function/arguments") else { return };
    let parsed = arguments.as_str().and_then(|text| serde_json::from_str(text).ok());
    if let Some(parsed @ Value::Object(_)) = parsed {
        *arguments = parsed;
    }
}

/// `messages` for a template without a place for the system's: it goes before the user's next, as Gemma's own later
/// templates put it.
fn without_system(messages: Vec<Map<String, Value>>) -> Vec<Map<String, Value>> {
    let mut kept: Vec<Map<String, Value>> = Vec::with_capacity(messages.len());
    let mut waiting: Vec<String> = Vec::new();
    for mut message in messages {
        let content = message.get("content").and_then(Value::as_str).unwrap_or_default();
        match message.get("role").and_then(Value::as_str) {
            Some("system") => {
                waiting.push(content.into());
                continue;
            }
            Some("user") if !waiting.is_empty() => {
                waiting.push(content.into());
                let content = std::mem::take(&mut waiting).join("\n\n");
                message.insert("content".into(), content.into());
            }
            _ => {}
        }
        kept.push(message);
    }
    if !waiting.is_empty() {
        let message = json!({ "role": "user", "content": waiting.join("\n\n") });
        kept.extend(message.as_object().cloned());
    }
    kept
}

fn to_parts(message: &mut Map<String, Value>) {
    let text = message.remove("content").unwrap_or_default();
    message.insert("content".into(), json!([{ "type": "text", "text": text }]));
}

/// `value`, the value of `key`, with all texts in it marked.
fn marked(value: &Value, key: &str, guard: &Guard) -> Value {
    match value {
        Value::String(text) => {
            let spared = matches!(key, "role" | "type") && PROTOCOL.contains(&text.as_str());
            if spared {
                value.clone()
            } else {
                guard.mark(text).into()
            }
        }
        Value::Array(values) => values.iter().map(|value| marked(value, key, guard)).collect(),
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| {
                let name = if PROTOCOL.contains(&key.as_str()) { key.clone() } else { guard.mark(key).into_owned() };
                (name, marked(value, key, guard))
            };
            Value::Object(members.iter().map(member).collect())
        }
        _ => value.clone(),
    }
}

fn wrong(problem: impl Into<String>) -> TemplateError {
    TemplateError::Request(problem.into())
}
