//! How thoughts are told: as the summary of a reasoning item, with what binds them to their origin wrapped in it.

use super::encode::{Encoder, Open};
use super::events;
use super::output::Reasoning;
use crate::dialects::neutral::Thought;
use crate::dialects::wrapped::{write_entry, MARK};
use crate::dialects::Dialect;
use crate::json::{validate, Limits};

impl Encoder {
    pub fn reasoning(&mut self, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        if !matches!(self.open, Some(Open::Reasoning(_))) {
            self.open_reasoning(out);
            let Some(Open::Reasoning(reasoning)) = &self.open else { return };
            Self::event(&mut self.events, "response.reasoning_summary_part.added", &reasoning.place, out);
            events::number(out, "summary_index", 0);
            events::key(out, "part");
            reasoning.write_part(out);
            events::close(out);
        }
        let Some(Open::Reasoning(reasoning)) = &mut self.open else { return };
        reasoning.text.push_str(text);
        Self::event(&mut self.events, "response.reasoning_summary_text.delta", &reasoning.place, out);
        events::number(out, "summary_index", 0);
        events::text(out, "delta", text);
        events::close(out);
    }

    pub fn open_reasoning(&mut self, out: &mut Vec<u8>) {
        self.close_open("completed", out);
        let reasoning = Reasoning { place: self.place("rs"), text: String::new() };
        let mut item = Vec::with_capacity(128);
        reasoning.write(&mut item, "in_progress", None);
        self.added(reasoning.place.index, &item, out);
        self.open = Some(Open::Reasoning(reasoning));
    }

    pub fn thought(&mut self, origin: Dialect, thought: &Thought, out: &mut Vec<u8>) {
        match thought {
            Thought::OfText(_) => self.hold(origin, thought, ""),
            Thought::OfCall(number, _) => match self.calls.iter().find(|call| call.number == *number) {
                Some(call) => {
                    let id = call.call_id.clone();
                    self.hold(origin, thought, &id);
                }
                None => self.early.push((origin, *number, thought.clone())),
            },
            Thought::Item(json) if origin == Dialect::OpenAiResponses && !self.is_its_own(json) => {
                self.close_open("completed", out);
                let index = self.place("rs").index;
                self.added(index, json.as_bytes(), out);
                self.item_done(index, json.clone().into_bytes(), out);
            }
            _ => {
                let signs = matches!(thought, Thought::Signature(_) | Thought::Item(_));
                if !(signs && matches!(self.open, Some(Open::Reasoning(_)))) {
                    self.open_reasoning(out);
                }
                let mut entry = Vec::with_capacity(64 + thought.text().len());
                write_entry(&mut entry, origin, thought, "", None);
                self.close_reasoning("completed", &entry, out);
            }
        }
    }

    /// Whether an item of this dialect is the one whose thoughts were just told, under another id.
    fn is_its_own(&self, json: &str) -> bool {
        let is_reasoning = || {
            let item = validate(json.as_bytes(), Limits::default()).ok();
            item.and_then(|item| item.get("type")).is_some_and(|kind| kind.str_eq("reasoning"))
        };
        matches!(self.open, Some(Open::Reasoning(_))) && is_reasoning()
    }

    pub fn hold(&mut self, origin: Dialect, thought: &Thought, call_id: &str) {
        if !self.held.is_empty() {
            self.held.push(b',');
        }
        write_entry(&mut self.held, origin, thought, call_id, None);
    }

    pub fn close_reasoning(&mut self, status: &str, entries: &[u8], out: &mut Vec<u8>) {
        let Some(Open::Reasoning(reasoning)) = &self.open else { return };
        if !reasoning.text.is_empty() {
            Self::event(&mut self.events, "response.reasoning_summary_text.done", &reasoning.place, out);
            events::number(out, "summary_index", 0);
            events::text(out, "text", &reasoning.text);
            events::close(out);
            Self::event(&mut self.events, "response.reasoning_summary_part.done", &reasoning.place, out);
            events::number(out, "summary_index", 0);
            events::key(out, "part");
            reasoning.write_part(out);
            events::close(out);
        }
        let wrapped = format!("{MARK}[{}]", String::from_utf8_lossy(entries));
        let mut item = Vec::with_capacity(256 + reasoning.text.len());
        reasoning.write(&mut item, status, Some(&wrapped));
        let index = reasoning.place.index;
        self.open = None;
        self.item_done(index, item, out);
    }
}
