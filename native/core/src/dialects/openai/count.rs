//! Counts a request and an answer where the upstream did not say. Runs as a job: the first use of a vocabulary loads it.

use std::borrow::Cow;

use super::request::Facts;
use crate::dialects::neutral::Endpoint;
use crate::json::{Kind, Value};
use crate::ledger::{Usage, UsageSource};
use crate::tokens::{self, Encoding, ImageDetail, MessageText, ToolCallText};

/// What a request needs for counting after its exchange moved on.
#[derive(Debug)]
pub struct Question {
    /// Which kind.
    pub endpoint: Endpoint,
    /// As the caller named it.
    pub model: String,
    /// The whole body.
    pub body: bytes::Bytes,
    /// Its index.
    pub index: crate::json::Index,
}

impl Question {
    /// The question of `facts`.
    pub fn of(facts: &Facts, endpoint: Endpoint) -> Question {
        Question { endpoint, model: facts.model.clone(), body: facts.body.clone(), index: facts.index.clone() }
    }

    /// Input tokens, and output tokens of `text` plus one for each of `beyond` bytes that were not kept.
    pub fn usage(&self, text: &[u8], beyond: u64) -> Usage {
        let encoding = tokens::encoding_for_model(&self.model).unwrap_or(Encoding::O200kBase);
        let output = tokens::count(&String::from_utf8_lossy(text), encoding) as u64;
        Usage {
            input_tokens: self.input(encoding),
            output_tokens: output.saturating_add(beyond),
            cached_tokens: 0,
            source: UsageSource::Counted,
        }
    }

    /// Never less than the input tokens: the count, and a margin for framing that is not published.
    pub fn bound(&self) -> u64 {
        let encoding = tokens::encoding_for_model(&self.model).unwrap_or(Encoding::O200kBase);
        let counted = self.input(encoding);
        counted.saturating_add(counted / 20).saturating_add(64)
    }

    /// Input tokens.
    pub fn input(&self, encoding: Encoding) -> u64 {
        let field = |name| self.index.get(&self.body, name);
        match self.endpoint {
            Endpoint::Chat => {
                let messages: Vec<_> = field("messages").into_iter().flat_map(|m| m.elements()).map(message).collect();
                let tools = field("tools").map_or(0, |tools| strings(tools, encoding));
                tokens::count_messages(&messages, &self.model).tokens as u64 + tools
            }
            Endpoint::Completions => field("prompt").map_or(0, |prompt| strings(prompt, encoding)),
            Endpoint::Embeddings => field("input").map_or(0, |input| strings(input, encoding)),
        }
    }
}

/// Text inputs by their tokens; a number in an array is a token already.
fn strings(value: Value<'_>, encoding: Encoding) -> u64 {
    match value.kind() {
        Kind::String => tokens::count(&value.as_str().unwrap_or_default(), encoding) as u64,
        Kind::Number => 1,
        Kind::Array => value.elements().map(|element| strings(element, encoding)).sum(),
        Kind::Object => tokens::count(&String::from_utf8_lossy(value.raw()), encoding) as u64,
        _ => 0,
    }
}

fn message(message: Value<'_>) -> MessageText<'_> {
    let plain = |key: &str| match message.get(key).and_then(|value| value.as_str()) {
        Some(Cow::Borrowed(text)) => Some(text),
        _ => None,
    };
    let mut out = MessageText { role: plain("role").unwrap_or("user"), name: plain("name"), ..Default::default() };
    match message.get("content") {
        Some(content) if content.kind() == Kind::Array => {
            for part in content.elements().filter(|part| part.kind() == Kind::Object) {
                match part.get("text").and_then(|text| text.as_str()) {
                    Some(text) => out.texts.push(text),
                    None => out.images.extend(part.get("image_url").map(|_| ImageDetail::Auto)),
                }
            }
        }
        Some(content) => out.texts.extend(content.as_str()),
        None => {}
    }
    if let Some(calls) = message.get("tool_calls").filter(|calls| calls.kind() == Kind::Array) {
        for call in calls.elements().filter(|call| call.kind() == Kind::Object) {
            let Some(function) = call.get("function").filter(|f| f.kind() == Kind::Object) else { continue };
            let text = |key: &str| function.get(key).and_then(|value| value.as_str()).unwrap_or_default();
            out.tool_calls.push(ToolCallText { name: text("name"), arguments: text("arguments") });
        }
    }
    out
}
