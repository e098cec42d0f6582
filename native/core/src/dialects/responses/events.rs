//! The frame of a stream's events: type, number and place.

use crate::json::write_string;

/// Counts and frames events.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Events {
    number: u64,
}

impl Events {
    /// The next one has this number.
    pub fn from(number: u64) -> Events {
        Events { number }
    }

    /// The number of the next one.
    pub fn next(&self) -> u64 {
        self.number
    }

    /// Opens an event; its members follow, each with a comma before it, and then [`close`].
    #[inline]
    pub fn open(&mut self, out: &mut Vec<u8>, kind: &str) {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\ndata: {\"type\":\"");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\",\"sequence_number\":");
        out.extend_from_slice(itoa::Buffer::new().format(self.number).as_bytes());
        self.number += 1;
    }
}

/// Ends an event.
#[inline]
pub(super) fn close(out: &mut Vec<u8>) {
    out.extend_from_slice(b"}\n\n");
}

/// A member with a number.
#[inline]
pub(super) fn number(out: &mut Vec<u8>, name: &str, value: u32) {
    key(out, name);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// A member with a text.
#[inline]
pub(super) fn text(out: &mut Vec<u8>, name: &str, value: &str) {
    key(out, name);
    write_string(out, value);
}

/// A member with JSON that is written already.
pub(super) fn raw(out: &mut Vec<u8>, name: &str, json: &[u8]) {
    key(out, name);
    out.extend_from_slice(json);
}

/// A comma and the name of the next value.
#[inline]
pub(super) fn key(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}
