//! A caller's stream from items.
//!
//! Blocks of this dialect do not overlap, while pieces of several calls may come mixed: the first call goes on as it comes,
//! and what comes of others meanwhile waits until it is known to be over.

use std::collections::BTreeMap;

use super::ended::{answer_id, call_id, citation, Ended};
use super::errors::error_body;
use super::events;
use super::usage::write_usage;
use crate::dialects::neutral::{Item, Thought};
use crate::dialects::wrapped::Wrapping;
use crate::dialects::{Dialect, Encode, Reply};
use crate::error::Failure;
use crate::json::Writer;
use crate::ledger::Usage;

/// Bytes and calls kept while another call goes on: more than any model writes. What is beyond is not told.
const MOST_BYTES: usize = 4 << 20;
const MOST_CALLS: usize = 1_024;

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
    waiting_bytes: usize,
    /// Ids of the calls that were told: whose a thought may be.
    ids: Vec<(u32, String)>,
    wrapping: Wrapping,
    ended: Ended,
}

impl Encoder {
    pub fn new(reply: Reply) -> Encoder {
        Encoder {
            reply,
            started: false,
            blocks: 0,
            open: None,
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
            ids: Vec::new(),
            wrapping: Wrapping::default(),
            ended: Ended::default(),
        }
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
        events::write(out, "message_start", json);
    }

    fn begin(&mut self, open: Open, block: impl FnOnce(&mut Writer), out: &mut Vec<u8>) {
        self.end_block(out);
        self.begin_block(block, out);
        self.open = Some(open);
    }

    fn begin_block(&mut self, block: impl FnOnce(&mut Writer), out: &mut Vec<u8>) {
        self.start(out);
        events::start_block(self.blocks, block, out);
        self.blocks += 1;
    }

    fn delta(&self, kind: &str, name: &str, text: &str, out: &mut Vec<u8>) {
        events::delta(
            self.blocks.saturating_sub(1),
            kind,
            |json| {
                json.text_member(name, text);
            },
            out,
        );
    }

    fn stop_block(&self, out: &mut Vec<u8>) {
        events::stop_block(self.blocks.saturating_sub(1), out);
    }

    /// Ends the open block. A call that ends lets those tell theirs that waited for it.
    fn end_block(&mut self, out: &mut Vec<u8>) {
        let Some(open) = self.open.take() else { return };
        self.stop_block(out);
        if matches!(open, Open::Call(_)) {
            while let Some((index, call)) = self.waiting.pop_first() {
                self.begin_call(index, &call.id, &call.name, out);
                if !call.arguments.is_empty() {
                    self.delta("input_json_delta", "partial_json", &call.arguments, out);
                }
                self.stop_block(out);
            }
            self.waiting_bytes = 0;
        }
        self.tell_wrapped(out);
    }

    /// Thoughts of other dialects in a block of their own.
    fn tell_wrapped(&mut self, out: &mut Vec<u8>) {
        if let Some(data) = self.wrapping.take() {
            self.redacted(&data, out);
        }
    }

    fn redacted(&mut self, data: &str, out: &mut Vec<u8>) {
        let block = |json: &mut Writer| {
            json.text_member("type", "redacted_thinking").text_member("data", data);
        };
        self.begin_block(block, out);
        self.stop_block(out);
    }

    fn begin_call(&mut self, index: u32, id: &str, name: &str, out: &mut Vec<u8>) {
        let id = if id.is_empty() { call_id(&self.reply, self.blocks) } else { id.to_owned() };
        let block = |json: &mut Writer| {
            json.text_member("type", "tool_use").text_member("id", &id).text_member("name", name);
            json.key("input").open_object().close_object();
        };
        self.begin_block(block, out);
        if self.ids.len() < MOST_CALLS {
            self.ids.push((index, id));
        }
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

    fn thought(&mut self, origin: Dialect, thought: &Thought, out: &mut Vec<u8>) {
        match thought {
            Thought::Signature(signature) if origin == Dialect::Anthropic => {
                self.think(out);
                self.delta("signature_delta", "signature", signature, out);
                self.end_block(out);
            }
            Thought::Redacted(data) if origin == Dialect::Anthropic => {
                self.end_block(out);
                self.redacted(data, out);
            }
            _ => {
                self.wrap(origin, thought);
                if self.open.is_none() {
                    self.tell_wrapped(out);
                }
            }
        }
    }

    fn wrap(&mut self, origin: Dialect, thought: &Thought) {
        let id = match thought {
            Thought::OfCall(index, _) => {
                let told = self.ids.iter().find(|(own, _)| own == index).map(|(_, id)| id.clone());
                told.or_else(|| self.waiting.get(index).map(|call| call.id.clone())).unwrap_or_default()
            }
            _ => String::new(),
        };
        self.wrapping.add(origin, thought, &id, None);
    }

    fn call(&mut self, index: u32, id: Option<&str>, name: Option<&str>, arguments: &str, out: &mut Vec<u8>) {
        let (id, name) = (id.unwrap_or_default(), name.unwrap_or_default());
        match self.open {
            Some(Open::Call(open)) if open == index => {}
            Some(Open::Call(_)) => {
                self.wait(index, id, name, arguments);
                return;
            }
            _ => {
                self.end_block(out);
                self.begin_call(index, id, name, out);
                self.open = Some(Open::Call(index));
            }
        }
        if !arguments.is_empty() {
            self.delta("input_json_delta", "partial_json", arguments, out);
        }
    }

    fn wait(&mut self, index: u32, id: &str, name: &str, arguments: &str) {
        self.waiting_bytes = self.waiting_bytes.saturating_add(id.len() + name.len() + arguments.len());
        let is_new = !self.waiting.contains_key(&index);
        if self.waiting_bytes > MOST_BYTES || (is_new && self.waiting.len() >= MOST_CALLS) {
            return;
        }
        let waiting = self.waiting.entry(index).or_default();
        waiting.id.push_str(id);
        waiting.name.push_str(name);
        waiting.arguments.push_str(arguments);
    }

    /// Only what was just said can be cited.
    fn cite(&mut self, annotation: &str, out: &mut Vec<u8>) {
        let Some(citation) = citation(annotation).filter(|_| self.open == Some(Open::Text)) else { return };
        let block = self.blocks.saturating_sub(1);
        events::delta(
            block,
            "citations_delta",
            |json| {
                json.key("citation").raw(&citation);
            },
            out,
        );
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
            Item::Thought { choice: 0, origin, thought } => self.thought(*origin, thought, out),
            Item::ToolCall { choice: 0, index, id, name, arguments, .. } => {
                self.call(*index, id.as_deref(), name.as_deref(), arguments, out);
            }
            Item::Annotation { choice: 0, json } => self.cite(json, out),
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
        write_usage(&mut json, usage, self.ended.thought);
        json.close_object();
        events::write(out, "message_delta", json);
        out.extend_from_slice(b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
    }

    fn error(&mut self, failure: &Failure, out: &mut Vec<u8>) -> bool {
        out.extend_from_slice(b"event: error\ndata: ");
        out.extend_from_slice(&error_body(failure));
        out.extend_from_slice(b"\n\n");
        true
    }
}
