//! Reads an upstream's chat or completions stream into items.

use super::answer::error_message;
use super::reading::Reading;
use crate::dialects::neutral::Item;
use crate::dialects::{Decode, Fed};
use crate::json::{Index, Kind, Limits, Outline, Value};
use crate::sse::Frame;

/// The reader of one stream.
#[derive(Debug, Default)]
pub struct Decoder {
    reading: Reading,
    index: Index,
}

/// What one event holds.
#[derive(Default)]
struct Event<'a> {
    choices: Option<Value<'a>>,
    usage: Option<Value<'a>>,
    id: Option<Value<'a>>,
    error: Option<Value<'a>>,
    /// Errors that are not in a member of that name.
    words: Option<Value<'a>>,
    is_error: bool,
    is_null_list: bool,
    sources: Option<Value<'a>>,
}

impl Decode for Decoder {
    fn take(&mut self, frame: &Frame, items: &mut Vec<Item>) -> Fed {
        if !frame.dispatches {
            return Fed::Open;
        }
        if is_mark(&frame.data) {
            if !self.reading.is_answer() {
                // A stream of nothing is no answer, whatever ends it.
                return Fed::Malformed;
            }
            self.reading.close(items);
            return Fed::Done;
        }
        let mut outline = Outline::default();
        if outline.scan(&mut self.index, &frame.data, Limits::default()).is_err() {
            return Fed::Malformed;
        }
        let mut event = Event { is_error: *frame.event == *b"error", ..Event::default() };
        for (key, value) in outline.fields(&self.index, &frame.data) {
            event.note(&key, value);
        }
        event.tell(&mut self.reading, items)
    }

    fn finish(&mut self, items: &mut Vec<Item>) -> bool {
        let complete = self.reading.is_complete();
        if complete {
            self.reading.close(items);
        }
        complete
    }
}

impl<'a> Event<'a> {
    fn note(&mut self, key: &[u8], value: Value<'a>) {
        let value = Some(value).filter(|value| !value.is_null());
        match key {
            b"choices" => {
                self.is_null_list = value.is_none();
                self.choices = value;
            }
            b"usage" => self.usage = value.or(self.usage),
            b"id" => self.id = value,
            b"error" => self.error = value,
            // vLLM's error event has no `error`: {"object":"error","message":…}.
            b"object" | b"type" => self.is_error |= value.is_some_and(|value| value.str_eq("error")),
            b"message" | b"detail" => self.words = value.or(self.words),
            b"search_results" => self.sources = value.or(self.sources),
            b"citations" => self.sources = self.sources.or(value),
            // Groq says usage there, asked or not.
            b"x_groq" => {
                let groq = value.filter(|value| value.kind() == Kind::Object);
                self.usage = self.usage.or(groq.and_then(|groq| groq.get("usage")));
                self.error = self.error.or(groq.and_then(|groq| groq.get("error")));
            }
            _ => {}
        }
    }

    fn tell(self, reading: &mut Reading, items: &mut Vec<Item>) -> Fed {
        if let Some(error) = self.error {
            return Fed::Error(error_message(error));
        }
        if self.is_error {
            return Fed::Error(self.words.map(error_message).unwrap_or_default());
        }
        if let Some(id) = self.id {
            reading.name(id);
        }
        if let Some(sources) = self.sources {
            reading.sources(sources, items);
        }
        match self.choices {
            Some(choices) if choices.kind() == Kind::Array => {
                if !choices.elements().all(|choice| reading.choice(choice, items)) {
                    return Fed::Malformed;
                }
            }
            None if self.usage.is_some() || self.is_null_list => {}
            _ => return Fed::Malformed,
        }
        if let Some(usage) = self.usage {
            reading.usage(usage, items);
        }
        Fed::Open
    }
}

/// The end mark, with or without space around it.
fn is_mark(data: &[u8]) -> bool {
    matches!(data.first(), Some(b'[' | b' ')) && data.trim_ascii() == b"[DONE]"
}
