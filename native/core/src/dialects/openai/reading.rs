//! Reads what an upstream says into items: the part that whole answers and chunks of a stream share.
//!
//! A delta and a message have the same members, and every provider adds its own. Thoughts have three spellings
//! (`reasoning_content`, `reasoning`, `reasoning_details`), which some servers send side by side: the first that says
//! something counts.

use super::answer::{read_usage, tokens};
use super::calls::{said, signature_of, Calls};
use super::details::{text_of, Unsigned};
use super::finish::{implied, reason_of};
use super::logprobs;
use crate::dialects::neutral::{Item, Thought, TokenLogprob};
use crate::dialects::Dialect;
use crate::json::{Kind, Value};
use crate::ledger::Usage;

/// Choices of one answer, at most: `n` goes to 128 for each of many prompts.
const MOST: usize = 1 << 12;

/// What is known of one answer so far.
#[derive(Debug, Default)]
pub(super) struct Reading {
    choices: Vec<Choice>,
    /// A choice beyond [`MOST`] was named: nobody knows whether the answer is complete.
    beyond: bool,
    /// The answer's id, of which ids of calls are made.
    id: String,
    usage: Option<Usage>,
    detail: (u64, u64),
    /// Something was said.
    said: bool,
}

#[derive(Debug, Default)]
struct Choice {
    seen: bool,
    finished: bool,
    calls: Calls,
    unsigned: Unsigned,
}

/// The members of a delta or message that say something.
#[derive(Default)]
struct Parts<'a> {
    content: Option<Value<'a>>,
    thinking: [Option<Value<'a>>; 2],
    details: Option<Value<'a>>,
    refusal: Option<Value<'a>>,
    annotations: Option<Value<'a>>,
    calls: Option<Value<'a>>,
    function: Option<Value<'a>>,
    audio: Option<Value<'a>>,
    extra: Option<Value<'a>>,
}

impl Reading {
    /// The answer's id, once known.
    pub fn name(&mut self, id: Value<'_>) {
        if self.id.is_empty() {
            // Longer ones would cost memory and add nothing.
            self.id.extend(id.as_str().unwrap_or_default().chars().take(128));
        }
    }

    /// A choice finished.
    pub fn is_any_finished(&self) -> bool {
        self.choices.iter().any(|choice| choice.finished)
    }

    /// Something was said, or a choice finished.
    pub fn is_answer(&self) -> bool {
        self.said || self.is_any_finished()
    }

    /// Every choice seen has its reason.
    pub fn is_complete(&self) -> bool {
        !self.beyond && self.is_any_finished() && self.choices.iter().all(|choice| choice.finished || !choice.seen)
    }

    /// The upstream said that the answer is complete: choices without a reason get the one that what they said implies.
    pub fn close(&mut self, items: &mut Vec<Item>) {
        for at in 0..self.choices.len() {
            self.finish(at, None, items);
        }
        items.extend(self.usage.filter(|usage| !self.said && !usage.is_likely()).map(Item::Usage));
    }

    /// Takes `usage`, wherever it is. Counts that an answer with words cannot have are none.
    pub fn usage(&mut self, usage: Value<'_>, items: &mut Vec<Item>) {
        let Some(read) = read_usage(usage) else { return };
        let all = self.usage.map_or(read, |before| before.larger(read));
        // Words cannot have cost nothing: what says so is told at the end, if there were none.
        if self.usage.replace(all) != Some(all) && all.is_likely() {
            items.push(Item::Usage(all));
        }
        let (reasoning, written) = details_of(usage);
        let detail =
            (reasoning.min(all.output_tokens).max(self.detail.0), written.min(all.input_tokens).max(self.detail.1));
        if detail != self.detail {
            self.detail = detail;
            items.push(Item::UsageDetail { reasoning_tokens: detail.0, cache_written_tokens: detail.1 });
        }
    }

    /// Takes an element of `choices`. `false` if it is none.
    pub fn choice(&mut self, choice: Value<'_>, items: &mut Vec<Item>) -> bool {
        if choice.kind() != Kind::Object {
            return false;
        }
        let (mut index, mut says, mut text, mut reason) = (0, None, None, None);
        let (mut odds, mut stop, mut usage) = (None, None, None);
        for (key, value) in choice.fields() {
            match key.raw() {
                b"\"index\"" => index = value.as_u64().unwrap_or_default(),
                b"\"delta\"" | b"\"message\"" => says = Some(value).filter(|says| says.kind() == Kind::Object).or(says),
                b"\"text\"" => text = said(value),
                b"\"finish_reason\"" => reason = said(value),
                b"\"logprobs\"" => odds = Some(value).filter(|odds| odds.kind() == Kind::Object),
                // vLLM's and SGLang's word for the sequence that ended the choice; a number is a token's.
                b"\"stop_reason\"" | b"\"matched_stop\"" => stop = said(value).or(stop),
                // Moonshot's.
                b"\"usage\"" => usage = Some(value),
                _ => {}
            }
        }
        let Some(at) = self.place(index) else { return true };
        let number = at as u32;
        let before = items.len();
        let logprobs = odds.map(logprobs::read).unwrap_or_default();
        match says.map(Parts::of) {
            Some(parts) => self.parts(at, parts, logprobs, items),
            None => tell_text(number, text.and_then(Value::as_str).unwrap_or_default().as_ref(), logprobs, items),
        }
        self.said |= items.len() > before;
        if let Some(usage) = usage {
            self.usage(usage, items);
        }
        if let Some(reason) = reason {
            if let Some(text) = stop.and_then(Value::as_str) {
                items.push(Item::StopSequence { choice: number, text: text.into_owned() });
            }
            self.finish(at, reason.as_str().as_deref(), items);
        }
        true
    }

    fn place(&mut self, index: u64) -> Option<usize> {
        let Some(at) = usize::try_from(index).ok().filter(|at| *at < MOST) else {
            self.beyond = true;
            return None;
        };
        if self.choices.len() <= at {
            self.choices.resize_with(at + 1, Choice::default);
        }
        self.choices.get_mut(at)?.seen = true;
        Some(at)
    }

    /// Once: some servers say the reason with several chunks.
    fn finish(&mut self, at: usize, reason: Option<&str>, items: &mut Vec<Item>) {
        let Some(choice) = self.choices.get_mut(at).filter(|choice| choice.seen && !choice.finished) else { return };
        choice.finished = true;
        choice.calls.close(at as u32, &self.id, items);
        let calls = !choice.calls.is_empty();
        let reason = reason.map_or(implied(calls), |said| reason_of(said, calls));
        items.push(Item::Finish { choice: at as u32, reason: reason.to_owned() });
    }

    fn parts(&mut self, at: usize, parts: Parts<'_>, logprobs: Vec<TokenLogprob>, items: &mut Vec<Item>) {
        let number = at as u32;
        let Some(choice) = self.choices.get_mut(at) else { return };
        match parts.thinking.into_iter().flatten().next() {
            Some(text) => tell_reasoning(number, text.as_str().unwrap_or_default().into_owned(), items),
            None => tell_reasoning(number, parts.details.map(text_of).unwrap_or_default(), items),
        }
        if let Some(details) = parts.details {
            choice.unsigned.take(number, details, items);
        }
        match parts.content {
            // Google marks thoughts among the content so.
            Some(content) if parts.extra.is_some_and(is_thought) => {
                tell_reasoning(number, content.as_str().unwrap_or_default().into_owned(), items);
            }
            Some(content) if content.kind() == Kind::Array => tell_blocks(number, content, logprobs, items),
            Some(content) => tell_text(number, &content.as_str().unwrap_or_default(), logprobs, items),
            // What is spoken is said too.
            None => {
                let words = parts.audio.and_then(|audio| said(audio.get("transcript")?)).and_then(Value::as_str);
                tell_text(number, &words.unwrap_or_default(), logprobs, items);
            }
        }
        if let Some(text) = parts.refusal.and_then(Value::as_str) {
            items.push(Item::Refusal { choice: number, text: text.into_owned() });
        }
        for annotation in parts.annotations.into_iter().flat_map(Value::elements) {
            if annotation.kind() == Kind::Object {
                let json = String::from_utf8_lossy(annotation.raw()).replace(['\n', '\r'], " ");
                items.push(Item::Annotation { choice: number, json });
            }
        }
        if let Some(calls) = parts.calls {
            choice.calls.take(number, calls, &self.id, items);
        }
        if let Some(function) = parts.function {
            choice.calls.take_function(number, function, &self.id, items);
        }
        if let Some(signature) = parts.extra.and_then(signature_of).and_then(Value::as_str) {
            let thought = Thought::OfText(signature.into_owned());
            items.push(Item::Thought { choice: number, origin: Dialect::Gemini, thought });
        }
    }
}

impl<'a> Parts<'a> {
    fn of(says: Value<'a>) -> Parts<'a> {
        let mut parts = Parts::default();
        for (key, value) in says.fields() {
            match key.raw() {
                b"\"content\"" => parts.content = said(value).or(list(value)),
                b"\"reasoning_content\"" => parts.thinking[0] = said(value),
                b"\"reasoning\"" => parts.thinking[1] = said(value),
                b"\"reasoning_details\"" => parts.details = list(value),
                b"\"refusal\"" => parts.refusal = said(value),
                b"\"annotations\"" => parts.annotations = list(value),
                b"\"tool_calls\"" => parts.calls = list(value),
                b"\"function_call\"" => parts.function = object(value),
                b"\"audio\"" => parts.audio = object(value),
                b"\"extra_content\"" => parts.extra = object(value),
                _ => {}
            }
        }
        parts
    }
}

fn list(value: Value<'_>) -> Option<Value<'_>> {
    (value.kind() == Kind::Array).then_some(value)
}

fn object(value: Value<'_>) -> Option<Value<'_>> {
    (value.kind() == Kind::Object).then_some(value)
}

/// Whether an `extra_content` says that the content is a thought.
fn is_thought(extra: Value<'_>) -> bool {
    extra.get("google").and_then(object).and_then(|google| google.get("thought")?.as_bool()).unwrap_or(false)
}

fn tell_text(choice: u32, text: &str, logprobs: Vec<TokenLogprob>, items: &mut Vec<Item>) {
    if !text.is_empty() || !logprobs.is_empty() {
        items.push(Item::Text { choice, text: text.to_owned(), logprobs });
    }
}

fn tell_reasoning(choice: u32, text: String, items: &mut Vec<Item>) {
    if !text.is_empty() {
        items.push(Item::Reasoning { choice, text });
    }
}

/// Content in parts, as Mistral's reasoning models have it: text, and thoughts that hold text.
fn tell_blocks(choice: u32, content: Value<'_>, logprobs: Vec<TokenLogprob>, items: &mut Vec<Item>) {
    let mut text = String::new();
    for part in content.elements() {
        for (key, value) in part.fields() {
            match (key.raw(), value.kind()) {
                (b"\"text\"", Kind::String) => text.push_str(&value.as_str().unwrap_or_default()),
                (b"\"thinking\"", Kind::Array) => tell_reasoning(choice, text_of(value), items),
                (b"\"thinking\"", Kind::String) => {
                    tell_reasoning(choice, value.as_str().unwrap_or_default().into_owned(), items);
                }
                _ => {}
            }
        }
    }
    tell_text(choice, &text, logprobs, items);
}

/// Reasoning tokens, and tokens written to the provider's cache, under the names that providers give them.
fn details_of(usage: Value<'_>) -> (u64, u64) {
    let (mut reasoning, mut written) = (0, 0);
    for (key, value) in usage.fields() {
        match key.raw() {
            b"\"completion_tokens_details\"" => {
                reasoning = value.get("reasoning_tokens").and_then(tokens).unwrap_or(reasoning);
            }
            // SGLang's and Perplexity's.
            b"\"reasoning_tokens\"" => reasoning = tokens(value).unwrap_or(reasoning),
            b"\"prompt_tokens_details\"" => {
                written = value.get("cache_write_tokens").and_then(tokens).unwrap_or(written);
            }
            // Gateways in front of Anthropic's models.
            b"\"cache_creation_input_tokens\"" => written = tokens(value).unwrap_or(written),
            _ => {}
        }
    }
    (reasoning, written)
}
