//! Reads what a message or a delta says into items: both have the same members, and every provider adds its own. Thoughts
//! have three spellings (`reasoning_content`, `reasoning`, `reasoning_details`), which some servers send side by side: the
//! first that says something counts.

use super::calls::{said, signature_of, Calls};
use super::details::{text_of, Unsigned};
use crate::dialects::neutral::{Item, Thought, TokenLogprob};
use crate::dialects::Dialect;
use crate::json::{Kind, Value};

/// What must be remembered of a choice from one delta to the next.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub calls: Calls,
    unsigned: Unsigned,
}

/// The members of a delta or message that say something.
#[derive(Default)]
pub(super) struct Parts<'a> {
    content: Option<Value<'a>>,
    thinking: [Option<Value<'a>>; 2],
    details: Option<Value<'a>>,
    refusal: Option<Value<'a>>,
    annotations: Option<Value<'a>>,
    calls: Option<Value<'a>>,
    function: Option<Value<'a>>,
    audio: Option<Value<'a>>,
    extra: Option<Value<'a>>,
}

impl<'a> Parts<'a> {
    pub fn of(says: Value<'a>) -> Parts<'a> {
        let mut parts = Parts::default();
        for (key, value) in says.fields() {
            match key.raw() {
                b"\"content\"" => parts.content = said(value).or(list(value)),
                b"\"reasoning_content\"" => parts.thinking[0] = said(value),
                b"\"reasoning\"" => parts.thinking[1] = said(value),
                b"\"reasoning_details\"" => parts.details = list(value),
                b"\"refusal\"" => parts.refusal = said(value),
                b"\"annotations\"" => parts.annotations = list(value),
                b"\"tool_calls\"" => parts.calls = list(value),
                b"\"function_call\"" => parts.function = object(value),
                b"\"audio\"" => parts.audio = object(value),
                b"\"extra_content\"" => parts.extra = object(value),
                _ => {}
            }
        }
        parts
    }

    /// Tells all that it says of a choice. `seed`: what ids of calls are made of.
    pub fn tell(self, number: u32, state: &mut Said, seed: &str, logprobs: Vec<TokenLogprob>, items: &mut Vec<Item>) {
        match self.thinking.into_iter().flatten().next() {
            Some(text) => tell_reasoning(number, text.as_str().unwrap_or_default().into_owned(), items),
            None => tell_reasoning(number, self.details.map(text_of).unwrap_or_default(), items),
        }
        if let Some(details) = self.details {
            state.unsigned.take(number, details, items);
        }
        match self.content {
            // Google marks thoughts among the content so.
            Some(content) if self.extra.is_some_and(is_thought) => {
                tell_reasoning(number, content.as_str().unwrap_or_default().into_owned(), items);
            }
            Some(content) if content.kind() == Kind::Array => tell_blocks(number, content, logprobs, items),
            Some(content) => tell_text(number, &content.as_str().unwrap_or_default(), logprobs, items),
            // What is spoken is said too.
            None => {
                let words = self.audio.and_then(|audio| said(audio.get("transcript")?)).and_then(Value::as_str);
                tell_text(number, &words.unwrap_or_default(), logprobs, items);
            }
        }
        if let Some(text) = self.refusal.and_then(Value::as_str) {
            items.push(Item::Refusal { choice: number, text: text.into_owned() });
        }
        for annotation in self.annotations.into_iter().flat_map(Value::elements) {
            if annotation.kind() == Kind::Object {
                let json = String::from_utf8_lossy(annotation.raw()).replace(['\n', '\r'], " ");
                items.push(Item::Annotation { choice: number, json });
            }
        }
        if let Some(calls) = self.calls {
            state.calls.take(number, calls, seed, items);
        }
        if let Some(function) = self.function {
            state.calls.take_function(number, function, seed, items);
        }
        if let Some(signature) = self.extra.and_then(signature_of).and_then(Value::as_str) {
            let thought = Thought::OfText(signature.into_owned());
            items.push(Item::Thought { choice: number, origin: Dialect::Gemini, thought });
        }
    }
}

fn list(value: Value<'_>) -> Option<Value<'_>> {
    (value.kind() == Kind::Array).then_some(value)
}

fn object(value: Value<'_>) -> Option<Value<'_>> {
    (value.kind() == Kind::Object).then_some(value)
}

/// Whether an `extra_content` says that the content is a thought.
fn is_thought(extra: Value<'_>) -> bool {
    extra.get("google").and_then(object).and_then(|google| google.get("thought")?.as_bool()).unwrap_or(false)
}

/// Tells text, if there is any.
pub(super) fn tell_text(choice: u32, text: &str, logprobs: Vec<TokenLogprob>, items: &mut Vec<Item>) {
    if !text.is_empty() || !logprobs.is_empty() {
        items.push(Item::Text { choice, text: text.to_owned(), logprobs });
    }
}

fn tell_reasoning(choice: u32, text: String, items: &mut Vec<Item>) {
    if !text.is_empty() {
        items.push(Item::Reasoning { choice, text });
    }
}

/// Content in parts, as Mistral's reasoning models have it: text, and thoughts that hold text.
fn tell_blocks(choice: u32, content: Value<'_>, logprobs: Vec<TokenLogprob>, items: &mut Vec<Item>) {
    let mut text = String::new();
    for part in content.elements() {
        for (key, value) in part.fields() {
            match (key.raw(), value.kind()) {
                (b"\"text\"", Kind::String) => text.push_str(&value.as_str().unwrap_or_default()),
                (b"\"thinking\"", Kind::Array) => tell_reasoning(choice, text_of(value), items),
                (b"\"thinking\"", Kind::String) => {
                    tell_reasoning(choice, value.as_str().unwrap_or_default().into_owned(), items);
                }
                _ => {}
            }
        }
    }
    tell_text(choice, &text, logprobs, items);
}
