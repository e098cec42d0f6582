//! Items as a caller's whole answer.

use super::calls::Pieces;
use super::dates::date;
use super::finish::done_reason_of;
use super::logprobs::{self, write_float};
use crate::dialects::neutral::{Endpoint, Item, TokenLogprob};
use crate::dialects::{Form, Reply};
use crate::json::Writer;
use crate::ledger::Usage;

/// See [`crate::dialects::Protocol::write_answer`].
pub(super) fn write_answer(reply: &Reply, items: &[Item], usage: &Usage) -> Vec<u8> {
    let mut out = Writer::with_capacity(256 + items.iter().map(Item::bytes).sum::<usize>());
    out.open_object();
    if reply.endpoint == Some(Endpoint::Embeddings) {
        write_vectors(reply, items, usage, &mut out);
        out.close_object();
        return out.into_bytes();
    }
    let mut said = Said::default();
    items.iter().for_each(|item| said.add(item));
    out.text_member("model", &reply.model).text_member("created_at", &date(reply.created));
    if reply.form == Form::Prompt {
        out.text_member("response", &said.text);
        said.write_rest(&mut out);
    } else {
        out.key("message").open_object().text_member("role", "assistant").text_member("content", &said.text);
        said.write_rest(&mut out);
        out.close_object();
    }
    out.key("done").boolean(true).text_member("done_reason", said.reason.unwrap_or("stop"));
    out.key("prompt_eval_count").integer(usage.input_tokens).key("eval_count").integer(usage.output_tokens);
    if !said.logprobs.is_empty() {
        logprobs::write(&said.logprobs, &mut out);
    }
    out.close_object();
    out.into_bytes()
}

/// The first choice, which is all that Ollama has.
#[derive(Default)]
struct Said {
    text: String,
    thinking: String,
    calls: Pieces,
    logprobs: Vec<TokenLogprob>,
    reason: Option<&'static str>,
}

impl Said {
    fn add(&mut self, item: &Item) {
        match item {
            Item::Text { choice: 0, text, logprobs } => {
                self.text.push_str(text);
                self.logprobs.extend_from_slice(logprobs);
            }
            Item::Refusal { choice: 0, text } => self.text.push_str(text),
            Item::Reasoning { choice: 0, text } => self.thinking.push_str(text),
            Item::ToolCall { choice: 0, index, id, name, arguments, .. } => {
                self.calls.add(*index, id.as_deref(), name.as_deref(), arguments);
            }
            Item::Finish { choice: 0, reason } => self.reason = Some(done_reason_of(reason)),
            _ => {}
        }
    }

    fn write_rest(&mut self, out: &mut Writer) {
        if !self.thinking.is_empty() {
            out.text_member("thinking", &self.thinking);
        }
        if !self.calls.is_empty() {
            self.calls.write(out);
        }
    }
}

/// The vectors in the order of their inputs; in the older form the first, and nothing else.
fn write_vectors(reply: &Reply, items: &[Item], usage: &Usage, out: &mut Writer) {
    let mut vectors: Vec<(u32, &[f32])> = items
        .iter()
        .filter_map(|item| match item {
            Item::Embedding { index, vector } => Some((*index, vector.as_slice())),
            _ => None,
        })
        .collect();
    vectors.sort_by_key(|(index, _)| *index);
    if reply.form == Form::Other {
        out.key("embedding");
        return write_vector(vectors.first().map_or(&[], |(_, vector)| vector), out);
    }
    out.text_member("model", &reply.model).key("embeddings").open_array();
    for (_, vector) in vectors {
        write_vector(vector, out);
    }
    out.close_array().key("prompt_eval_count").integer(usage.input_tokens);
}

fn write_vector(vector: &[f32], out: &mut Writer) {
    out.open_array();
    for number in vector {
        write_float(*number, out);
    }
    out.close_array();
}
