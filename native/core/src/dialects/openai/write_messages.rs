//! `messages` of the neutral request as an upstream of this dialect takes them.

use super::manners::{Manners, MARK_CACHES, SIGN_CALLS, WANT_THOUGHTS};
use super::write_request::{is_own, without};
use crate::dialects::{Change, Loss};
use crate::json::{Kind, Value, Writer};

/// Before what a tool that failed says. The protocol has no mark for it.
const FAILED: &str = "Error: ";
/// What a tool's result says whose pictures are all of it.
const BELOW: &str = "See the attachment in the next message.";

/// The writer of all messages.
pub(super) struct Turns<'l> {
    thoughts: bool,
    details: bool,
    signatures: bool,
    marks: bool,
    developer: bool,
    loss: &'l mut Loss,
    /// Parts of tool results that only a user's message may hold, until the results are over.
    moved: Vec<Moved>,
}

/// Parts of one tool's result, each as JSON.
struct Moved {
    call: String,
    parts: Vec<Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Assistant,
    Tool,
    Developer,
    Other,
}

impl<'l> Turns<'l> {
    pub fn new(manners: &Manners, model: &str, loss: &'l mut Loss) -> Turns<'l> {
        Turns {
            thoughts: manners.reasoning_content.by(model, WANT_THOUGHTS),
            details: manners.reasoning_details,
            signatures: manners.google_signatures.by(model, SIGN_CALLS),
            marks: manners.cache_control.by(model, MARK_CACHES),
            developer: manners.developer,
            loss,
            moved: Vec::new(),
        }
    }

    /// All messages as they are sent; `None` if they are sent as they are.
    pub fn write(mut self, messages: Value<'_>) -> Option<Vec<u8>> {
        let mut out = Writer::with_capacity(messages.raw().len() + 64);
        let mut changed = false;
        out.open_array();
        for message in messages.elements() {
            let role = Role::of(message);
            if role != Role::Tool {
                changed |= self.tell_moved(&mut out);
            }
            match self.message(role, message) {
                Some(written) => {
                    changed = true;
                    out.raw(&written);
                }
                None => {
                    out.value(message);
                }
            }
        }
        changed |= self.tell_moved(&mut out);
        out.close_array();
        changed.then(|| out.into_bytes())
    }

    /// A message; `None` if it is sent as it is.
    fn message(&mut self, role: Role, message: Value<'_>) -> Option<Vec<u8>> {
        let mut out = Writer::with_capacity(message.raw().len() + 32);
        let (mut changed, mut says) = (false, false);
        let failed = role == Role::Tool && message.get("is_error").and_then(Value::as_bool) == Some(true);
        out.open_object();
        for (key, value) in message.fields() {
            let name = key.as_str().unwrap_or_default();
            let written = match &*name {
                "role" if role == Role::Developer && !self.developer => {
                    self.loss.add(Change::Renamed, "messages[].role", "developer as system");
                    Some(Some(b"\"system\"".to_vec()))
                }
                "content" if role == Role::Tool => self.result(message, value, failed).map(Some),
                "content" => self.content(role, value).map(Some),
                "is_error" => Some(None),
                "cache_control" => self.mark("messages[].cache_control"),
                "reasoning_content" if !self.thoughts => {
                    self.loss.add(Change::Dropped, "messages[].reasoning_content", "not taken back by this model");
                    Some(None)
                }
                "thoughts" => {
                    self.own_thoughts(value, &mut out);
                    Some(None)
                }
                "tool_calls" => self.calls(value).map(Some),
                _ => None,
            };
            says |= matches!(&*name, "content" | "tool_calls" | "function_call" | "refusal") && !value.is_null();
            changed |= written.is_some();
            match written {
                None => {
                    out.key(&name).value(value);
                }
                Some(Some(json)) => {
                    out.key(&name).raw(&json);
                }
                Some(None) => {}
            }
        }
        if changed && role == Role::Assistant && !says && message.get("content").is_none() {
            // A turn of which only thoughts were known: some content must be.
            out.text_member("content", "");
        }
        out.close_object();
        changed.then(|| out.into_bytes())
    }

    /// A cache marker: left out where nobody reads it.
    fn mark(&mut self, field: &'static str) -> Option<Option<Vec<u8>>> {
        if self.marks {
            return None;
        }
        self.loss.add(Change::Dropped, field, "no cache markers");
        Some(None)
    }

    /// Thoughts of this dialect's own origin, where they are taken back; all others are their origin's alone.
    fn own_thoughts(&mut self, thoughts: Value<'_>, out: &mut Writer) {
        let mut kept = 0;
        for thought in thoughts.elements() {
            match thought.get("item").filter(|_| self.details && is_own(thought)) {
                Some(item) => {
                    if kept == 0 {
                        out.key("reasoning_details").open_array();
                    }
                    kept += 1;
                    out.value(item);
                }
                None => self.loss.add(Change::Dropped, "messages[].thoughts", "of another origin"),
            }
        }
        if kept > 0 {
            out.close_array();
        }
    }

    /// Calls without what signs them, where that is unknown; `None` if they are sent as they are.
    fn calls(&mut self, calls: Value<'_>) -> Option<Vec<u8>> {
        if self.signatures || !calls.elements().any(|call| call.get("extra_content").is_some()) {
            return None;
        }
        self.loss.add(Change::Dropped, "messages[].tool_calls[].extra_content", "of another model");
        let mut out = Writer::with_capacity(calls.raw().len());
        out.open_array();
        for call in calls.elements() {
            without(&mut out, call, "extra_content");
        }
        out.close_array();
        Some(out.into_bytes())
    }

    /// Content of any message but a tool's.
    fn content(&mut self, role: Role, content: Value<'_>) -> Option<Vec<u8>> {
        if content.kind() != Kind::Array {
            return None;
        }
        let mut out = Writer::with_capacity(content.raw().len() + 16);
        let mut changed = false;
        out.open_array();
        for part in content.elements() {
            if role == Role::Assistant && !is_words(part) {
                changed = true;
                self.loss.add(Change::Dropped, "messages[].content[]", "an assistant's messages hold text only");
                continue;
            }
            changed |= self.part(part, &mut out);
        }
        out.close_array();
        changed.then(|| out.into_bytes())
    }

    /// Writes a part; whether it is another than it was.
    fn part(&mut self, part: Value<'_>, out: &mut Writer) -> bool {
        let address = part.get("file").and_then(|file| file.get("file_url"));
        if let Some(address) = address.and_then(Value::as_str) {
            self.loss.add(Change::Approximated, "messages[].content[].file.file_url", "its address as text");
            out.open_object().text_member("type", "text").text_member("text", &format!("Document: {address}"));
            out.close_object();
            return true;
        }
        if !self.marks && part.get("cache_control").is_some() {
            self.loss.add(Change::Dropped, "messages[].content[].cache_control", "no cache markers");
            without(out, part, "cache_control");
            return true;
        }
        out.value(part);
        false
    }

    /// Content of a tool's message: text only, so that what else it holds follows in a message of its own.
    fn result(&mut self, message: Value<'_>, content: Value<'_>, failed: bool) -> Option<Vec<u8>> {
        if failed {
            self.loss.add(Change::Approximated, "messages[].is_error", "as words in the content");
        }
        let is_plain =
            content.elements().all(|part| is_words(part) && (self.marks || part.get("cache_control").is_none()));
        if !failed && is_plain {
            return None;
        }
        let mut text = if failed { FAILED.to_owned() } else { String::new() };
        text.push_str(&content.as_str().unwrap_or_default());
        let mut parts = Vec::new();
        for (at, part) in content.elements().enumerate() {
            if !self.marks && part.get("cache_control").is_some() {
                self.loss.add(Change::Dropped, "messages[].content[].cache_control", "no cache markers");
            }
            if is_words(part) {
                text.push_str(if at > 0 { "\n" } else { "" });
                text.push_str(&part.get("text").and_then(Value::as_str).unwrap_or_default());
                continue;
            }
            let mut out = Writer::default();
            self.part(part, &mut out);
            parts.push(out.into_bytes());
        }
        if !parts.is_empty() {
            self.loss.add(Change::Approximated, "messages[].content[]", "of a tool, in a user's message after it");
            if content.elements().all(|part| !is_words(part)) {
                text.push_str(BELOW);
            }
            let call = message.get("tool_call_id").and_then(Value::as_str).unwrap_or_default().into_owned();
            self.moved.push(Moved { call, parts });
        }
        let mut out = Writer::default();
        out.string(&text);
        Some(out.into_bytes())
    }

    /// Writes what tools' results could not hold, after the last of them: nothing may stand between a call and its results.
    fn tell_moved(&mut self, out: &mut Writer) -> bool {
        if self.moved.is_empty() {
            return false;
        }
        out.open_object().text_member("role", "user").key("content").open_array();
        for moved in self.moved.drain(..) {
            out.open_object().text_member("type", "text");
            out.text_member("text", &format!("Attachment of the tool result {}:", moved.call)).close_object();
            for part in moved.parts {
                out.raw(&part);
            }
        }
        out.close_array().close_object();
        true
    }
}

impl Role {
    fn of(message: Value<'_>) -> Role {
        match message.get("role") {
            Some(role) if role.str_eq("assistant") => Role::Assistant,
            Some(role) if role.str_eq("tool") => Role::Tool,
            Some(role) if role.str_eq("developer") => Role::Developer,
            _ => Role::Other,
        }
    }
}

/// Whether a part is text, or a refusal's.
fn is_words(part: Value<'_>) -> bool {
    part.get("type").is_some_and(|kind| kind.str_eq("text") || kind.str_eq("refusal"))
}
