//! Neutral messages as `instructions` and `input` of an upstream.

use std::collections::HashSet;

use super::fields::drop_unknown;
use super::refuse::present;
use super::write_content::{write_content, write_output};
use crate::dialects::{Change, Dialect, Loss};
use crate::json::{Kind, Value, Writer};

/// Writes `instructions`, where the first message is of the system and one text, and `input`. Whether thoughts of this
/// dialect are among them.
pub(super) fn write_messages(out: &mut Writer, messages: Value<'_>, loss: &mut Loss) -> bool {
    let mut rest = messages.elements();
    if let Some(text) = rest.clone().next().and_then(instructions) {
        out.key("instructions").value(text);
        if let Some(first) = rest.next() {
            drop_unknown(first, &["role", "content"], PLACE, loss);
        }
    }
    out.key("input").open_array();
    let mut items = Items { loss, customs: HashSet::new(), thought: false };
    for message in rest {
        items.message(out, message);
    }
    out.close_array();
    items.thought
}

/// Where messages are, in reports.
const PLACE: &str = "messages[].";

fn instructions(message: Value<'_>) -> Option<Value<'_>> {
    let is_system = message.get("role").is_some_and(|role| role.str_eq("system"));
    message.get("content").filter(|content| is_system && content.kind() == Kind::String)
}

struct Items<'l, 'a> {
    loss: &'l mut Loss,
    /// Ids of calls whose tools take text instead of arguments.
    customs: HashSet<&'a [u8]>,
    thought: bool,
}

impl<'a> Items<'_, 'a> {
    fn message(&mut self, out: &mut Writer, message: Value<'a>) {
        let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
        match &*role {
            "assistant" => self.turn(out, message),
            "tool" => self.result(out, message),
            "user" | "system" | "developer" => {
                drop_unknown(message, &["role", "content"], PLACE, self.loss);
                out.open_object().text_member("type", "message").text_member("role", &role).key("content");
                match present(message, "content") {
                    Some(content) => write_content(out, content, self.loss),
                    None => {
                        out.string("");
                    }
                }
                out.close_object();
            }
            _ => self.loss.add(Change::Dropped, "messages[].role", "of an unknown role"),
        }
    }

    fn turn(&mut self, out: &mut Writer, message: Value<'a>) {
        let calls = present(message, "tool_calls");
        let content = present(message, "content").filter(|content| says_something(*content));
        let refusal = present(message, "refusal").filter(|text| !text.str_eq(""));
        let says = content.is_some() || refusal.is_some() || calls.is_some_and(|all| all.elements().next().is_some());
        let own = self.thoughts(out, message, says);
        if !own && message.get("reasoning_content").is_some_and(|text| !text.is_null() && !text.str_eq("")) {
            self.loss.add(Change::Dropped, "messages[].reasoning_content", "only its own thoughts are taken back");
        }
        const KNOWN: &[&str] = &["role", "content", "refusal", "tool_calls", "thoughts", "reasoning_content"];
        drop_unknown(message, KNOWN, PLACE, self.loss);
        if content.is_some() || refusal.is_some() {
            out.open_object().text_member("type", "message").text_member("role", "assistant").key("content");
            write_said(out, content, refusal, self.loss);
            out.close_object();
        }
        for call in calls.into_iter().flat_map(Value::elements) {
            self.call(out, call);
        }
    }

    /// Writes the thoughts of this dialect. OpenAI refuses a reasoning item that nothing follows.
    fn thoughts(&mut self, out: &mut Writer, message: Value<'_>, followed: bool) -> bool {
        let mut any = false;
        for thought in message.get("thoughts").into_iter().flat_map(Value::elements) {
            let is_own = thought.get("origin").is_some_and(|it| it.str_eq(Dialect::OpenAiResponses.as_str()));
            match thought.get("item").filter(|item| is_own && followed && item.kind() == Kind::Object) {
                Some(item) => {
                    out.value(item);
                    any = true;
                }
                None if is_own => self.loss.add(Change::Dropped, "messages[].thoughts", "nothing follows them"),
                None => self.loss.add(Change::Dropped, "messages[].thoughts", "of another provider"),
            }
        }
        self.thought |= any;
        any
    }

    fn call(&mut self, out: &mut Writer, call: Value<'a>) {
        let is_custom = call.get("type").is_some_and(|kind| kind.str_eq("custom"));
        let (word, kind, input) = match is_custom {
            true => ("custom", "custom_tool_call", "input"),
            false => ("function", "function_call", "arguments"),
        };
        let id = present(call, "id");
        if let Some(id) = id.filter(|_| is_custom) {
            self.customs.insert(id.raw());
        }
        drop_unknown(call, &["id", "type", "index", word], "messages[].tool_calls[].", self.loss);
        let inner = call.get(word);
        out.open_object().text_member("type", kind).member("call_id", id);
        out.member("name", inner.and_then(|inner| inner.get("name"))).key(input);
        match inner.and_then(|inner| present(inner, input)) {
            Some(text) => out.value(text),
            None => out.string(""),
        };
        out.close_object();
    }

    fn result(&mut self, out: &mut Writer, message: Value<'a>) {
        let id = present(message, "tool_call_id");
        let is_custom = id.is_some_and(|id| self.customs.contains(id.raw()));
        let kind = if is_custom { "custom_tool_call_output" } else { "function_call_output" };
        let failed = message.get("is_error").and_then(Value::as_bool) == Some(true);
        if failed {
            self.loss.add(Change::Approximated, "messages[].is_error", "as words in the output");
        }
        drop_unknown(message, &["role", "tool_call_id", "name", "content", "is_error"], PLACE, self.loss);
        out.open_object().text_member("type", kind).member("call_id", id).key("output");
        write_output(out, present(message, "content"), failed, self.loss);
        out.close_object();
    }
}

/// An empty text is nothing that a model said.
fn says_something(content: Value<'_>) -> bool {
    match content.kind() {
        Kind::String => !content.str_eq(""),
        _ => content.elements().next().is_some(),
    }
}

/// What the assistant said: a text, or parts.
fn write_said(out: &mut Writer, content: Option<Value<'_>>, refusal: Option<Value<'_>>, loss: &mut Loss) {
    if let (Some(text), None) = (content.filter(|content| content.kind() == Kind::String), refusal) {
        out.value(text);
        return;
    }
    let text = |out: &mut Writer, text: Value<'_>| {
        out.open_object().text_member("type", "output_text").key("text").value(text).close_object();
    };
    let decline = |out: &mut Writer, text: Value<'_>| {
        out.open_object().text_member("type", "refusal").key("refusal").value(text).close_object();
    };
    out.open_array();
    match content {
        Some(content) if content.kind() == Kind::String => text(out, content),
        Some(content) => {
            for part in content.elements() {
                match (present(part, "text"), present(part, "refusal")) {
                    (Some(words), _) => text(out, words),
                    (None, Some(words)) => decline(out, words),
                    _ => loss.add(Change::Dropped, "messages[].content[]", "no text"),
                }
            }
        }
        None => {}
    }
    if let Some(words) = refusal {
        decline(out, words);
    }
    out.close_array();
}
