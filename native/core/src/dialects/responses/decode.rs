//! Reads an upstream's stream into items.
//!
//! What is told piece by piece is told again whole, twice: by the `done` events and in the response at the end. Some
//! servers leave out the pieces, some the repetitions; so for each output item it is noted what was told, and whatever was
//! not is taken where it first comes.

use super::annotations;
use super::finish::End;
use super::logprobs;
use super::read_answer::{close, whole};
use super::reading::{Calls, Told};
use super::refuse::present;
use super::turn::PARAGRAPH;
use crate::dialects::neutral::Item;
use crate::dialects::openai::answer::error_message;
use crate::dialects::{Decode, Fed};
use crate::json::{Index, Kind, Limits, Outline, Value};
use crate::sse::Frame;

/// Output items of one answer; an upstream that has more is wrong.
const MOST_ITEMS: usize = 4_096;

/// The reader of one stream.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    index: Index,
    state: State,
}

/// What must be remembered between events.
#[derive(Debug, Default)]
struct State {
    calls: Calls,
    /// By `output_index`, in the order in which they came.
    told: Vec<(u64, Told)>,
    /// The last part of a summary that was told: its item, and which.
    summary: Option<(u64, u64)>,
}

/// The members of an event that matter.
#[derive(Default)]
struct Event<'a> {
    kind: Option<Value<'a>>,
    delta: Option<Value<'a>>,
    text: Option<Value<'a>>,
    output: u64,
    part: u64,
    summary: u64,
    item: Option<Value<'a>>,
    response: Option<Value<'a>>,
    logprobs: Option<Value<'a>>,
    annotation: Option<Value<'a>>,
    message: Option<Value<'a>>,
    error: Option<Value<'a>>,
}

impl Decode for Decoder {
    fn take(&mut self, frame: &Frame, items: &mut Vec<Item>) -> Fed {
        if !frame.dispatches || frame.data.trim_ascii() == b"[DONE]" {
            return Fed::Open;
        }
        let mut outline = Outline::default();
        if outline.scan(&mut self.index, &frame.data, Limits::default()).is_err() {
            return Fed::Malformed;
        }
        let mut event = Event::default();
        for (key, value) in outline.fields(&self.index, &frame.data) {
            event.note(&key, value);
        }
        let name = event.kind.and_then(Value::as_str);
        let name = name.as_deref().or_else(|| std::str::from_utf8(&frame.event).ok());
        self.state.event(name.unwrap_or_default(), &event, items)
    }

    fn finish(&mut self, _: &mut Vec<Item>) -> bool {
        // Every answer ends with an event that says so.
        false
    }
}

impl<'a> Event<'a> {
    fn note(&mut self, key: &[u8], value: Value<'a>) {
        if value.is_null() {
            return;
        }
        let number = || value.as_u64().unwrap_or(u64::MAX);
        match key {
            b"type" => self.kind = Some(value),
            b"delta" => self.delta = Some(value),
            // Of the several `done` events.
            b"text" | b"refusal" | b"arguments" | b"input" => self.text = Some(value),
            b"output_index" => self.output = number(),
            b"content_index" => self.part = number(),
            b"summary_index" => self.summary = number(),
            b"item" => self.item = Some(value).filter(|item| item.kind() == Kind::Object),
            b"response" => self.response = Some(value).filter(|response| response.kind() == Kind::Object),
            b"logprobs" => self.logprobs = Some(value),
            b"annotation" => self.annotation = Some(value),
            b"message" => self.message = Some(value),
            b"error" => self.error = Some(value),
            _ => {}
        }
    }

    fn text(value: Option<Value<'a>>) -> Option<String> {
        value.and_then(Value::as_str).filter(|text| !text.is_empty()).map(|text| text.into_owned())
    }
}

impl State {
    fn event(&mut self, name: &str, event: &Event<'_>, items: &mut Vec<Item>) -> Fed {
        match name {
            "response.output_text.delta" => return self.words(event, event.delta, true, items),
            "response.output_text.done" => return self.words(event, event.text, false, items),
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                return self.arguments(event, event.delta, true, items)
            }
            "response.function_call_arguments.done" | "response.custom_tool_call_input.done" => {
                return self.arguments(event, event.text, false, items)
            }
            "response.refusal.delta" => return self.refusal(event, event.delta, true, items),
            "response.refusal.done" => return self.refusal(event, event.text, false, items),
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                return self.reasoning(event, items)
            }
            "response.output_item.added" => return self.added(event, items),
            "response.output_item.done" => {
                let Some(item) = event.item else { return Fed::Malformed };
                let Some(mut told) = self.told(event.output).map(|told| *told) else { return Fed::Malformed };
                self.calls.rest_of(item, &mut told, items);
                self.told(event.output).into_iter().for_each(|place| *place = told);
            }
            "response.output_text.annotation.added" => {
                let Some(told) = self.told(event.output) else { return Fed::Malformed };
                told.annotations = true;
                let json = event.annotation.and_then(annotations::read);
                items.extend(json.map(|json| Item::Annotation { choice: 0, json }));
            }
            "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" => {
                return self.end(event, items)
            }
            "error" => return Fed::Error(event.error.or(event.message).map(error_message).unwrap_or_default()),
            _ => return self.other(event),
        }
        Fed::Open
    }

    /// Events that say nothing of the answer, and what is none of this protocol.
    fn other(&self, event: &Event<'_>) -> Fed {
        match (event.error, event.kind) {
            (Some(error), _) => Fed::Error(error_message(error)),
            (None, Some(kind)) if kind.kind() == Kind::String => Fed::Open,
            _ => Fed::Malformed,
        }
    }

    fn told(&mut self, output: u64) -> Option<&mut Told> {
        let at = match self.told.iter().rposition(|(of, _)| *of == output) {
            Some(at) => at,
            None if self.told.len() < MOST_ITEMS => {
                self.told.push((output, Told::default()));
                self.told.len() - 1
            }
            None => return None,
        };
        self.told.get_mut(at).map(|(_, told)| told)
    }

    fn words(&mut self, event: &Event<'_>, text: Option<Value<'_>>, piece: bool, items: &mut Vec<Item>) -> Fed {
        let Some(told) = self.told(event.output) else { return Fed::Malformed };
        let before = told.parts;
        let said = told.part(event.part);
        match Event::text(text) {
            Some(text) if piece || !said => {
                let logprobs = event.logprobs.map(logprobs::read).unwrap_or_default();
                items.push(Item::Text { choice: 0, text, logprobs });
            }
            Some(_) => {}
            // An empty piece says nothing: what comes whole is still to be told.
            None => told.parts = before,
        }
        Fed::Open
    }

    fn refusal(&mut self, event: &Event<'_>, text: Option<Value<'_>>, piece: bool, items: &mut Vec<Item>) -> Fed {
        let Some(told) = self.told(event.output) else { return Fed::Malformed };
        let Some(text) = Event::text(text) else { return Fed::Open };
        if !told.part(event.part) || piece {
            items.push(Item::Refusal { choice: 0, text });
        }
        Fed::Open
    }

    fn reasoning(&mut self, event: &Event<'_>, items: &mut Vec<Item>) -> Fed {
        let place = (event.output, event.summary.max(event.part));
        let Some(told) = self.told(event.output) else { return Fed::Malformed };
        let Some(text) = Event::text(event.delta) else { return Fed::Open };
        let goes_on = told.reasoning;
        told.reasoning = true;
        let is_next = goes_on && self.summary.is_some_and(|last| last != place);
        self.summary = Some(place);
        let text = if is_next { [PARAGRAPH, &text].concat() } else { text };
        items.push(Item::Reasoning { choice: 0, text });
        Fed::Open
    }

    fn arguments(&mut self, event: &Event<'_>, text: Option<Value<'_>>, piece: bool, items: &mut Vec<Item>) -> Fed {
        let Some(told) = self.told(event.output) else { return Fed::Malformed };
        let (Some(index), Some(arguments)) = (told.call, Event::text(text)) else { return Fed::Open };
        if piece || !told.arguments {
            items.push(Item::ToolCall { choice: 0, index, id: None, name: None, arguments, kind: told.kind });
        }
        told.arguments = true;
        Fed::Open
    }

    fn added(&mut self, event: &Event<'_>, items: &mut Vec<Item>) -> Fed {
        let Some(mut told) = self.told(event.output).map(|told| *told) else { return Fed::Malformed };
        let kind = event.item.and_then(|item| item.get("type"));
        let is_call = kind.is_some_and(|kind| kind.str_eq("function_call") || kind.str_eq("custom_tool_call"));
        if let Some(item) = event.item.filter(|_| is_call && told.call.is_none()) {
            self.calls.begin(item, String::new(), &mut told, items);
        }
        self.told(event.output).into_iter().for_each(|place| *place = told);
        Fed::Open
    }

    fn end(&mut self, event: &Event<'_>, items: &mut Vec<Item>) -> Fed {
        let Some(response) = event.response else { return Fed::Malformed };
        let output = present(response, "output").filter(|_| self.told.is_empty());
        let end = match output {
            Some(output) => whole(response, output, &mut self.calls, items),
            None => close(response, &self.calls, items),
        };
        match end {
            End::Finished(_) => Fed::Done,
            End::Later => Fed::Malformed,
            End::Failed(words) => Fed::Error(words),
        }
    }
}
