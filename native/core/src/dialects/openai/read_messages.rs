//! `messages` of a caller as the neutral request has them: the older calls and other names for thoughts in the form that
//! all dialects know.

use super::calls::{made_id, signature_of};
use super::request_fields::{is_carried, MESSAGE_FIELDS};
use crate::dialects::{Change, Dialect, Loss};
use crate::json::{Kind, Value, Writer};

/// The reader of all messages.
pub(super) struct Turns<'l> {
    loss: &'l mut Loss,
    /// The made id of the last `function_call`, which its result refers to by name alone.
    id: String,
}

impl<'l> Turns<'l> {
    pub fn new(loss: &'l mut Loss) -> Turns<'l> {
        Turns { loss, id: String::new() }
    }

    /// All messages; `None` if they stay as they are.
    pub fn write(mut self, messages: Value<'_>) -> Option<Vec<u8>> {
        let is_plain = |message: Value<'_>| message.fields().all(|(key, value)| is_plain(key, value));
        if messages.elements().all(is_plain) {
            return None;
        }
        let mut out = Writer::with_capacity(messages.raw().len() + 64);
        out.open_array();
        for (at, message) in messages.elements().enumerate() {
            if is_plain(message) {
                out.value(message);
            } else {
                self.message(at, message, &mut out);
            }
        }
        out.close_array();
        Some(out.into_bytes())
    }

    fn message(&mut self, at: usize, message: Value<'_>, out: &mut Writer) {
        let has = |name| message.get(name).is_some_and(|value| !value.is_null());
        out.open_object();
        for (key, value) in message.fields() {
            let name = key.as_str().unwrap_or_default();
            match &*name {
                "role" if value.str_eq("function") => {
                    out.text_member("role", "tool").text_member("tool_call_id", &self.id);
                    self.loss.add(Change::Renamed, "messages[].role", "function as tool");
                }
                "function_call" if value.kind() == Kind::Object && !has("tool_calls") => {
                    self.function(at, value, out);
                }
                "reasoning" if value.kind() == Kind::String && !has("reasoning_content") => {
                    out.key("reasoning_content").value(value);
                    self.loss.add(Change::Renamed, "messages[].reasoning", "as reasoning_content");
                }
                // The same again, under another name.
                "function_call" | "reasoning" => {}
                "reasoning_details" | "extra_content" => {}
                name if is_carried(MESSAGE_FIELDS, name) => {
                    out.key(name).value(value);
                }
                _ if says_nothing(value) => {}
                name => {
                    self.loss.add(Change::Dropped, format!("messages[].{name}"), "unknown to other dialects");
                }
            }
        }
        if !has("thoughts") {
            self.thoughts(message, out);
        }
        out.close_object();
    }

    fn function(&mut self, at: usize, function: Value<'_>, out: &mut Writer) {
        let name = function.get("name").and_then(Value::as_str).unwrap_or_default();
        self.id = made_id("", 0, at, &name);
        self.loss.add(Change::Renamed, "messages[].function_call", "as tool_calls");
        out.key("tool_calls").open_array().open_object().text_member("id", &self.id);
        out.text_member("type", "function").key("function").value(function);
        out.close_object().close_array();
    }

    /// Signed and encrypted `reasoning_details` (OpenRouter's), and Google's signature of a text, as `thoughts`.
    fn thoughts(&mut self, message: Value<'_>, out: &mut Writer) {
        let details = message.get("reasoning_details").into_iter().flat_map(Value::elements);
        let details: Vec<_> = details.filter(|detail| is_opaque(*detail)).collect();
        let signature = message.get("extra_content").and_then(signature_of);
        if details.is_empty() && signature.is_none() {
            return;
        }
        self.loss.add(Change::Renamed, "messages[].reasoning_details", "as thoughts");
        out.key("thoughts").open_array();
        for detail in details {
            out.open_object().text_member("origin", Dialect::OpenAiChat.as_str()).text_member("type", "item");
            out.key("item").value(detail).close_object();
        }
        if let Some(signature) = signature {
            out.open_object().text_member("origin", Dialect::Gemini.as_str()).text_member("type", "text");
            out.key("signature").value(signature).close_object();
        }
        out.close_array();
    }
}

/// Whether an entry of `reasoning_details` is signed or encrypted.
fn is_opaque(detail: Value<'_>) -> bool {
    ["signature", "data"].into_iter().any(|name| detail.get(name).is_some_and(|value| !value.is_null()))
}

/// Whether a member stays as it is.
fn is_plain(key: Value<'_>, value: Value<'_>) -> bool {
    match key.raw() {
        b"\"content\"" | b"\"tool_calls\"" | b"\"tool_call_id\"" => true,
        b"\"role\"" => !value.str_eq("function"),
        _ => {
            let name = key.as_str().unwrap_or_default();
            is_carried(MESSAGE_FIELDS, &name)
                && !matches!(&*name, "function_call" | "reasoning" | "reasoning_details" | "extra_content")
        }
    }
}

/// Null, or a list of nothing: what SDKs send back of an answer without.
fn says_nothing(value: Value<'_>) -> bool {
    value.is_null() || value.kind() == Kind::Array && value.elements().next().is_none()
}
