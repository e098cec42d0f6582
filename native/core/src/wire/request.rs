//! A request as a driver without a parser of its own is given it, part by part.

use bytes::Bytes;
use smallvec::SmallVec;

use super::head::{Field, Judged};
use super::Framing;
use crate::http::HeaderView;

/// A part of a connection's requests. Whoever is given a head reads it at once, so that it is not worth a place of its own.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub enum Part {
    /// A request begins.
    Head(Head),
    /// More of its body; or of what a websocket sends, which has no end.
    Data(Bytes),
    /// Its body is complete. Of a request that has none, whose length is 0, nothing follows the head.
    End,
}

/// The head of a request, which was judged.
#[derive(Debug)]
pub struct Head {
    bytes: Bytes,
    target: (u32, u32),
    fields: SmallVec<[Field; 12]>,
    /// The lengths that names have, a bit for each: most headers that are asked for are not there.
    lengths: u64,
    /// In HTTP/1.0.
    pub is_old: bool,
    /// No request may follow on its connection.
    pub is_last: bool,
    /// Its body is sent once `100 Continue` was said.
    pub expects: bool,
    /// Of its body; `None`: that is sent in chunks.
    pub length: Option<u64>,
    /// It is the handshake of a websocket, for an application that is mounted.
    pub shakes: bool,
}

impl Head {
    pub(super) fn new(bytes: Bytes, judged: Judged, shakes: bool) -> Head {
        let Judged { target, old, fields, framing, expects, last, .. } = judged;
        let length = match framing {
            Framing::Length(length) => Some(length),
            Framing::Chunked => None,
        };
        let lengths =
            fields.iter().fold(0, |lengths, field| lengths | length_bit((field.name.1 - field.name.0) as usize));
        Head { bytes, target, fields, lengths, is_old: old, is_last: last, expects, length, shakes }
    }

    fn part(&self, (start, end): (u32, u32)) -> &[u8] {
        &self.bytes[start as usize..end as usize]
    }

    /// As it was written.
    pub fn method(&self) -> &str {
        // A token is text, and one space follows it.
        std::str::from_utf8(&self.bytes[..self.target.0 as usize - 1]).unwrap_or_default()
    }

    /// Path and query, as they were written.
    pub fn target(&self) -> &str {
        std::str::from_utf8(self.part(self.target)).unwrap_or_default()
    }

    /// Names and values, in their order. Names are as they were written.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|field| (self.part(field.name), self.part(field.value)))
    }
}

/// Those that are 64 apart share one.
fn length_bit(length: usize) -> u64 {
    1 << (length & 63)
}

impl HeaderView for Head {
    fn get(&self, name: &str) -> Option<&[u8]> {
        if self.lengths & length_bit(name.len()) == 0 {
            return None;
        }
        let is_it = |field: &&Field| {
            let (start, end) = field.name;
            (end - start) as usize == name.len() && self.part(field.name).eq_ignore_ascii_case(name.as_bytes())
        };
        self.fields.iter().find(is_it).map(|field| self.part(field.value))
    }
}
