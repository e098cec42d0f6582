//! Reads an upstream's stream in its dialect: bytes in, items out, at any split.

use bytes::Bytes;

use super::lines::Lines;
use super::neutral::Item;
use super::{Decode, Fed, Framing, Protocol};
use crate::json::mended;
use crate::sse::{Frame, Limits, SseError, WholeFramer};

/// The reader of one stream.
#[derive(Debug)]
pub struct Listener {
    cutter: Cutter,
    decoder: Box<dyn Decode>,
    /// An event came since it was asked last.
    event: bool,
}

#[derive(Debug)]
enum Cutter {
    Events(Box<WholeFramer>),
    Lines(Lines),
}

impl Cutter {
    fn push(&mut self, chunk: Bytes) {
        match self {
            Cutter::Events(framer) => framer.push(chunk),
            Cutter::Lines(lines) => lines.push(chunk),
        }
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, SseError> {
        match self {
            Cutter::Events(framer) => framer.next_frame(),
            Cutter::Lines(lines) => lines.next_frame(),
        }
    }
}

impl Listener {
    /// For one stream of an upstream that speaks `protocol`.
    pub fn of(protocol: &dyn Protocol) -> Listener {
        let limits = Limits::default();
        let cutter = match protocol.door().framing {
            Framing::Lines => Cutter::Lines(Lines::new(limits)),
            Framing::Events => Cutter::Events(Box::new(WholeFramer::new(limits))),
        };
        Listener { cutter, decoder: protocol.decoder(), event: false }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, chunk: Bytes) {
        self.cutter.push(chunk);
    }

    /// The next event, with what it says. `None`: more bytes are needed.
    pub fn next_event(&mut self, items: &mut Vec<Item>) -> Option<(Fed, Frame)> {
        match self.cutter.next_frame() {
            Ok(Some(frame)) if frame.dispatches => {
                self.event = true;
                Some((self.take(&frame, items), frame))
            }
            Ok(Some(frame)) => Some((self.decoder.loose(&frame.raw, items), frame)),
            Ok(None) => None,
            Err(_) => {
                let frame = Frame { raw: Bytes::new(), data: Bytes::new(), event: Bytes::new(), dispatches: false };
                Some((Fed::Malformed, frame))
            }
        }
    }

    fn take(&mut self, frame: &Frame, items: &mut Vec<Item>) -> Fed {
        match self.decoder.take(frame, items) {
            Fed::Malformed => match mended(&frame.data) {
                Some(data) => self.decoder.take(&Frame { data, ..frame.clone() }, items),
                None => Fed::Malformed,
            },
            fed => fed,
        }
    }

    /// The stream ended without a mark. [`Fed::Done`]: the answer is complete; [`Fed::Open`]: it is not. What is still to be said of it
    /// is put down. The bytes are those of a last line without a line feed, which is read all the same.
    pub fn finish(&mut self, items: &mut Vec<Item>) -> (Fed, Bytes) {
        let (last, line) = match &mut self.cutter {
            Cutter::Lines(lines) => match lines.finish() {
                Some(frame) => (self.take(&frame, items), frame.raw),
                None => (Fed::Open, Bytes::new()),
            },
            Cutter::Events(framer) => match framer.finish() {
                rest if rest.is_empty() => (Fed::Open, rest),
                rest => (self.decoder.loose(&rest, items), Bytes::new()),
            },
        };
        match last {
            Fed::Open if self.decoder.finish(items) => (Fed::Done, line),
            fed => (fed, line),
        }
    }

    /// Whether an event, and not only comments, came since this was asked last.
    pub fn take_event(&mut self) -> bool {
        std::mem::take(&mut self.event)
    }

    /// Bytes that are kept.
    pub fn held(&self) -> usize {
        match &self.cutter {
            Cutter::Events(framer) => framer.rest(),
            Cutter::Lines(lines) => lines.rest(),
        }
    }
}
