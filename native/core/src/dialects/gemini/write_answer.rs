//! A whole answer, of items.

use super::annotations::Kept;
use super::calls::{write as write_calls, Calls};
use super::carried::Carrying;
use super::encode::{stamp, write_end, write_signature};
use super::positions::Positions;
use super::{embed, logprobs, usage};
use crate::dialects::neutral::{Endpoint, Item, Thought, TokenLogprob};
use crate::dialects::{Dialect, Reply};
use crate::json::Writer;
use crate::ledger::Usage;

/// More choices than any caller can ask for.
const MOST_CHOICES: u32 = 128;

/// Writes it.
pub(super) fn write(reply: &Reply, items: &[Item], usage: &Usage) -> Vec<u8> {
    if reply.endpoint == Some(Endpoint::Embeddings) {
        return embed::write_answer(reply, items, usage);
    }
    let mut whole = Whole::default();
    items.iter().for_each(|item| whole.take(item));
    let mut json = Writer::with_capacity(512);
    json.open_object().key("candidates").open_array();
    whole.choices.iter_mut().enumerate().for_each(|(number, choice)| choice.write(number as u64, &mut json));
    json.close_array();
    usage::write(&mut json, usage, whole.thoughts);
    stamp(reply, &mut json);
    json.close_object();
    json.into_bytes()
}

#[derive(Default)]
struct Whole {
    choices: Vec<Choice>,
    thoughts: u64,
}

#[derive(Default)]
struct Choice {
    parts: Vec<Part>,
    tokens: Vec<TokenLogprob>,
    reason: Option<String>,
    refusal: String,
    sources: Kept,
    said: Positions,
    carrying: Carrying,
}

enum Part {
    Text {
        text: String,
        thought: bool,
        signature: Option<String>,
    },
    Calls(Calls),
    /// Thoughts of another dialect.
    Carried(String),
}

impl Whole {
    fn take(&mut self, item: &Item) {
        let number = match item {
            Item::Text { choice, .. }
            | Item::Reasoning { choice, .. }
            | Item::ToolCall { choice, .. }
            | Item::Finish { choice, .. }
            | Item::Thought { choice, .. }
            | Item::Refusal { choice, .. }
            | Item::Annotation { choice, .. } => *choice,
            Item::UsageDetail { reasoning_tokens } => {
                self.thoughts = *reasoning_tokens;
                return;
            }
            // Gemini does not tell which sequence it was.
            Item::StopSequence { .. } | Item::Embedding { .. } | Item::Usage(_) => return,
        };
        if number >= MOST_CHOICES {
            return;
        }
        while self.choices.len() <= number as usize {
            self.choices.push(Choice::default());
        }
        if let Some(choice) = self.choices.get_mut(number as usize) {
            choice.take(item);
        }
    }
}

impl Choice {
    fn take(&mut self, item: &Item) {
        match item {
            Item::Text { text, logprobs, .. } => {
                self.said.say(text);
                self.tokens.extend_from_slice(logprobs);
                self.say(text, false);
            }
            Item::Reasoning { text, .. } => {
                self.carrying.think(text);
                self.say(text, true);
            }
            Item::ToolCall { index, id, name, arguments, .. } => {
                if let Some(calls) = self.calls() {
                    calls.add(*index, id.as_deref(), name.as_deref(), arguments);
                }
            }
            Item::Thought { origin: Dialect::Gemini, thought, .. } => self.sign(thought),
            Item::Thought { origin, thought, .. } => {
                self.parts.extend(self.carrying.carry(*origin, thought).map(Part::Carried));
            }
            Item::Finish { reason, .. } => self.reason = Some(reason.clone()),
            Item::Refusal { text, .. } => self.refusal.push_str(text),
            Item::Annotation { json, .. } => self.sources.keep(json),
            _ => {}
        }
    }

    /// Joins neighbouring pieces of one text; a signature ends its part.
    fn say(&mut self, more: &str, is_thought: bool) {
        match self.parts.last_mut() {
            Some(Part::Text { text, thought, signature: None }) if *thought == is_thought => text.push_str(more),
            _ if more.is_empty() => {}
            _ => self.parts.push(Part::Text { text: more.to_owned(), thought: is_thought, signature: None }),
        }
    }

    /// The calls of the answer, all in one place: pieces of several may come by turns.
    fn calls(&mut self) -> Option<&mut Calls> {
        if !self.parts.iter().any(|part| matches!(part, Part::Calls(_))) {
            self.parts.push(Part::Calls(Calls::default()));
        }
        self.parts.iter_mut().find_map(|part| match part {
            Part::Calls(calls) => Some(calls),
            Part::Text { .. } | Part::Carried(_) => None,
        })
    }

    fn sign(&mut self, thought: &Thought) {
        match (thought, self.parts.last_mut()) {
            (Thought::OfCall(index, opaque), _) => {
                if let Some(calls) = self.calls() {
                    calls.sign(*index, opaque);
                }
            }
            (Thought::OfText(opaque), Some(Part::Text { signature: signature @ None, .. })) => {
                *signature = Some(opaque.clone());
            }
            (Thought::OfText(opaque), _) => {
                let signature = Some(opaque.clone());
                self.parts.push(Part::Text { text: String::new(), thought: false, signature });
            }
            _ => {}
        }
    }

    fn write(&mut self, number: u64, json: &mut Writer) {
        json.open_object().key("content").open_object().key("parts").open_array();
        for part in &mut self.parts {
            match part {
                Part::Calls(calls) => write_calls(&calls.all(), json),
                Part::Carried(signature) => write_signature(signature, json),
                Part::Text { text, thought, signature } => {
                    json.open_object().text_member("text", text);
                    if *thought {
                        json.key("thought").boolean(true);
                    }
                    if let Some(signature) = signature {
                        json.text_member("thoughtSignature", signature);
                    }
                    json.close_object();
                }
            }
        }
        json.close_array().text_member("role", "model").close_object();
        write_end(number, self.reason.as_deref(), &self.refusal, json);
        logprobs::write(&self.tokens, json);
        self.sources.write(&self.said, json);
        json.close_object();
    }
}
