//! The neutral request's messages as `/api/chat` takes them.

use std::borrow::Cow;

use super::calls::write_arguments;
use super::write_content::Content;
use crate::dialects::{Change, Loss};
use crate::json::{Kind, Value, Writer};

/// Calls, from the last on, among which that of a result is looked for.
const MOST: usize = 1_024;
/// Says that a tool failed.
const FAILED: &str = "Error: ";

/// Writes `messages`.
pub(super) fn write_messages(messages: Option<Value<'_>>, out: &mut Writer, loss: &mut Loss) {
    out.key("messages").open_array();
    let mut calls = Vec::new();
    for message in messages.into_iter().flat_map(Value::elements) {
        Message::read(message, loss).write(&mut calls, out, loss);
    }
    out.close_array();
}

/// Id and name of each call so far.
type Made<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// What one neutral message says.
#[derive(Default)]
struct Message<'a> {
    role: Cow<'a, str>,
    content: Option<Value<'a>>,
    refusal: Option<Value<'a>>,
    reasoning: Option<Value<'a>>,
    tool_calls: Option<Value<'a>>,
    function_call: Option<Value<'a>>,
    tool_call_id: Cow<'a, str>,
    name: Option<Value<'a>>,
    is_error: bool,
}

impl<'a> Message<'a> {
    fn read(message: Value<'a>, loss: &mut Loss) -> Message<'a> {
        let mut read = Message::default();
        for (key, value) in message.fields().filter(|(_, value)| !value.is_null()) {
            match &*key.as_str().unwrap_or_default() {
                "role" => read.role = value.as_str().unwrap_or_default(),
                "content" => read.content = Some(value),
                "refusal" => read.refusal = Some(value),
                "reasoning_content" => read.reasoning = Some(value).filter(|text| text.kind() == Kind::String),
                "tool_calls" => read.tool_calls = Some(value).filter(|calls| calls.elements().next().is_some()),
                "function_call" => read.function_call = Some(value).filter(|call| call.kind() == Kind::Object),
                "tool_call_id" => read.tool_call_id = value.as_str().unwrap_or_default(),
                "name" => read.name = Some(value),
                "is_error" => read.is_error = value.as_bool() == Some(true),
                // An empty list says nothing.
                "annotations" | "thoughts" if value.elements().next().is_none() => {}
                "thoughts" => loss.add(Change::Dropped, "messages[].thoughts", "of another provider's model"),
                "cache_control" => {
                    loss.add(Change::Dropped, "messages[].cache_control", "Ollama keeps prompts by itself");
                }
                other => loss.add(Change::Dropped, format!("messages[].{other}"), "Ollama has no such field"),
            }
        }
        read
    }

    fn write(self, calls: &mut Made<'a>, out: &mut Writer, loss: &mut Loss) {
        let mut content = Content::read(self.content, loss);
        if let Some(refusal) = self.refusal.and_then(Value::as_str) {
            loss.add(Change::Approximated, "messages[].refusal", "as text");
            content.add(refusal, loss);
        }
        if self.is_error {
            loss.add(Change::Approximated, "messages[].is_error", "as words before the result");
            content.begin_with(FAILED);
        }
        let role = match &*self.role {
            "developer" => {
                loss.add(Change::Renamed, "messages[].role", "developer as system");
                "system"
            }
            "function" => "tool",
            other => other,
        };
        out.open_object().text_member("role", role);
        content.write(out);
        if let Some(thinking) = self.reasoning {
            out.key("thinking").value(thinking);
        }
        if self.tool_calls.is_some() || self.function_call.is_some() {
            self.write_calls(calls, out, loss);
        }
        match &*self.role {
            "tool" => {
                out.text_member("tool_call_id", &self.tool_call_id);
                let known = calls.iter().rev().take(MOST).find(|(id, _)| *id == self.tool_call_id);
                match known.map(|(_, name)| &**name).filter(|name| !name.is_empty()) {
                    Some(name) => {
                        out.text_member("tool_name", name);
                    }
                    None => {
                        out.member("tool_name", self.name);
                    }
                }
            }
            "function" => {
                out.member("tool_name", self.name);
            }
            _ if self.name.is_some() => loss.add(Change::Dropped, "messages[].name", "Ollama has no such field"),
            _ => {}
        }
        out.close_object();
    }

    fn write_calls(&self, calls: &mut Made<'a>, out: &mut Writer, loss: &mut Loss) {
        out.key("tool_calls").open_array();
        for call in self.tool_calls.into_iter().flat_map(Value::elements) {
            let id = call.get("id").and_then(Value::as_str).unwrap_or_default();
            if call.get("extra_content").is_some_and(|extra| !extra.is_null()) {
                loss.add(Change::Dropped, "messages[].tool_calls[].extra_content", "of another provider's model");
            }
            let (callable, input) = match (call.get("function"), call.get("custom")) {
                (Some(function), _) => (function, "arguments"),
                (None, Some(custom)) => (custom, "input"),
                (None, None) => {
                    loss.add(Change::Dropped, "messages[].tool_calls[].type", "an unknown call");
                    continue;
                }
            };
            let name = callable.get("name").and_then(Value::as_str).unwrap_or_default();
            write_call(&id, &name, callable, input, out, loss);
            calls.push((id, name));
        }
        if let Some(call) = self.function_call {
            let name = call.get("name").and_then(Value::as_str).unwrap_or_default();
            write_call("", &name, call, "arguments", out, loss);
        }
        out.close_array();
    }
}

/// `input` is the member with what the tool is given: arguments in JSON, or a custom tool's text.
fn write_call(id: &str, name: &str, callable: Value<'_>, input: &str, out: &mut Writer, loss: &mut Loss) {
    out.open_object();
    if !id.is_empty() {
        out.text_member("id", id);
    }
    out.key("function").open_object().text_member("name", name).key("arguments");
    let given = callable.get(input).and_then(Value::as_str).unwrap_or_default();
    if input == "input" {
        loss.add(Change::Emulated, "messages[].tool_calls[].custom", "as a function with one text, input");
        out.open_object().text_member("input", &given).close_object();
    } else if !write_arguments(&given, out) {
        loss.add(
            Change::Approximated,
            "messages[].tool_calls[].function.arguments",
            "no object: as the text that they are",
        );
    }
    out.close_object().close_object();
}
