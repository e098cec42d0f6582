//! Reads what an upstream says into items: the part that whole answers and chunks of a stream share.

use super::answer::{read_usage, tokens};
use super::calls::said;
use super::finish::{implied, is_word, reason_of};
use super::logprobs;
use super::parts::{tell_text, Parts, Said};
use crate::dialects::neutral::Item;
use crate::json::{Kind, Value, Writer};
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
    reasoning: u64,
    /// Something was said.
    said: bool,
    /// What the answer is from was told.
    sourced: bool,
}

#[derive(Debug, Default)]
struct Choice {
    seen: bool,
    finished: bool,
    said: Said,
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

    /// Takes Perplexity's `search_results` (`{"title","url"}` each) or older `citations` (addresses): what the whole answer
    /// is from, the same with each chunk.
    pub fn sources(&mut self, list: Value<'_>, items: &mut Vec<Item>) {
        if std::mem::replace(&mut self.sourced, true) {
            return;
        }
        for source in list.elements() {
            let Some(url) = source.as_str().or(source.get("url").and_then(Value::as_str)) else { continue };
            let title = source.get("title").and_then(Value::as_str).unwrap_or_default();
            let mut json = Writer::with_capacity(128 + url.len() + title.len());
            json.open_object().text_member("type", "url_citation").key("url_citation").open_object();
            json.text_member("url", &url).text_member("title", &title);
            json.key("start_index").integer(0).key("end_index").integer(0).close_object().close_object();
            if let Ok(json) = String::from_utf8(json.into_bytes()) {
                items.push(Item::Annotation { choice: 0, json });
            }
        }
    }

    /// Takes `usage`, wherever it is. Counts that an answer with words cannot have are none.
    pub fn usage(&mut self, usage: Value<'_>, items: &mut Vec<Item>) {
        let Some(read) = read_usage(usage) else { return };
        let all = self.usage.map_or(read, |before| before.larger(read));
        // Words cannot have cost nothing: what says so is told at the end, if there were none.
        if self.usage.replace(all) != Some(all) && all.is_likely() {
            items.push(Item::Usage(all));
        }
        let reasoning_tokens = reasoning_of(usage).min(all.output_tokens).max(self.reasoning);
        if reasoning_tokens != self.reasoning {
            self.reasoning = reasoning_tokens;
            items.push(Item::UsageDetail { reasoning_tokens });
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
            Some(parts) => {
                if let Some(choice) = self.choices.get_mut(at) {
                    parts.tell(number, &mut choice.said, &self.id, logprobs, items);
                }
            }
            None => tell_text(number, text.and_then(Value::as_str).unwrap_or_default().as_ref(), logprobs, items),
        }
        self.said |= items.len() > before;
        if let Some(usage) = usage {
            self.usage(usage, items);
        }
        if let Some(text) = stop.and_then(Value::as_str).filter(|text| !is_word(text)) {
            items.push(Item::StopSequence { choice: number, text: text.into_owned() });
        }
        if let Some(reason) = reason {
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
        choice.said.calls.close(at as u32, &self.id, items);
        let calls = !choice.said.calls.is_empty();
        let reason = reason.map_or(implied(calls), |said| reason_of(said, calls));
        items.push(Item::Finish { choice: at as u32, reason: reason.to_owned() });
    }
}

/// Reasoning tokens, under the names that providers give them.
fn reasoning_of(usage: Value<'_>) -> u64 {
    let mut reasoning = 0;
    for (key, value) in usage.fields() {
        match key.raw() {
            b"\"completion_tokens_details\"" => {
                reasoning = value.get("reasoning_tokens").and_then(tokens).unwrap_or(reasoning);
            }
            // SGLang's and Perplexity's.
            b"\"reasoning_tokens\"" => reasoning = tokens(value).unwrap_or(reasoning),
            _ => {}
        }
    }
    reasoning
}
