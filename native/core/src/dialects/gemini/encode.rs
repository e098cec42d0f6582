//! A caller's stream, of events or as a JSON array.
//!
//! No keep-alive comments: google-genai breaks on them.

use super::annotations::Kept;
use super::calls::{write as write_calls, Calls};
use super::carried::Carrying;
use super::names::one_line;
use super::positions::Positions;
use super::{errors, finish, logprobs, usage};
use crate::dialects::neutral::{Item, Thought, TokenLogprob};
use crate::dialects::{Dialect, Encode, Form, Reply};
use crate::error::Failure;
use crate::json::Writer;
use crate::ledger::Usage;

/// More choices than any caller can ask for.
const MOST_CHOICES: u32 = 128;

/// Of one stream.
#[derive(Debug)]
pub(super) struct Encoder {
    reply: Reply,
    /// An element of the array was written.
    begun: bool,
    thoughts: u64,
    choices: Vec<Choice>,
}

#[derive(Debug, Default)]
struct Choice {
    calls: Calls,
    reason: Option<String>,
    refusal: String,
    sources: Kept,
    said: Positions,
    carrying: Carrying,
}

impl Encoder {
    pub fn new(reply: Reply) -> Encoder {
        Encoder { reply, begun: false, thoughts: 0, choices: Vec::new() }
    }

    fn choice(&mut self, number: u32) -> Option<&mut Choice> {
        if number >= MOST_CHOICES {
            return None;
        }
        while self.choices.len() <= number as usize {
            self.choices.push(Choice::default());
        }
        self.choices.get_mut(number as usize)
    }

    /// One response of one candidate with the parts that `write` writes.
    fn say(&mut self, choice: u32, tokens: &[TokenLogprob], out: &mut Vec<u8>, write: impl FnOnce(&mut Writer)) {
        let mut json = Writer::with_capacity(256);
        json.open_object().key("candidates").open_array().open_object();
        json.key("content").open_object().key("parts").open_array();
        write(&mut json);
        json.close_array().text_member("role", "model").close_object().key("index").integer(u64::from(choice));
        logprobs::write(tokens, &mut json);
        json.close_object().close_array();
        self.close(json, out);
    }

    /// The members that all responses end with, framed.
    fn close(&mut self, mut json: Writer, out: &mut Vec<u8>) {
        stamp(&self.reply, &mut json);
        json.close_object();
        self.frame(&one_line(json.into_bytes()), out);
    }

    fn frame(&mut self, json: &[u8], out: &mut Vec<u8>) {
        let begun = std::mem::replace(&mut self.begun, true);
        match self.reply.form {
            Form::Array => {
                out.extend_from_slice(if begun { b",\r\n" } else { b"[" });
                out.extend_from_slice(json);
            }
            _ => {
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(json);
                out.extend_from_slice(b"\r\n\r\n");
            }
        }
    }

    /// A signature that is of no call.
    fn sign(&mut self, choice: u32, signature: &str, out: &mut Vec<u8>) {
        self.flush(choice, None, out);
        self.say(choice, &[], out, |json| write_signature(signature, json));
    }

    /// Calls that are whole go out before what follows them.
    fn flush(&mut self, number: u32, next: Option<u32>, out: &mut Vec<u8>) {
        let Some(choice) = self.choice(number) else { return };
        if choice.calls.is_empty() {
            return;
        }
        let calls = choice.calls.whole(next);
        if !calls.is_empty() {
            self.say(number, &[], out, |json| write_calls(&calls, json));
        }
    }
}

/// The part of a signature that is of no call.
pub(super) fn write_signature(signature: &str, json: &mut Writer) {
    json.open_object().text_member("text", "").text_member("thoughtSignature", signature).close_object();
}

/// `modelVersion` and `responseId`.
pub(super) fn stamp(reply: &Reply, json: &mut Writer) {
    json.text_member("modelVersion", &reply.model).text_member("responseId", &reply.id);
}

impl Encode for Encoder {
    fn item(&mut self, item: &Item, out: &mut Vec<u8>) {
        match item {
            Item::Text { choice, text, logprobs } => {
                self.flush(*choice, None, out);
                let Some(state) = self.choice(*choice) else { return };
                state.said.say(text);
                self.say(*choice, logprobs, out, |json| {
                    json.open_object().text_member("text", text).close_object();
                });
            }
            Item::Reasoning { choice, text } => {
                self.flush(*choice, None, out);
                let Some(state) = self.choice(*choice) else { return };
                state.carrying.think(text);
                self.say(*choice, &[], out, |json| {
                    json.open_object().text_member("text", text).key("thought").boolean(true).close_object();
                });
            }
            Item::ToolCall { choice, index, id, name, arguments, .. } => {
                self.flush(*choice, Some(*index), out);
                let Some(state) = self.choice(*choice) else { return };
                state.calls.add(*index, id.as_deref(), name.as_deref(), arguments);
            }
            Item::Thought { choice, origin: Dialect::Gemini, thought: Thought::OfText(signature) } => {
                self.sign(*choice, signature, out);
            }
            Item::Thought { choice, origin: Dialect::Gemini, thought: Thought::OfCall(index, signature) } => {
                if let Some(state) = self.choice(*choice) {
                    state.calls.sign(*index, signature);
                }
            }
            Item::Thought { choice, origin, thought } => {
                let Some(state) = self.choice(*choice) else { return };
                if let Some(signature) = state.carrying.carry(*origin, thought) {
                    self.sign(*choice, &signature, out);
                }
            }
            Item::Finish { choice, reason } => {
                if let Some(state) = self.choice(*choice) {
                    state.reason = Some(reason.clone());
                    let calls = state.calls.all();
                    if !calls.is_empty() {
                        self.say(*choice, &[], out, |json| write_calls(&calls, json));
                    }
                }
            }
            Item::Refusal { choice, text } => {
                if let Some(state) = self.choice(*choice) {
                    state.refusal.push_str(text);
                }
            }
            Item::Annotation { choice, json } => {
                if let Some(state) = self.choice(*choice) {
                    state.sources.keep(json);
                }
            }
            Item::UsageDetail { reasoning_tokens } => self.thoughts = *reasoning_tokens,
            // Gemini does not tell which sequence it was, and vectors do not stream.
            Item::StopSequence { .. } | Item::Embedding { .. } | Item::Usage(_) => {}
        }
    }

    fn end(&mut self, usage: &Usage, out: &mut Vec<u8>) {
        let mut json = Writer::with_capacity(256);
        json.open_object().key("candidates").open_array();
        for (number, choice) in self.choices.iter_mut().enumerate() {
            json.open_object().key("content").open_object().key("parts").open_array();
            let before = json.len();
            write_calls(&choice.calls.all(), &mut json);
            if json.len() == before {
                // google-genai forgets a turn of its chats one chunk of which has no parts.
                json.open_object().text_member("text", "").close_object();
            }
            json.close_array().text_member("role", "model").close_object();
            write_end(number as u64, choice.reason.as_deref(), &choice.refusal, &mut json);
            choice.sources.write(&choice.said, &mut json);
            json.close_object();
        }
        json.close_array();
        usage::write(&mut json, usage, self.thoughts);
        self.close(json, out);
        if self.reply.form == Form::Array {
            out.push(b']');
        }
    }

    fn error(&mut self, failure: &Failure, out: &mut Vec<u8>) -> bool {
        let mut json = Writer::with_capacity(256);
        errors::write(&mut json, failure);
        self.frame(&json.into_bytes(), out);
        if self.reply.form == Form::Array {
            out.push(b']');
        }
        true
    }
}

/// The members of a candidate that say how it ended. A refusal's words are why.
pub(super) fn write_end(number: u64, reason: Option<&str>, refusal: &str, json: &mut Writer) {
    json.text_member("finishReason", finish::write(reason.unwrap_or("stop"), !refusal.is_empty()));
    if !refusal.is_empty() {
        json.text_member("finishMessage", refusal);
    }
    json.key("index").integer(number);
}
