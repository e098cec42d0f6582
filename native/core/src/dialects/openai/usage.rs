//! What a stream says it used, and how its caller is told.

use bytes::Bytes;

use super::chunk::Chunk;
use super::encode::write_usage;
use super::pieces::{framed, Pieces};
use crate::dialects::neutral::Endpoint;
use crate::json::{Edits, Index, Limits};
use crate::ledger::Usage;
use crate::sse::Frame;

/// The usage of one stream.
#[derive(Debug)]
pub(super) struct Reports {
    neutral: bool,
    endpoint: Endpoint,
    /// The caller asked for the usage chunk.
    wanted: bool,
    used: Option<Usage>,
    /// The JSON of the last one, if it says all that is known.
    said: Option<Bytes>,
    /// The usage chunk as it will be shown: made of the last chunk that named some.
    piece: Option<Bytes>,
    /// The first chunk with a choice, after which a usage chunk is made that the upstream leaves out. Others open a
    /// stream that are like none after them (Azure's filter results). Kept only if it is wanted.
    model: Option<Bytes>,
}

/// What the caller still gets of usage when a stream is complete.
pub(super) enum Due {
    Nothing,
    Shown(Bytes),
    /// Usage that nobody named: to be counted and made after this chunk.
    Owed(Bytes),
}

impl Reports {
    pub fn new(endpoint: Endpoint, neutral: bool, wanted: bool) -> Reports {
        Reports { neutral, endpoint, wanted, used: None, said: None, piece: None, model: None }
    }

    /// The largest of each count said: some upstreams say them in parts, some again and again as they grow.
    pub fn used(&self) -> Option<Usage> {
        self.used
    }

    /// The same as it was written.
    pub fn said(&self) -> Option<Bytes> {
        self.said.clone()
    }

    /// A chunk that passes, for its form.
    #[inline]
    pub fn see(&mut self, frame: &Frame, chunk: &Chunk) {
        if self.wanted && self.model.is_none() && !chunk.no_choices {
            self.model = Some(frame.data.clone());
        }
    }

    /// A chunk that names usage. `edits` are those that it gets anyway.
    #[cold]
    pub fn take(&mut self, frame: &Frame, chunk: &Chunk, index: &Index, edits: &Edits) {
        if let Some(said) = chunk.usage {
            self.used = Some(self.used.map_or(said, |before| before.larger(said)));
        }
        let raw = index.get(&frame.data, "usage").filter(|_| chunk.usage == self.used);
        self.said = raw.map(|usage| frame.data.slice(usage.span_in(&frame.data)));
        if !self.wanted {
            return;
        }
        let as_it_came = chunk.no_choices && edits.is_empty() && chunk.usage == self.used;
        self.piece = Some(match (as_it_came, self.neutral) {
            (true, true) => frame.data.clone(),
            (true, false) => frame.raw.clone(),
            _ => {
                let mut edits = edits.clone();
                edits.set("choices", Bytes::from_static(b"[]"));
                if let Some(used) = self.used.filter(|_| chunk.usage != self.used) {
                    edits.set("usage", written(self.endpoint, &used));
                }
                framed(edits.apply(&frame.data, index), self.neutral)
            }
        });
    }

    /// The stream is complete, and `used` is what of its usage can be.
    pub fn close(&mut self, used: Option<Usage>) -> Due {
        match (self.wanted, used, self.piece.take(), self.model.take()) {
            (true, None, _, Some(model)) => Due::Owed(model),
            (true, _, Some(piece), _) => Due::Shown(piece),
            _ => Due::Nothing,
        }
    }
}

/// The usage chunk that an upstream left out, modelled on `chunk` of the same stream, and the end mark where there is one.
pub fn owed_usage(chunk: &Bytes, endpoint: Endpoint, usage: &Usage, neutral: bool) -> Pieces {
    let mut pieces = Pieces::default();
    if let Ok(index) = Index::scan(chunk, Limits::default()) {
        let mut edits = Edits::new();
        edits.set("choices", Bytes::from_static(b"[]"));
        edits.set("usage", written(endpoint, usage));
        pieces.push(framed(edits.apply(chunk, &index), neutral));
    }
    pieces.push_mark(neutral);
    pieces
}

fn written(endpoint: Endpoint, usage: &Usage) -> Vec<u8> {
    let mut out = Vec::with_capacity(96);
    write_usage(&mut out, endpoint, usage);
    out
}
