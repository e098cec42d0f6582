//! Writes items as a stream of this dialect. A whole answer is the response that such a stream ends with.
//!
//! At most one message or reasoning item is open, and any number of calls: some upstreams tell parallel calls in turns,
//! so that none is whole before the answer is. Each item has its place in the output from its first piece on.

use super::annotations;
use super::errors::stream_code;
use super::events::{self, Events};
use super::logprobs;
use super::output::{Call, Message, Part, Place, Reasoning};
use super::response::{self, State};
use super::usage::Details;
use super::wrapped::{write_entry, MARK};
use crate::dialects::neutral::{Item, Thought, TokenLogprob};
use crate::dialects::{Dialect, Encode, Reply};
use crate::error::Failure;
use crate::json::{validate, Limits};
use crate::ledger::Usage;

/// The writer of one stream.
#[derive(Debug)]
pub(super) struct Encoder {
    reply: Reply,
    events: Events,
    started: bool,
    /// The place of the next output item.
    next: u32,
    open: Option<Open>,
    calls: Vec<Call>,
    /// Items that are done, by their places.
    done: Vec<(u32, Vec<u8>)>,
    /// Thoughts that belong to what is said, to be wrapped once it is: elements with commas.
    held: Vec<u8>,
    /// Those of calls that have not begun: which call, and the thought.
    early: Vec<(Dialect, u32, Thought)>,
    finish: Option<String>,
    details: Details,
}

#[derive(Debug)]
enum Open {
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
            Item::ToolCall { choice: 0, index, id, name, arguments } => {
                self.call(*index, id.as_deref(), name.as_deref(), arguments, out);
            }
            Item::Thought { choice: 0, origin, thought } => self.thought(*origin, thought, out),
            Item::Annotation { choice: 0, json } => self.annotation(json, out),
            Item::Finish { choice: 0, reason } => self.finish = Some(reason.clone()),
            Item::UsageDetail { reasoning_tokens, cache_written_tokens } => {
                self.details = Details { reasoning: *reasoning_tokens, written: *cache_written_tokens };
            }
            // There is one answer, and no place for a stop sequence; usage comes with the end.
            _ => {}
        }
    }

    fn end(&mut self, usage: &Usage, out: &mut Vec<u8>) {
        self.start(out);
        let reason = self.finish.take().unwrap_or_else(|| "stop".to_owned());
        let state = State::Ended(&reason, usage, self.details);
        self.close_all(state.status(), out);
        self.last(if state.status() == "completed" { "response.completed" } else { "response.incomplete" }, state, out);
    }

    fn error(&mut self, failure: &Failure, out: &mut Vec<u8>) -> bool {
        self.start(out);
        // Clients either throw at the one or read the state of the other; OpenAI sends both.
        self.events.open(out, "error");
        events::text(out, "code", stream_code(failure));
        events::text(out, "message", &failure.message);
        match &failure.param {
            Some(param) => events::text(out, "param", param),
            None => events::raw(out, "param", b"null"),
        }
        events::close(out);
        let mut unheard = Vec::new();
        self.close_all("incomplete", &mut unheard);
        self.last("response.failed", State::Failed(failure), out);
        true
    }
}

impl Encoder {
    /// For one stream.
    pub fn new(reply: Reply) -> Encoder {
        Encoder {
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
            details: Details::default(),
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
        let state = State::Ended(&reason, usage, self.details);
        self.close_all(state.status(), &mut unheard);
        let output = self.output();
        let mut out = Vec::with_capacity(1024 + output.len());
        response::write(&mut out, &self.reply, state, &output);
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
            response::write(out, &self.reply, State::InProgress, b"");
            events::close(out);
        }
    }

    fn last(&mut self, kind: &str, state: State<'_>, out: &mut Vec<u8>) {
        let output = self.output();
        self.events.open(out, kind);
        events::key(out, "response");
        response::write(out, &self.reply, state, &output);
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

    fn place(&mut self, prefix: &str) -> Place {
        let index = self.next;
        self.next += 1;
        Place { index, id: format!("{prefix}_{}_{index}", self.reply.id) }
    }

    fn added(&mut self, index: u32, item: &[u8], out: &mut Vec<u8>) {
        self.events.open(out, "response.output_item.added");
        events::number(out, "output_index", index);
        events::raw(out, "item", item);
        events::close(out);
    }

    fn item_done(&mut self, index: u32, item: Vec<u8>, out: &mut Vec<u8>) {
        self.events.open(out, "response.output_item.done");
        events::number(out, "output_index", index);
        events::raw(out, "item", &item);
        events::close(out);
        self.done.push((index, item));
    }

    /// Opens an event of an item.
    fn event(events: &mut Events, kind: &str, place: &Place, out: &mut Vec<u8>) {
        events.open(out, kind);
        events::text(out, "item_id", &place.id);
        events::number(out, "output_index", place.index);
    }
}

/// Messages.
impl Encoder {
    fn text(&mut self, text: &str, tokens: &[TokenLogprob], out: &mut Vec<u8>) {
        if text.is_empty() && tokens.is_empty() {
            return;
        }
        self.open_part(false, out);
        let Some(Open::Message(Message { place, count, part: Some(part), .. })) = &mut self.open else { return };
        part.text.push_str(text);
        logprobs::write(&mut part.logprobs, tokens);
        Self::event(&mut self.events, "response.output_text.delta", place, out);
        events::number(out, "content_index", *count);
        events::text(out, "delta", text);
        out.extend_from_slice(b",\"logprobs\":[");
        logprobs::write(out, tokens);
        out.push(b']');
        events::close(out);
    }

    fn refusal(&mut self, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        self.open_part(true, out);
        let Some(Open::Message(Message { place, count, part: Some(part), .. })) = &mut self.open else { return };
        part.text.push_str(text);
        Self::event(&mut self.events, "response.refusal.delta", place, out);
        events::number(out, "content_index", *count);
        events::text(out, "delta", text);
        events::close(out);
    }

    fn annotation(&mut self, json: &str, out: &mut Vec<u8>) {
        let Some(annotation) = annotations::write(json) else { return };
        self.open_part(false, out);
        let Some(Open::Message(Message { place, count, part: Some(part), .. })) = &mut self.open else { return };
        Self::event(&mut self.events, "response.output_text.annotation.added", place, out);
        events::number(out, "content_index", *count);
        events::number(out, "annotation_index", part.annotated);
        events::raw(out, "annotation", &annotation);
        events::close(out);
        if part.annotated > 0 {
            part.annotations.push(b',');
        }
        part.annotations.extend_from_slice(&annotation);
        part.annotated += 1;
    }

    /// Sees to it that a message with a part of the kind is open.
    fn open_part(&mut self, is_refusal: bool, out: &mut Vec<u8>) {
        match &self.open {
            Some(Open::Message(Message { part: Some(part), .. })) if part.is_refusal == is_refusal => return,
            Some(Open::Message(_)) => self.close_part(out),
            _ => {
                self.close_open("completed", out);
                let message = Message { place: self.place("msg"), parts: Vec::new(), count: 0, part: None };
                let mut item = Vec::with_capacity(128);
                message.write(&mut item, "in_progress");
                self.added(message.place.index, &item, out);
                self.open = Some(Open::Message(message));
            }
        }
        let Some(Open::Message(message)) = &mut self.open else { return };
        let part = Part { is_refusal, ..Part::default() };
        Self::event(&mut self.events, "response.content_part.added", &message.place, out);
        events::number(out, "content_index", message.count);
        events::key(out, "part");
        part.write(out);
        events::close(out);
        message.part = Some(part);
    }

    fn close_part(&mut self, out: &mut Vec<u8>) {
        let Some(Open::Message(message)) = &mut self.open else { return };
        let Some(part) = message.part.take() else { return };
        let kind = if part.is_refusal { "response.refusal.done" } else { "response.output_text.done" };
        Self::event(&mut self.events, kind, &message.place, out);
        events::number(out, "content_index", message.count);
        events::text(out, if part.is_refusal { "refusal" } else { "text" }, &part.text);
        if !part.is_refusal {
            out.extend_from_slice(b",\"logprobs\":[");
            out.extend_from_slice(&part.logprobs);
            out.push(b']');
        }
        events::close(out);
        if message.count > 0 {
            message.parts.push(b',');
        }
        let before = message.parts.len();
        part.write(&mut message.parts);
        Self::event(&mut self.events, "response.content_part.done", &message.place, out);
        events::number(out, "content_index", message.count);
        events::raw(out, "part", &message.parts[before..]);
        events::close(out);
        message.count += 1;
    }
}

/// Thoughts.
impl Encoder {
    fn reasoning(&mut self, text: &str, out: &mut Vec<u8>) {
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

    fn open_reasoning(&mut self, out: &mut Vec<u8>) {
        self.close_open("completed", out);
        let reasoning = Reasoning { place: self.place("rs"), text: String::new() };
        let mut item = Vec::with_capacity(128);
        reasoning.write(&mut item, "in_progress", None);
        self.added(reasoning.place.index, &item, out);
        self.open = Some(Open::Reasoning(reasoning));
    }

    fn thought(&mut self, origin: Dialect, thought: &Thought, out: &mut Vec<u8>) {
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
                write_entry(&mut entry, origin, thought, "");
                self.close_reasoning("completed", Some(&entry), out);
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

    fn hold(&mut self, origin: Dialect, thought: &Thought, call_id: &str) {
        if !self.held.is_empty() {
            self.held.push(b',');
        }
        write_entry(&mut self.held, origin, thought, call_id);
    }

    fn close_reasoning(&mut self, status: &str, entries: Option<&[u8]>, out: &mut Vec<u8>) {
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
        let wrapped = entries.map(|entries| format!("{MARK}[{}]", String::from_utf8_lossy(entries)));
        let mut item = Vec::with_capacity(256 + reasoning.text.len());
        reasoning.write(&mut item, status, wrapped.as_deref());
        let index = reasoning.place.index;
        self.open = None;
        self.item_done(index, item, out);
    }
}

/// Calls, and the end.
impl Encoder {
    fn call(&mut self, number: u32, id: Option<&str>, name: Option<&str>, arguments: &str, out: &mut Vec<u8>) {
        let at = match self.calls.iter().rposition(|call| call.number == number) {
            Some(at) => at,
            None => self.open_call(number, id, name, out),
        };
        let Some(call) = self.calls.get_mut(at).filter(|_| !arguments.is_empty()) else { return };
        call.arguments.push_str(arguments);
        Self::event(&mut self.events, "response.function_call_arguments.delta", &call.place, out);
        events::text(out, "delta", arguments);
        events::close(out);
    }

    fn open_call(&mut self, number: u32, id: Option<&str>, name: Option<&str>, out: &mut Vec<u8>) -> usize {
        self.close_open("completed", out);
        let place = self.place("fc");
        let call_id = match id.filter(|id| !id.is_empty()) {
            Some(id) => id.to_owned(),
            None => format!("call_{}_{}", self.reply.id, place.index),
        };
        let name = name.unwrap_or_default().to_owned();
        let call = Call { place, number, call_id, name, arguments: String::new() };
        let mut item = Vec::with_capacity(160);
        call.write(&mut item, "in_progress");
        self.added(call.place.index, &item, out);
        let (own, rest) = std::mem::take(&mut self.early).into_iter().partition(|(_, of, _)| *of == number);
        self.early = rest;
        let own: Vec<(Dialect, u32, Thought)> = own;
        own.iter().for_each(|(origin, _, thought)| self.hold(*origin, thought, &call.call_id));
        self.calls.push(call);
        self.calls.len() - 1
    }

    fn close_calls(&mut self, status: &str, out: &mut Vec<u8>) {
        for mut call in std::mem::take(&mut self.calls) {
            // No arguments are an object of none: clients read them as JSON.
            if call.arguments.is_empty() {
                call.arguments.push_str("{}");
                Self::event(&mut self.events, "response.function_call_arguments.delta", &call.place, out);
                events::text(out, "delta", &call.arguments);
                events::close(out);
            }
            Self::event(&mut self.events, "response.function_call_arguments.done", &call.place, out);
            events::text(out, "name", super::tools::parted(&call.name).1);
            events::text(out, "arguments", &call.arguments);
            events::close(out);
            let mut item = Vec::with_capacity(192 + call.arguments.len());
            call.write(&mut item, status);
            self.item_done(call.place.index, item, out);
        }
    }

    /// Closes the message or the reasoning that is open.
    fn close_open(&mut self, status: &str, out: &mut Vec<u8>) {
        match &self.open {
            Some(Open::Reasoning(_)) => self.close_reasoning(status, None, out),
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
        self.close_reasoning(status, Some(&held), out);
    }
}
