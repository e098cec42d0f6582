//! A caller's stream from items.
//!
//! Blocks of this dialect do not overlap, while pieces of several calls may come mixed: the first call goes on as it comes,
//! and what comes of others meanwhile waits until it is known to be over.

use std::collections::BTreeMap;

use super::errors::error_body;
use super::finish::stop_reason;
use super::usage::write_usage;
use crate::dialects::neutral::{Item, Thought};
use crate::dialects::{Dialect, Encode, Reply};
use crate::error::Failure;
use crate::json::Writer;
use crate::ledger::Usage;

/// The id of an answer.
pub(super) fn answer_id(reply: &Reply) -> String {
    format!("msg_{}", reply.id)
}

/// How an answer ended.
#[derive(Debug, Default)]
pub(super) struct Ended {
    reason: Option<String>,
    sequence: Option<String>,
    /// Of the input, what went into the provider's cache.
    pub written: u64,
}

impl Ended {
    pub fn take(&mut self, item: &Item) {
        match item {
            Item::Finish { choice: 0, reason } => self.reason = Some(reason.clone()),
            Item::StopSequence { choice: 0, text } => self.sequence = Some(text.clone()),
            Item::UsageDetail { cache_written_tokens, .. } => self.written = *cache_written_tokens,
            _ => {}
        }
    }

    /// The members `stop_reason` and `stop_sequence`.
    pub fn write(&self, out: &mut Writer) {
        let reason = self.reason.as_deref().unwrap_or("stop");
        out.text_member("stop_reason", stop_reason(reason, self.sequence.is_some())).key("stop_sequence");
        match &self.sequence {
            Some(text) => out.string(text),
            None => out.null(),
        };
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Text,
    Thinking,
    Call(u32),
}

/// A call that waits for another one to end.
#[derive(Debug, Default)]
struct Waiting {
    id: String,
    name: String,
    arguments: String,
}

/// The writer of one stream.
#[derive(Debug)]
pub(super) struct Encoder {
    reply: Reply,
    started: bool,
    /// Blocks that were begun.
    blocks: u64,
    open: Option<Open>,
    waiting: BTreeMap<u32, Waiting>,
    ended: Ended,
}

impl Encoder {
    pub fn new(reply: Reply) -> Encoder {
        let (waiting, ended) = (BTreeMap::new(), Ended::default());
        Encoder { reply, started: false, blocks: 0, open: None, waiting, ended }
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let mut json = Writer::with_capacity(256);
        json.open_object().text_member("type", "message_start").key("message").open_object();
        json.text_member("id", &answer_id(&self.reply)).text_member("type", "message");
        json.text_member("role", "assistant").text_member("model", &self.reply.model);
        json.key("content").open_array().close_array().key("stop_reason").null().key("stop_sequence").null();
        // What was used is known at the end: `message_delta` says all of it.
        json.key("usage");
        write_usage(&mut json, &Usage::default(), 0);
        json.close_object().close_object();
        event(out, "message_start", json);
    }

    fn begin(&mut self, open: Open, block: impl FnOnce(&mut Writer), out: &mut Vec<u8>) {
        self.end_block(out);
        self.begin_block(block, out);
        self.open = Some(open);
    }

    fn begin_block(&mut self, block: impl FnOnce(&mut Writer), out: &mut Vec<u8>) {
        self.start(out);
        let mut json = Writer::with_capacity(128);
        json.open_object().text_member("type", "content_block_start").key("index").integer(self.blocks);
        json.key("content_block").open_object();
        block(&mut json);
        json.close_object().close_object();
        event(out, "content_block_start", json);
        self.blocks += 1;
    }

    fn delta(&self, kind: &str, name: &str, text: &str, out: &mut Vec<u8>) {
        let mut json = Writer::with_capacity(96 + text.len());
        json.open_object()
            .text_member("type", "content_block_delta")
            .key("index")
            .integer(self.blocks.saturating_sub(1));
        json.key("delta").open_object().text_member("type", kind).text_member(name, text);
        json.close_object().close_object();
        event(out, "content_block_delta", json);
    }

    fn stop_block(&self, out: &mut Vec<u8>) {
        let mut json = Writer::default();
        json.open_object()
            .text_member("type", "content_block_stop")
            .key("index")
            .integer(self.blocks.saturating_sub(1));
        json.close_object();
        event(out, "content_block_stop", json);
    }

    /// Ends the open block. A call that ends lets those tell theirs that waited for it.
    fn end_block(&mut self, out: &mut Vec<u8>) {
        let Some(open) = self.open.take() else { return };
        self.stop_block(out);
        if !matches!(open, Open::Call(_)) {
            return;
        }
        while let Some((_, call)) = self.waiting.pop_first() {
            self.begin_call(&call.id, &call.name, out);
            if !call.arguments.is_empty() {
                self.delta("input_json_delta", "partial_json", &call.arguments, out);
            }
            self.stop_block(out);
        }
    }

    fn begin_call(&mut self, id: &str, name: &str, out: &mut Vec<u8>) {
        let made = format!("toolu_{}", self.blocks);
        let id = if id.is_empty() { &made } else { id };
        let block = |json: &mut Writer| {
            json.text_member("type", "tool_use").text_member("id", id).text_member("name", name);
            json.key("input").open_object().close_object();
        };
        self.begin_block(block, out);
    }

    fn say(&mut self, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        if self.open != Some(Open::Text) {
            let block = |json: &mut Writer| {
                json.text_member("type", "text").text_member("text", "");
            };
            self.begin(Open::Text, block, out);
        }
        self.delta("text_delta", "text", text, out);
    }

    fn think(&mut self, out: &mut Vec<u8>) {
        if self.open != Some(Open::Thinking) {
            let block = |json: &mut Writer| {
                json.text_member("type", "thinking").text_member("thinking", "").text_member("signature", "");
            };
            self.begin(Open::Thinking, block, out);
        }
    }

    fn thought(&mut self, thought: &Thought, out: &mut Vec<u8>) {
        match thought {
            Thought::Signature(signature) => {
                self.think(out);
                self.delta("signature_delta", "signature", signature, out);
                self.end_block(out);
            }
            Thought::Redacted(data) => {
                self.end_block(out);
                let block = |json: &mut Writer| {
                    json.text_member("type", "redacted_thinking").text_member("data", data);
                };
                self.begin_block(block, out);
                self.stop_block(out);
            }
            _ => {}
        }
    }

    fn call(&mut self, index: u32, id: Option<&str>, name: Option<&str>, arguments: &str, out: &mut Vec<u8>) {
        match self.open {
            Some(Open::Call(open)) if open == index => {}
            Some(Open::Call(_)) => {
                let waiting = self.waiting.entry(index).or_default();
                waiting.id.push_str(id.unwrap_or_default());
                waiting.name.push_str(name.unwrap_or_default());
                waiting.arguments.push_str(arguments);
                return;
            }
            _ => {
                self.end_block(out);
                self.begin_call(id.unwrap_or_default(), name.unwrap_or_default(), out);
                self.open = Some(Open::Call(index));
            }
        }
        if !arguments.is_empty() {
            self.delta("input_json_delta", "partial_json", arguments, out);
        }
    }
}

impl Encode for Encoder {
    fn item(&mut self, item: &Item, out: &mut Vec<u8>) {
        self.ended.take(item);
        match item {
            Item::Text { choice: 0, text, .. } | Item::Refusal { choice: 0, text } => self.say(text, out),
            Item::Reasoning { choice: 0, text } if !text.is_empty() => {
                self.think(out);
                self.delta("thinking_delta", "thinking", text, out);
            }
            Item::Thought { choice: 0, origin: Dialect::Anthropic, thought } => self.thought(thought, out),
            Item::ToolCall { choice: 0, index, id, name, arguments } => {
                self.call(*index, id.as_deref(), name.as_deref(), arguments, out);
            }
            _ => {}
        }
    }

    fn end(&mut self, usage: &Usage, out: &mut Vec<u8>) {
        self.start(out);
        self.end_block(out);
        let mut json = Writer::with_capacity(192);
        json.open_object().text_member("type", "message_delta").key("delta").open_object();
        self.ended.write(&mut json);
        json.close_object().key("usage");
        write_usage(&mut json, usage, self.ended.written);
        json.close_object();
        event(out, "message_delta", json);
        out.extend_from_slice(b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
    }

    fn error(&mut self, failure: &Failure, out: &mut Vec<u8>) -> bool {
        out.extend_from_slice(b"event: error\ndata: ");
        out.extend_from_slice(&error_body(failure));
        out.extend_from_slice(b"\n\n");
        true
    }
}

/// One event; its JSON has no line ends.
fn event(out: &mut Vec<u8>, name: &str, json: Writer) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    out.extend_from_slice(&json.into_bytes());
    out.extend_from_slice(b"\n\n");
}
