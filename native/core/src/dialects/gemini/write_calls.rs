//! The calls of an assistant's message, each with its signature.

use std::borrow::Cow;

use super::calls::write_arguments;
use super::signatures::{is_stand_in, STAND_IN};
use super::write_content::{Message, Writing};
use crate::dialects::Change;
use crate::json::{Kind, Value};

/// Where a call's signature stands.
const SIGNATURE: &str = "messages[].tool_calls[].extra_content.google.thought_signature";

impl Writing<'_, '_> {
    /// Of parallel calls the first alone is signed (ai.google.dev, "Thought signatures").
    pub(super) fn calls(&mut self, at: usize, message: &Message<'_>) {
        let mut needs = self.signs && at > self.turn;
        for call in message.calls.into_iter().flat_map(Value::elements) {
            let id = call.get("id").and_then(Value::as_str).unwrap_or_default();
            let custom = call.get("custom");
            let Some(function) = call.get("function").or(custom) else { continue };
            let signature = self.signature(call, std::mem::take(&mut needs));
            let name = function.get("name").and_then(Value::as_str).unwrap_or_default();
            let input = function.get("arguments").or_else(|| function.get("input"));
            self.call(&id, &name, input, custom.is_some(), signature.as_deref());
            self.calls.push((id.into_owned(), name.into_owned()));
        }
        if let Some(call) = message.call {
            let name = call.get("name").and_then(Value::as_str).unwrap_or_default();
            let signature = self.signature(call, needs);
            self.call("", &name, call.get("arguments"), false, signature.as_deref());
        }
    }

    /// The signature of a call. One that has none gets the word for that where the model needs one; that is told, unless
    /// the caller said it already.
    fn signature<'c>(&mut self, call: Value<'c>, needs: bool) -> Option<Cow<'c, str>> {
        let extra = call.get("extra_content").filter(|extra| !extra.is_null());
        let google = extra.and_then(|extra| extra.get("google"));
        let said = google.and_then(|google| google.get("thought_signature")).and_then(Value::as_str);
        if extra.is_some() && said.is_none() {
            self.loss.add(Change::Dropped, "messages[].tool_calls[].extra_content", "of another provider");
        }
        match said {
            Some(signature) if !is_stand_in(&signature) => return Some(signature),
            None if needs => {
                self.loss.add(Change::Emulated, SIGNATURE, "Google's word for a call that Gemini did not make")
            }
            _ => {}
        }
        needs.then_some(Cow::Borrowed(STAND_IN))
    }

    fn call(&mut self, id: &str, name: &str, arguments: Option<Value<'_>>, custom: bool, signature: Option<&str>) {
        self.out.open_object().key("functionCall").open_object();
        if !id.is_empty() {
            self.out.text_member("id", id);
        }
        self.out.text_member("name", name).key("args");
        let text = match arguments {
            Some(value) if value.kind() == Kind::Object => {
                Cow::Owned(String::from_utf8_lossy(value.raw()).into_owned())
            }
            value => value.and_then(Value::as_str).unwrap_or_default(),
        };
        if custom {
            self.out.open_object().text_member("input", &text).close_object();
        } else if !write_arguments(self.out, &text) {
            self.loss.add(Change::Approximated, "messages[].tool_calls[].function.arguments", "no object: as one text");
        }
        self.out.close_object();
        if let Some(signature) = signature {
            self.out.text_member("thoughtSignature", signature);
        }
        self.out.close_object();
    }
}
