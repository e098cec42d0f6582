//! Items as a caller's stream: lines of JSON. Never an empty one, on which `ollama-python` 0.6 breaks (`json.loads("")`).

use super::calls::Pieces;
use super::dates::date;
use super::errors::error_body;
use super::finish::done_reason_of;
use super::logprobs;
use crate::dialects::neutral::{Item, TokenLogprob};
use crate::dialects::{Encode, Form, Reply};
use crate::error::Failure;
use crate::json::{write_string, Writer};
use crate::ledger::Usage;

const GOES_ON: &[u8] = b",\"done\":false";

/// The writer of one stream.
#[derive(Debug)]
pub(super) struct Encoder {
    /// How each line begins: `{"model":…,"created_at":…`.
    head: Vec<u8>,
    /// Of `/api/generate`.
    is_prompt: bool,
    /// Calls go out whole, as nobody reads pieces of them.
    calls: Pieces,
    reason: &'static str,
}

impl Encoder {
    pub fn new(reply: &Reply) -> Encoder {
        let mut head = b"{\"model\":".to_vec();
        write_string(&mut head, &reply.model);
        head.extend_from_slice(b",\"created_at\":");
        write_string(&mut head, &date(reply.created));
        Encoder { head, is_prompt: reply.form == Form::Prompt, calls: Pieces::default(), reason: "stop" }
    }

    /// A line up to the end of what it says, with `more` members beside the text.
    fn begin(&self, text: &str, more: impl FnOnce(&mut Vec<u8>), out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(if self.is_prompt {
            b",\"response\":".as_slice()
        } else {
            b",\"message\":{\"role\":\"assistant\",\"content\":"
        });
        write_string(out, text);
        more(out);
        if !self.is_prompt {
            out.push(b'}');
        }
    }

    fn text(&self, text: &str, tokens: &[TokenLogprob], out: &mut Vec<u8>) {
        self.begin(text, |_| {}, out);
        out.extend_from_slice(GOES_ON);
        if !tokens.is_empty() {
            let mut list = Writer::default();
            logprobs::write(tokens, &mut list);
            out.push(b',');
            out.extend_from_slice(&list.into_bytes());
        }
        out.extend_from_slice(b"}\n");
    }

    fn thinking(&self, text: &str, out: &mut Vec<u8>) {
        let thinking = |out: &mut Vec<u8>| {
            out.extend_from_slice(b",\"thinking\":");
            write_string(out, text);
        };
        self.begin("", thinking, out);
        out.extend_from_slice(GOES_ON);
        out.extend_from_slice(b"}\n");
    }

    /// The calls so far, if there are any.
    fn all_calls(&mut self, out: &mut Vec<u8>) {
        if self.calls.is_empty() {
            return;
        }
        let mut calls = Writer::default();
        self.calls.write(&mut calls);
        let calls = |out: &mut Vec<u8>| {
            out.push(b',');
            out.extend_from_slice(&calls.into_bytes());
        };
        self.begin("", calls, out);
        out.extend_from_slice(GOES_ON);
        out.extend_from_slice(b"}\n");
    }
}

impl Encode for Encoder {
    fn item(&mut self, item: &Item, out: &mut Vec<u8>) {
        match item {
            Item::Text { choice: 0, text, logprobs } if !text.is_empty() || !logprobs.is_empty() => {
                self.text(text, logprobs, out);
            }
            // There is no other place for what a model says when it declines.
            Item::Refusal { choice: 0, text } if !text.is_empty() => self.text(text, &[], out),
            Item::Reasoning { choice: 0, text } if !text.is_empty() => self.thinking(text, out),
            Item::ToolCall { choice: 0, index, id, name, arguments, .. } => {
                self.calls.add(*index, id.as_deref(), name.as_deref(), arguments);
            }
            Item::Finish { choice: 0, reason } => {
                self.reason = done_reason_of(reason);
                self.all_calls(out);
            }
            // One choice is all that Ollama has, and no place for the rest.
            _ => {}
        }
    }

    fn end(&mut self, usage: &Usage, out: &mut Vec<u8>) {
        self.all_calls(out);
        self.begin("", |_| {}, out);
        let mut last = Writer::default();
        last.key("done").boolean(true).text_member("done_reason", self.reason);
        last.key("prompt_eval_count").integer(usage.input_tokens).key("eval_count").integer(usage.output_tokens);
        out.push(b',');
        out.extend_from_slice(&last.into_bytes());
        out.extend_from_slice(b"}\n");
    }

    fn error(&mut self, failure: &Failure, out: &mut Vec<u8>) -> bool {
        out.extend_from_slice(&error_body(failure));
        out.push(b'\n');
        true
    }
}
