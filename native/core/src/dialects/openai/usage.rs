//! What a stream says it used, and how its caller is told.

use bytes::Bytes;

use super::encode::write_usage;
use super::pieces::{framed, Pieces, DONE};
use crate::dialects::neutral::Endpoint;
use crate::json::{Edits, Index, Limits};
use crate::ledger::Usage;

/// The usage chunk that an upstream left out, modelled on `chunk` of the same stream, and the end mark where there is one.
pub fn owed_usage(chunk: &Bytes, endpoint: Endpoint, usage: &Usage, neutral: bool) -> Pieces {
    let mut pieces = Pieces::new();
    if let Ok(index) = Index::scan(chunk, Limits::default()) {
        let mut counts = Vec::new();
        write_usage(&mut counts, endpoint, usage);
        let mut edits = Edits::new();
        edits.set("choices", Bytes::from_static(b"[]"));
        edits.set("usage", Bytes::from(counts));
        pieces.push(framed(&edits.apply(chunk, &index), neutral));
    }
    if !neutral {
        pieces.push(Bytes::from_static(DONE));
    }
    pieces
}
