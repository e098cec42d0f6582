//! Writes items as a stream of this dialect. A whole answer is the response that such a stream ends with.
//!
//! At most one message or reasoning item is open, and any number of calls: some upstreams tell parallel calls in turns,
//! so that none is whole before the answer is. Each item has its place in the output from its first piece on.

use super::errors::stream_code;
use super::events::{self, Events};
use super::output::{Call, Message, Place, Reasoning};
use super::repeated::Repeated;
use super::response::{self, State};
use crate::dialects::neutral::{Item, Thought};
use crate::dialects::{Dialect, Encode, Reply};
use crate::error::Failure;
use crate::json::write_string;
use crate::ledger::Usage;

/// The writer of one stream.
#[derive(Debug)]
pub(super) struct Encoder {
    pub reply: Reply,
    repeated: Repeated,
    pub events: Events,
    started: bool,
    /// The place of the next output item.
    next: u32,
    pub open: Option<Open>,
    pub calls: Vec<Call>,
    /// Items that are done, by their places.
    done: Vec<(u32, Vec<u8>)>,
    /// Thoughts that belong to what is said, to be wrapped once it is: elements with commas.
    pub held: Vec<u8>,
    /// Those of calls that have not begun: which call, and the thought.
    pub early: Vec<(Dialect, u32, Thought)>,
    finish: Option<String>,
    reasoning_tokens: u64,
}

/// The item that is being told.
#[derive(Debug)]
pub(super) enum Open {
    Message(Message),
    Reasoning(Reasoning),
}

impl Encode for Encoder {
    fn item(&mut self, item: &Item, out: &mut Vec<u8>) {
        self.start(out);
        match item {
            Item::Text { choice: 0, text, logprobs } => self.text(text, logprobs, out),
            Item::Refusal { choice: 0, text } => self.refusal(text, out),
            Item::Reasoning { choice: 0, text } => self.reasoning(text, out),
            Item::ToolCall { choice: 0, index, id, name, arguments, kind } => {
                self.call(*index, *kind, (id.as_deref(), name.as_deref()), arguments, out);
            }
            Item::Thought { choice: 0, origin, thought } => self.thought(*origin, thought, out),
            Item::Annotation { choice: 0, json } => self.annotation(json, out),
            Item::Finish { choice: 0, reason } => self.finish = Some(reason.clone()),
            Item::UsageDetail { reasoning_tokens } => self.reasoning_tokens = *reasoning_tokens,
            // There is one answer, and no place for a stop sequence; usage comes with the end.
            _ => {}
        }
    }

    fn end(&mut self, usage: &Usage, out: &mut Vec<u8>) {
        self.start(out);
        let reason = self.finish.take().unwrap_or_else(|| "stop".to_owned());
        let state = State::Ended(&reason, usage, self.reasoning_tokens);
        self.close_all(state.status(), out);
        self.last(if state.status() == "completed" { "response.completed" } else { "response.incomplete" }, state, out);
    }

    fn error(&mut self, failure: &Failure, out: &mut Vec<u8>) -> bool {
        self.start(out);
        // OpenAI sends both events: some clients stop at the one, some read the state of the other. The types of its own
        // clients have the words at the top, its servers in `error`, where those clients throw and others look for them.
        write_error(&mut self.events, failure, out);
        // The items end, and nobody is told one by one: their numbers are not used up.
        let number = self.events;
        self.close_all("incomplete", &mut Vec::new());
        self.events = number;
        self.last("response.failed", State::Failed(failure), out);
        true
    }
}

impl Encoder {
    /// For one stream.
    pub fn new(reply: Reply) -> Encoder {
        Encoder {
            repeated: Repeated::of(&reply),
            reply,
            events: Events::default(),
            started: false,
            next: 0,
            open: None,
            calls: Vec::new(),
            done: Vec::new(),
            held: Vec::new(),
            early: Vec::new(),
            finish: None,
            reasoning_tokens: 0,
        }
    }

    /// The response of a whole answer.
    pub fn whole(mut self, items: &[Item], usage: &Usage) -> Vec<u8> {
        let mut unheard = Vec::new();
        for item in items {
            self.item(item, &mut unheard);
            unheard.clear();
        }
        let reason = self.finish.take().unwrap_or_else(|| "stop".to_owned());
        let state = State::Ended(&reason, usage, self.reasoning_tokens);
        self.close_all(state.status(), &mut unheard);
        let output = self.output();
        let mut out = Vec::with_capacity(1024 + output.len());
        response::write(&mut out, &self.reply, &self.repeated, state, &output);
        out
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        if self.started {
            return;
        }
        self.started = true;
        for kind in ["response.created", "response.in_progress"] {
            self.events.open(out, kind);
            events::key(out, "response");
            response::write(out, &self.reply, &self.repeated, State::InProgress, b"");
            events::close(out);
        }
    }

    fn last(&mut self, kind: &str, state: State<'_>, out: &mut Vec<u8>) {
        let output = self.output();
        self.events.open(out, kind);
        events::key(out, "response");
        response::write(out, &self.reply, &self.repeated, state, &output);
        events::close(out);
    }

    /// The items that are done, in the order of their places.
    fn output(&mut self) -> Vec<u8> {
        self.done.sort_by_key(|(index, _)| *index);
        let mut output = Vec::with_capacity(self.done.iter().map(|(_, json)| json.len() + 1).sum());
        for (_, json) in self.done.drain(..) {
            if !output.is_empty() {
                output.push(b',');
            }
            output.extend_from_slice(&json);
        }
        output
    }

    pub fn place(&mut self, prefix: &str) -> Place {
        let index = self.next;
        self.next += 1;
        Place { index, id: format!("{prefix}_{}_{index}", self.reply.id) }
    }

    pub fn added(&mut self, index: u32, item: &[u8], out: &mut Vec<u8>) {
        self.events.open(out, "response.output_item.added");
        events::number(out, "output_index", index);
        events::raw(out, "item", item);
        events::close(out);
    }

    pub fn item_done(&mut self, index: u32, item: Vec<u8>, out: &mut Vec<u8>) {
        self.events.open(out, "response.output_item.done");
        events::number(out, "output_index", index);
        events::raw(out, "item", &item);
        events::close(out);
        self.done.push((index, item));
    }

    /// Opens an event of an item.
    pub fn event(events: &mut Events, kind: &str, place: &Place, out: &mut Vec<u8>) {
        events.open(out, kind);
        events::text(out, "item_id", &place.id);
        events::number(out, "output_index", place.index);
    }

    /// Closes the message or the reasoning that is open.
    pub fn close_open(&mut self, status: &str, out: &mut Vec<u8>) {
        match &self.open {
            Some(Open::Reasoning(_)) => self.close_reasoning(status, b"", out),
            Some(Open::Message(_)) => {
                self.close_part(out);
                let Some(Open::Message(message)) = self.open.take() else { return };
                let mut item = Vec::with_capacity(128 + message.parts.len());
                message.write(&mut item, status);
                self.item_done(message.place.index, item, out);
            }
            None => {}
        }
    }

    fn close_all(&mut self, status: &str, out: &mut Vec<u8>) {
        self.close_open(status, out);
        self.close_calls(status, out);
        if self.held.is_empty() {
            return;
        }
        let held = std::mem::take(&mut self.held);
        self.open_reasoning(out);
        self.close_reasoning(status, &held, out);
    }
}

/// The event `error` behind events of somebody else, who counted them.
pub(super) fn error_alone(failure: &Failure) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    write_error(&mut Events::default(), failure, &mut out);
    out
}

fn write_error(events: &mut Events, failure: &Failure, out: &mut Vec<u8>) {
    events.open(out, "error");
    write_words(out, failure);
    out.extend_from_slice(b",\"error\":{\"type\":");
    write_string(out, failure.code.openai_type());
    write_words(out, failure);
    out.push(b'}');
    events::close(out);
}

/// The members of an error, each with a comma before it.
fn write_words(out: &mut Vec<u8>, failure: &Failure) {
    events::text(out, "code", stream_code(failure));
    events::text(out, "message", &failure.message);
    match &failure.param {
        Some(param) => events::text(out, "param", param),
        None => events::raw(out, "param", b"null"),
    }
}
