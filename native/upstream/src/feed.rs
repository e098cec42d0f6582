//! The body of a request, from whoever has it to the buffer that is written.

use std::collections::VecDeque;
use std::io::Write;

use bytes::Bytes;
use hoosh_core::http::Body;

/// Taken at once, and about as much as waits to be written.
pub const SLICE: usize = 64 << 10;

/// A body that is not as long as its head says. What was sent of it is cut off, so that nobody takes it for the whole.
#[derive(Debug)]
pub struct WrongLength;

/// What is to be sent, and what was taken of it.
#[derive(Default)]
pub struct Feed {
    pieces: VecDeque<Bytes>,
    /// All of it is there.
    complete: bool,
    /// Nothing more of it is to be sent.
    stopped: bool,
    /// Bytes that are still to be taken; `None`: in chunks, as many as come.
    left: Option<u64>,
    /// Bytes taken and not told.
    taken: usize,
    /// All of it was taken.
    is_taken: bool,
}

impl Feed {
    /// What is known of a body when its head is written: all of it, or how long it is. Pieces of a streamed one may have been put
    /// before, while the connection was made.
    pub fn begin(&mut self, body: Body) {
        match body {
            Body::Whole(bytes) => {
                self.left = Some(bytes.len() as u64);
                self.put(Some(bytes));
                self.put(None);
            }
            Body::Streamed { length } => self.left = length,
        }
    }

    /// More of it; `None`: its end.
    pub fn put(&mut self, piece: Option<Bytes>) {
        match piece {
            Some(bytes) => self.pieces.extend((!bytes.is_empty()).then_some(bytes)),
            None => self.complete = true,
        }
    }

    /// The rest is not sent.
    pub fn stop(&mut self) {
        self.stopped = true;
        self.pieces.clear();
    }

    /// Bytes that were taken since the last call.
    pub fn taken(&mut self) -> usize {
        std::mem::take(&mut self.taken)
    }

    /// Whether all of it was taken.
    pub fn is_taken(&self) -> bool {
        self.is_taken
    }

    /// Adds to `out` what there is, as it goes over the wire, until `out` holds [`SLICE`] bytes.
    pub fn fill(&mut self, out: &mut Vec<u8>) -> Result<(), WrongLength> {
        while out.len() < SLICE {
            let Some(first) = self.pieces.front_mut() else { break };
            let piece = first.split_to(first.len().min(SLICE));
            if first.is_empty() {
                self.pieces.pop_front();
            }
            match &mut self.left {
                Some(left) => {
                    *left = left.checked_sub(piece.len() as u64).ok_or(WrongLength)?;
                    out.extend_from_slice(&piece);
                }
                None => {
                    // Writing to a vector does not fail.
                    let _ = write!(out, "{:x}\r\n", piece.len());
                    out.extend_from_slice(&piece);
                    out.extend_from_slice(b"\r\n");
                }
            }
            self.taken += piece.len();
        }
        if self.complete && self.pieces.is_empty() && !self.stopped && !self.is_taken {
            match self.left {
                Some(0) => {}
                Some(_) => return Err(WrongLength),
                None => out.extend_from_slice(b"0\r\n\r\n"),
            }
            self.is_taken = true;
        }
        Ok(())
    }
}
