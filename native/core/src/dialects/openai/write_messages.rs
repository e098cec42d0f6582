//! `messages` of the neutral request as an upstream of this dialect takes them.

use super::attachments::Attachments;
use super::manners::{Manners, Taken, MARK_CACHES, SIGN_CALLS, WANT_THOUGHTS};
use super::write_request::without;
use super::write_tools::is_own;
use crate::dialects::{Change, Dialect, Loss};
use crate::json::{Kind, Value, Writer};

/// Before what a tool that failed says. The protocol has no mark for it.
const FAILED: &str = "Error: ";
/// What a tool's result says whose pictures are all of it.
const BELOW: &str = "See the attachment in the next message.";

/// The writer of all messages.
pub(super) struct Turns<'l> {
    thoughts: bool,
    details: bool,
    /// Google's signatures are taken.
    signatures: bool,
    /// … and kept beside calls.
    signed_calls: bool,
    marks: bool,
    developer: bool,
    /// Tools of free text are taken.
    custom: bool,
    /// Only what hoosh itself gave the caller is changed.
    own_only: bool,
    loss: &'l mut Loss,
    /// Parts of tool results that only a user's message may hold, until the results are over.
    moved: Attachments,
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
        let signatures = manners.google_signatures.by(model, SIGN_CALLS);
        Turns {
            thoughts: manners.reasoning_content.by(model, WANT_THOUGHTS),
            details: manners.reasoning_details,
            signatures,
            signed_calls: signatures,
            marks: manners.cache_control.by(model, MARK_CACHES),
            developer: manners.developer,
            custom: manners.openai_tools,
            own_only: false,
            loss,
            moved: Attachments::default(),
        }
    }

    /// Of a body that is its upstream's already, but for what hoosh itself gave the caller. Signatures of calls are Google's
    /// own member, and its models have any name behind other servers: they are left out only where they are refused.
    pub fn of_own_only(self, manners: &Manners) -> Turns<'l> {
        Turns { own_only: true, signed_calls: manners.google_signatures != Taken::Never, ..self }
    }

    /// All messages as they are sent; `None` if they are sent as they are.
    pub fn write(mut self, messages: Value<'_>) -> Option<Vec<u8>> {
        let mut out = Writer::with_capacity(messages.raw().len() + 64);
        let mut changed = false;
        out.open_array();
        for message in messages.elements() {
            let role = Role::of(message);
            if role != Role::Tool {
                changed |= self.moved.tell(&mut out);
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
        changed |= self.moved.tell(&mut out);
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
                name if self.own_only
                    && !matches!(name, "thoughts" | "tool_calls" | "is_error")
                    && !(failed && name == "content") =>
                {
                    None
                }
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
                    self.own_thoughts(message, value, &mut out);
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

    /// Thoughts of this dialect's own origin, where they are taken back, and Google's signature of text; all others are
    /// their origin's alone.
    fn own_thoughts(&mut self, message: Value<'_>, thoughts: Value<'_>, out: &mut Writer) {
        let is_free = |name| message.get(name).is_none();
        let (mut details, mut signature) = (Vec::new(), None);
        for thought in thoughts.elements() {
            let is_google = || thought.get("origin").is_some_and(|origin| origin.str_eq(Dialect::Gemini.as_str()));
            let is_text = || thought.get("type").is_some_and(|kind| kind.str_eq("text"));
            match thought.get("item").filter(|_| self.details && is_own(thought)) {
                Some(item) => details.push(item),
                None if self.signatures && is_google() && is_text() => signature = thought.get("signature"),
                None => self.loss.add(Change::Dropped, "messages[].thoughts", "of another origin"),
            }
        }
        if !details.is_empty() && is_free("reasoning_details") {
            out.key("reasoning_details").open_array();
            details.into_iter().for_each(|item| {
                out.value(item);
            });
            out.close_array();
        }
        if let Some(signature) = signature.filter(|_| is_free("extra_content")) {
            out.key("extra_content").open_object().key("google").open_object();
            out.key("thought_signature").value(signature).close_object().close_object();
        }
    }

    /// Calls without what signs them, where that is unknown, and those of free text as functions where only these are
    /// known; `None` if they are sent as they are.
    fn calls(&mut self, calls: Value<'_>) -> Option<Vec<u8>> {
        let is_signed = |call: Value<'_>| !self.signed_calls && call.get("extra_content").is_some();
        let is_custom = |call: Value<'_>| {
            !self.custom && !self.own_only && call.get("custom").is_some_and(|it| it.kind() == Kind::Object)
        };
        if !calls.elements().any(|call| is_signed(call) || is_custom(call)) {
            return None;
        }
        if calls.elements().any(is_signed) {
            self.loss.add(Change::Dropped, "messages[].tool_calls[].extra_content", "of another model");
        }
        let mut out = Writer::with_capacity(calls.raw().len());
        out.open_array();
        for call in calls.elements() {
            match call.get("custom").filter(|_| is_custom(call)) {
                Some(custom) => function_of(call, custom, &mut out),
                None if is_signed(call) => without(&mut out, call, "extra_content"),
                None => {
                    out.value(call);
                }
            }
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
            self.moved.add(call, parts);
        }
        let mut out = Writer::default();
        out.string(&text);
        Some(out.into_bytes())
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

/// A call of a tool of free text as one of the function that stands for it.
fn function_of(call: Value<'_>, custom: Value<'_>, out: &mut Writer) {
    let mut arguments = Writer::default();
    arguments.open_object().member("input", custom.get("input")).close_object();
    let arguments = String::from_utf8(arguments.into_bytes()).unwrap_or_default();
    out.open_object().member("id", call.get("id")).text_member("type", "function").key("function").open_object();
    out.member("name", custom.get("name")).text_member("arguments", &arguments).close_object().close_object();
}

/// Whether a part is text, or a refusal's.
fn is_words(part: Value<'_>) -> bool {
    part.get("type").is_some_and(|kind| kind.str_eq("text") || kind.str_eq("refusal"))
}
