//! `reasoning_details`: thoughts as OpenRouter and those who follow it write them, with what signs or encrypts them.
//!
//! A signature comes after the text that it signs, often in a piece of its own, so the text since the last one is kept.
//! The signed or encrypted entries become [`Thought::Item`]s of this dialect, to be given back as they are; see
//! `messages.rs` for the way back.

use crate::dialects::neutral::{Item, Thought};
use crate::dialects::Dialect;
use crate::json::{Kind, Value, Writer};

use super::calls::said;

/// Text kept for a signature. What is longer is given back by nobody.
const MOST: usize = 1 << 20;

/// The text of one choice that waits for its signature.
#[derive(Debug, Default)]
pub(super) struct Unsigned {
    text: String,
    /// It was too long to be kept.
    beyond: bool,
}

/// The text in all entries, where no other member of the delta says it.
pub(super) fn text_of(details: Value<'_>) -> String {
    let mut text = String::new();
    for (key, value) in details.elements().flat_map(Value::fields) {
        if matches!(key.raw(), b"\"text\"" | b"\"summary\"") && value.kind() == Kind::String {
            text.push_str(&value.as_str().unwrap_or_default());
        }
    }
    text
}

impl Unsigned {
    /// Takes `reasoning_details` of a delta or a message.
    pub fn take(&mut self, choice: u32, details: Value<'_>, items: &mut Vec<Item>) {
        for detail in details.elements().filter(|detail| detail.kind() == Kind::Object) {
            let (mut text, mut signature, mut data) = (None, None, None);
            for (key, value) in detail.fields() {
                match key.raw() {
                    b"\"text\"" => text = said(value),
                    b"\"signature\"" => signature = said(value),
                    b"\"data\"" => data = said(value),
                    _ => {}
                }
            }
            self.keep(text);
            let whole = match (signature, data) {
                (Some(_), _) if !self.beyond => Some(self.signed(detail)),
                (None, Some(_)) => Some(detail.raw().to_vec()),
                _ => None,
            };
            if signature.is_some() {
                *self = Unsigned::default();
            }
            if let Some(json) = whole.and_then(|json| String::from_utf8(json).ok()) {
                let thought = Thought::Item(json.replace(['\n', '\r'], " "));
                items.push(Item::Thought { choice, origin: Dialect::OpenAiChat, thought });
            }
        }
    }

    fn keep(&mut self, text: Option<Value<'_>>) {
        let Some(text) = text.and_then(Value::as_str) else { return };
        if self.text.len() + text.len() > MOST {
            self.text = String::new();
            self.beyond = true;
        }
        if !self.beyond {
            self.text.push_str(&text);
        }
    }

    /// The entry with all of the text that its signature signs.
    fn signed(&self, detail: Value<'_>) -> Vec<u8> {
        let mut out = Writer::with_capacity(detail.raw().len() + self.text.len() + 16);
        out.open_object().text_member("type", "reasoning.text").text_member("text", &self.text);
        for (key, value) in detail.fields().filter(|(key, _)| !matches!(key.raw(), b"\"type\"" | b"\"text\"")) {
            out.key(&key.as_str().unwrap_or_default()).value(value);
        }
        out.close_object();
        out.into_bytes()
    }
}
