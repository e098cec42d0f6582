//! Writes a stream of chunks from items, for a caller of this dialect.
//!
//! Annotations, and what binds thoughts, are told in one delta before the choice finishes. Of the SDKs that join deltas,
//! openai's for JavaScript keeps the last value of a member that it does not know, and openai's for Python refuses a second
//! list whose entries are not numbered.

use super::encode::Stamp;
use super::pieces::DONE;
use super::thoughts::{call_delta, write_thought, Unsigned};
use crate::dialects::neutral::{Endpoint, Item, Thought};
use crate::dialects::{Dialect, Encode};
use crate::error::Failure;
use crate::ledger::Usage;

/// Bytes kept of annotations and thoughts of all choices. Those beyond are not told: no caller could send so much back.
const MOST: usize = 4 << 20;

/// What was written of a choice, and what is still to be.
#[derive(Debug, Default)]
struct Choice {
    number: u32,
    /// Its opening chunk, with the role, was written.
    opened: bool,
    /// Characters: offsets of a completion's tokens.
    characters: usize,
    /// Objects, with commas between them.
    annotations: Vec<u8>,
    thoughts: Vec<u8>,
}

/// The writer of one stream.
#[derive(Debug)]
pub struct Encoder {
    stamp: Stamp,
    endpoint: Endpoint,
    include_usage: bool,
    choices: Vec<Choice>,
    held: usize,
    unsigned: Unsigned,
    reasoning_tokens: u64,
}

impl Encoder {
    /// For an answer of `endpoint`, each chunk of which carries `stamp`.
    pub fn new(stamp: Stamp, endpoint: Endpoint, include_usage: bool) -> Encoder {
        Encoder {
            stamp,
            endpoint,
            include_usage,
            choices: Vec::new(),
            held: 0,
            unsigned: Unsigned::default(),
            reasoning_tokens: 0,
        }
    }

    /// Characters that the choice of a completion's text said before it.
    fn said(&mut self, item: &Item) -> usize {
        let Item::Text { choice, text, .. } = item else { return 0 };
        if self.endpoint != Endpoint::Completions {
            return 0;
        }
        let choice = self.choice(*choice);
        let before = choice.characters;
        choice.characters += text.chars().count();
        before
    }

    /// What binds a thought: a call's is told at once, beside the call.
    fn think(&mut self, number: u32, origin: Dialect, thought: &Thought, out: &mut Vec<u8>) {
        if let Some(delta) = call_delta(origin, thought) {
            self.open(number, out);
            write_event(out, &self.stamp.delta_chunk(number, &delta));
            return;
        }
        let thinking = match thought {
            Thought::Signature(_) => self.unsigned.take(number),
            _ => Some(String::new()),
        };
        let mut json = Vec::new();
        if thinking.is_some_and(|thinking| write_thought(&mut json, origin, thought, &thinking)) {
            self.keep(number, &json, |choice| &mut choice.thoughts);
        }
    }

    fn keep(&mut self, number: u32, json: &[u8], list: impl Fn(&mut Choice) -> &mut Vec<u8>) {
        self.held += json.len();
        if self.held > MOST {
            return;
        }
        let list = list(self.choice(number));
        if !list.is_empty() {
            list.push(b',');
        }
        list.extend_from_slice(json);
    }

    /// Tells what was kept of a choice.
    fn tell_kept(&mut self, number: u32, out: &mut Vec<u8>) {
        let choice = self.choice(number);
        let lists = [("annotations", &mut choice.annotations), ("thoughts", &mut choice.thoughts)];
        let mut delta = Vec::new();
        for (name, list) in lists {
            let list = std::mem::take(list);
            if !list.is_empty() {
                let comma: &[u8] = if delta.is_empty() { b"\"" } else { b",\"" };
                delta.extend_from_slice(&[comma, name.as_bytes(), b"\":[", &list, b"]"].concat());
            }
        }
        if !delta.is_empty() {
            self.open(number, out);
            write_event(out, &self.stamp.delta_chunk(number, &delta));
        }
    }

    /// The first chunk of a chat's choice says whose turn it is.
    fn open(&mut self, number: u32, out: &mut Vec<u8>) {
        if self.endpoint == Endpoint::Chat && !std::mem::replace(&mut self.choice(number).opened, true) {
            write_event(out, &self.stamp.delta_chunk(number, b"\"role\":\"assistant\",\"content\":\"\""));
        }
    }

    fn choice(&mut self, number: u32) -> &mut Choice {
        let known = self.choices.iter().position(|choice| choice.number == number);
        let at = known.unwrap_or_else(|| {
            self.choices.push(Choice { number, ..Choice::default() });
            self.choices.len() - 1
        });
        &mut self.choices[at]
    }
}

impl Encode for Encoder {
    fn item(&mut self, item: &Item, out: &mut Vec<u8>) {
        match item {
            Item::UsageDetail { reasoning_tokens } => self.reasoning_tokens = *reasoning_tokens,
            Item::Thought { choice, origin, thought } => {
                if self.endpoint == Endpoint::Chat {
                    self.think(*choice, *origin, thought, out);
                }
            }
            Item::Annotation { choice, json } => {
                if self.endpoint == Endpoint::Chat {
                    self.keep(*choice, json.as_bytes(), |choice| &mut choice.annotations);
                }
            }
            _ => {
                self.unsigned.keep(item);
                let said = self.said(item);
                let Some(chunk) = self.stamp.chunk(self.endpoint, item, said) else { return };
                if let Item::Finish { choice, .. } = item {
                    self.tell_kept(*choice, out);
                }
                if let Some(choice) = choice_of(item) {
                    self.open(choice, out);
                }
                write_event(out, &chunk);
            }
        }
    }

    fn end(&mut self, usage: &Usage, out: &mut Vec<u8>) {
        // What came after its choice had finished.
        let choices: Vec<u32> = self.choices.iter().map(|choice| choice.number).collect();
        choices.into_iter().for_each(|choice| self.tell_kept(choice, out));
        if self.include_usage {
            write_event(out, &self.stamp.usage_chunk_detailed(self.endpoint, usage, self.reasoning_tokens));
        }
        out.extend_from_slice(DONE);
    }

    fn error(&mut self, failure: &Failure, out: &mut Vec<u8>) -> bool {
        write_event(out, &failure.openai_body());
        true
    }
}

/// Whose an item is that a chunk tells.
fn choice_of(item: &Item) -> Option<u32> {
    match item {
        Item::Text { choice, .. }
        | Item::Reasoning { choice, .. }
        | Item::ToolCall { choice, .. }
        | Item::Finish { choice, .. }
        | Item::Thought { choice, .. }
        | Item::Refusal { choice, .. }
        | Item::Annotation { choice, .. }
        | Item::StopSequence { choice, .. } => Some(*choice),
        Item::Embedding { .. } | Item::Usage(_) | Item::UsageDetail { .. } => None,
    }
}

/// One event. JSON from elsewhere (annotations, items) may hold line ends between its tokens, which would end a line.
fn write_event(out: &mut Vec<u8>, json: &[u8]) {
    out.extend_from_slice(b"data: ");
    let from = out.len();
    out.extend_from_slice(json);
    if let Some(written) = out.get_mut(from..) {
        written.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    }
    out.extend_from_slice(b"\n\n");
}
