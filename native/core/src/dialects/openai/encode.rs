//! Writes OpenAI answers from what is said, by an engine of this process or an upstream of another dialect: chunks of a
//! stream, or one whole answer.

use super::collected::{Call, Choice, Collected};
use super::logprobs::{self, offsets};
use super::spent::write_usage_detailed;
use super::thoughts::write_call_signature;
use super::vectors::write_vector;
use crate::dialects::neutral::{CallKind, Endpoint, Item};
use crate::json::write_string;
use crate::ledger::Usage;

pub use super::spent::write_usage;
pub use super::vectors::VectorForm;

/// What all answers of one exchange share.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// `chatcmpl-…`, one for the whole answer.
    pub id: String,
    /// Seconds since the epoch.
    pub created: i64,
    /// As the caller named it.
    pub model: String,
    /// How vectors are written.
    pub vectors: VectorForm,
}

impl Stamp {
    fn open(&self, out: &mut Vec<u8>, object: &str) {
        out.extend_from_slice(b"{\"id\":");
        write_string(out, &self.id);
        out.extend_from_slice(b",\"object\":\"");
        out.extend_from_slice(object.as_bytes());
        out.extend_from_slice(b"\",\"created\":");
        write_number(out, self.created.max(0) as u64);
        out.extend_from_slice(b",\"model\":");
        write_string(out, &self.model);
    }

    /// One chunk of a stream for `item`, before which `said` characters of its choice came; `None` where a stream has no
    /// place for it (embeddings; thoughts of a completion; usage has its own), and for what is told
    /// with all of its kind (annotations, what binds thoughts): see [`super::streamed::Encoder`].
    pub fn chunk(&self, endpoint: Endpoint, item: &Item, said: usize) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(192);
        self.open(&mut out, chunk_object(endpoint));
        out.extend_from_slice(b",\"choices\":[{\"index\":");
        match item {
            Item::Text { choice, text, logprobs } => {
                write_number(&mut out, u64::from(*choice));
                let open: &[u8] = match endpoint {
                    Endpoint::Completions => b",\"text\":",
                    _ => b",\"delta\":{\"content\":",
                };
                out.extend_from_slice(open);
                write_string(&mut out, text);
                out.extend_from_slice(if endpoint == Endpoint::Completions { b"" } else { b"}" });
                logprobs::write(&mut out, endpoint, logprobs, offsets(said, logprobs));
                out.extend_from_slice(b",\"finish_reason\":null}]}");
            }
            Item::Reasoning { choice, text } if endpoint == Endpoint::Chat => {
                write_number(&mut out, u64::from(*choice));
                out.extend_from_slice(b",\"delta\":{\"reasoning_content\":");
                write_string(&mut out, text);
                out.extend_from_slice(b"},\"finish_reason\":null}]}");
            }
            Item::ToolCall { choice, index, id, name, arguments, kind } => {
                write_number(&mut out, u64::from(*choice));
                out.extend_from_slice(b",\"delta\":{\"tool_calls\":[{\"index\":");
                write_number(&mut out, u64::from(*index));
                write_call(&mut out, *kind, id.as_deref(), name.as_deref(), arguments);
                out.extend_from_slice(b"]},\"finish_reason\":null}]}");
            }
            Item::Finish { choice, reason } => {
                write_number(&mut out, u64::from(*choice));
                let open: &[u8] = if endpoint == Endpoint::Completions { b",\"text\":\"\"" } else { b",\"delta\":{}" };
                out.extend_from_slice(open);
                out.extend_from_slice(b",\"finish_reason\":");
                write_string(&mut out, reason);
                out.extend_from_slice(b"}]}");
            }
            Item::Refusal { choice, text } if endpoint == Endpoint::Chat => {
                write_number(&mut out, u64::from(*choice));
                out.extend_from_slice(b",\"delta\":{\"refusal\":");
                write_string(&mut out, text);
                out.extend_from_slice(b"},\"finish_reason\":null}]}");
            }
            // As vLLM says it, and SGLang and others after it.
            Item::StopSequence { choice, text } => {
                write_number(&mut out, u64::from(*choice));
                let open: &[u8] = if endpoint == Endpoint::Completions { b",\"text\":\"\"" } else { b",\"delta\":{}" };
                out.extend_from_slice(open);
                out.extend_from_slice(b",\"finish_reason\":null,\"stop_reason\":");
                write_string(&mut out, text);
                out.extend_from_slice(b"}]}");
            }
            Item::Reasoning { .. } | Item::Refusal { .. } | Item::Embedding { .. } => return None,
            Item::Thought { .. } | Item::Annotation { .. } => return None,
            Item::Usage(_) | Item::UsageDetail { .. } => return None,
        }
        Some(out)
    }

    /// One chunk of a chat with a delta of these members.
    pub(super) fn delta_chunk(&self, choice: u32, members: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(192 + members.len());
        self.open(&mut out, chunk_object(Endpoint::Chat));
        out.extend_from_slice(b",\"choices\":[{\"index\":");
        write_number(&mut out, u64::from(choice));
        out.extend_from_slice(b",\"delta\":{");
        out.extend_from_slice(members);
        out.extend_from_slice(b"},\"finish_reason\":null}]}");
        out
    }

    /// The usage chunk: no choices, sent last, only to a caller who asked for it.
    pub fn usage_chunk(&self, endpoint: Endpoint, usage: &Usage) -> Vec<u8> {
        self.usage_chunk_detailed(endpoint, usage, 0)
    }

    /// The same with what the tokens were used for.
    pub fn usage_chunk_detailed(&self, endpoint: Endpoint, usage: &Usage, reasoning_tokens: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        self.open(&mut out, chunk_object(endpoint));
        out.extend_from_slice(b",\"choices\":[],\"usage\":");
        write_usage_detailed(&mut out, endpoint, usage, reasoning_tokens);
        out.push(b'}');
        out
    }

    /// The whole answer.
    pub fn whole(&self, endpoint: Endpoint, answer: &Collected, usage: &Usage) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        if endpoint == Endpoint::Embeddings {
            out.extend_from_slice(b"{\"object\":\"list\",\"data\":[");
            for (at, (index, vector)) in answer.vectors.iter().enumerate() {
                out.extend_from_slice(if at == 0 { b"{" } else { b",{" });
                out.extend_from_slice(b"\"object\":\"embedding\",\"index\":");
                write_number(&mut out, u64::from(*index));
                out.extend_from_slice(b",\"embedding\":");
                write_vector(&mut out, vector, self.vectors);
                out.push(b'}');
            }
            out.extend_from_slice(b"],\"model\":");
            write_string(&mut out, &self.model);
        } else {
            self.open(&mut out, if endpoint == Endpoint::Chat { "chat.completion" } else { "text_completion" });
            out.extend_from_slice(b",\"choices\":[");
            for (at, choice) in answer.choices.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                choice.write(&mut out, endpoint, at as u64);
            }
            out.push(b']');
        }
        out.extend_from_slice(b",\"usage\":");
        write_usage_detailed(&mut out, endpoint, usage, answer.reasoning_tokens);
        out.push(b'}');
        out
    }
}

const fn chunk_object(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Completions => "text_completion",
        _ => "chat.completion.chunk",
    }
}

impl Choice {
    fn write(&self, out: &mut Vec<u8>, endpoint: Endpoint, index: u64) {
        out.extend_from_slice(b"{\"index\":");
        write_number(out, index);
        if endpoint == Endpoint::Completions {
            out.extend_from_slice(b",\"text\":");
            write_string(out, &self.text);
        } else {
            out.extend_from_slice(b",\"message\":{\"role\":\"assistant\",\"content\":");
            if self.text.is_empty() && !self.calls.is_empty() {
                out.extend_from_slice(b"null");
            } else {
                write_string(out, &self.text);
            }
            if !self.reasoning.is_empty() {
                out.extend_from_slice(b",\"reasoning_content\":");
                write_string(out, &self.reasoning);
            }
            if !self.refusal.is_empty() {
                out.extend_from_slice(b",\"refusal\":");
                write_string(out, &self.refusal);
            }
            write_list_member(out, "annotations", &self.annotations);
            write_list_member(out, "thoughts", &self.thoughts);
            for (at, call) in self.calls.iter().enumerate() {
                out.extend_from_slice(if at == 0 { b",\"tool_calls\":[{\"type\":\"" } else { b",{\"type\":\"" });
                out.extend_from_slice(call.kind.as_str().as_bytes());
                out.push(b'"');
                if let Some(signature) = &call.signature {
                    out.push(b',');
                    write_call_signature(out, signature);
                }
                write_call_body(out, call);
            }
            out.extend_from_slice(if self.calls.is_empty() { b"}" } else { b"]}" });
        }
        logprobs::write(out, endpoint, &self.logprobs, self.offsets.iter().copied());
        out.extend_from_slice(b",\"finish_reason\":");
        write_string(out, self.finish.as_deref().unwrap_or("stop"));
        if let Some(text) = &self.stop {
            out.extend_from_slice(b",\"stop_reason\":");
            write_string(out, text);
        }
        out.push(b'}');
    }
}

/// A member with a list of these, each JSON, if there are any.
fn write_list_member(out: &mut Vec<u8>, name: &str, list: &[Vec<u8>]) {
    if list.is_empty() {
        return;
    }
    out.push(b',');
    write_string(out, name);
    out.extend_from_slice(b":[");
    for (at, json) in list.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(json);
    }
    out.push(b']');
}

fn write_call_body(out: &mut Vec<u8>, call: &Call) {
    out.extend_from_slice(b",\"id\":");
    write_string(out, &call.id);
    write_called(out, call.kind, Some(&call.name), &call.arguments);
}

/// The member with what is called and what it is given; closes the call.
fn write_called(out: &mut Vec<u8>, kind: CallKind, name: Option<&str>, arguments: &str) {
    for piece in [",\"", kind.as_str(), "\":{"] {
        out.extend_from_slice(piece.as_bytes());
    }
    if let Some(name) = name {
        out.extend_from_slice(b"\"name\":");
        write_string(out, name);
        out.push(b',');
    }
    for piece in ["\"", kind.given(), "\":"] {
        out.extend_from_slice(piece.as_bytes());
    }
    write_string(out, arguments);
    out.extend_from_slice(b"}}");
}

/// The rest of a streamed call after its index: id, type and name come with its first piece only.
fn write_call(out: &mut Vec<u8>, kind: CallKind, id: Option<&str>, name: Option<&str>, arguments: &str) {
    if let Some(id) = id {
        for piece in [",\"type\":\"", kind.as_str(), "\",\"id\":"] {
            out.extend_from_slice(piece.as_bytes());
        }
        write_string(out, id);
    }
    write_called(out, kind, name, arguments);
}

pub(super) fn write_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// A finite number.
pub(super) fn write_float(out: &mut Vec<u8>, number: f32) {
    out.extend_from_slice(ryu::Buffer::new().format_finite(number).as_bytes());
}
