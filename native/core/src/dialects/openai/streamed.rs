//! Writes a stream of chunks from items, for a caller of this dialect.

use super::encode::Stamp;
use super::pieces::DONE;
use super::spent::Detail;
use super::thoughts::{delta_of, Unsigned};
use crate::dialects::neutral::{Endpoint, Item, Thought};
use crate::dialects::Encode;
use crate::error::Failure;
use crate::ledger::Usage;

/// The writer of one stream.
#[derive(Debug)]
pub struct Encoder {
    stamp: Stamp,
    endpoint: Endpoint,
    include_usage: bool,
    /// Choices whose opening chunk, with the role, was written.
    opened: Vec<u32>,
    /// Characters that each choice said: offsets of a completion's tokens.
    said: Vec<(u32, usize)>,
    unsigned: Unsigned,
    detail: Detail,
}

impl Encoder {
    /// For an answer of `endpoint`, each chunk of which carries `stamp`.
    pub fn new(stamp: Stamp, endpoint: Endpoint, include_usage: bool) -> Encoder {
        Encoder {
            stamp,
            endpoint,
            include_usage,
            opened: Vec::new(),
            said: Vec::new(),
            unsigned: Unsigned::default(),
            detail: Detail::default(),
        }
    }

    /// The chunk of `item`.
    fn chunk(&mut self, item: &Item) -> Option<Vec<u8>> {
        match item {
            Item::Thought { choice, origin, thought } if self.endpoint == Endpoint::Chat => {
                let thinking = match thought {
                    Thought::Signature(_) => self.unsigned.take(*choice)?,
                    _ => String::new(),
                };
                Some(self.stamp.delta_chunk(*choice, &delta_of(*origin, thought, &thinking)?))
            }
            _ => {
                self.unsigned.keep(item);
                let said = self.said(item);
                self.stamp.chunk(self.endpoint, item, said)
            }
        }
    }

    /// Characters that the choice of a completion's text said before it.
    fn said(&mut self, item: &Item) -> usize {
        let Item::Text { choice, text, .. } = item else { return 0 };
        if self.endpoint != Endpoint::Completions {
            return 0;
        }
        let length = text.chars().count();
        match self.said.iter_mut().find(|(of, _)| of == choice) {
            Some((_, before)) => {
                *before += length;
                *before - length
            }
            None => {
                self.said.push((*choice, length));
                0
            }
        }
    }

    fn open(&mut self, item: &Item, out: &mut Vec<u8>) {
        let Some(choice) = choice_of(item).filter(|_| self.endpoint == Endpoint::Chat) else { return };
        if !self.opened.contains(&choice) {
            self.opened.push(choice);
            write_event(out, &self.stamp.delta_chunk(choice, b"\"role\":\"assistant\",\"content\":\"\""));
        }
    }
}

impl Encode for Encoder {
    fn item(&mut self, item: &Item, out: &mut Vec<u8>) {
        if let Some(detail) = Detail::of(item) {
            self.detail = detail;
            return;
        }
        let Some(chunk) = self.chunk(item) else { return };
        self.open(item, out);
        write_event(out, &chunk);
    }

    fn end(&mut self, usage: &Usage, out: &mut Vec<u8>) {
        if self.include_usage {
            write_event(out, &self.stamp.usage_chunk_detailed(self.endpoint, usage, self.detail));
        }
        out.extend_from_slice(DONE);
    }

    fn error(&mut self, failure: &Failure, out: &mut Vec<u8>) -> bool {
        write_event(out, &failure.openai_body());
        true
    }
}

/// Whose an item is.
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
