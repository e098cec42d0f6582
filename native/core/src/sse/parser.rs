//! Reads an event stream as a browser would.

use bytes::Bytes;

use super::framer::{Block, Framer};
use super::{Limits, SseError};

/// One dispatched event. Bytes that are not UTF-8 became U+FFFD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The event type; `message` where the stream names none.
    pub event: String,
    /// The `data` lines, joined by LF.
    pub data: String,
    /// The last event id, which this event or one before it set; empty if none did.
    pub id: String,
    /// The reconnection time in milliseconds, if this block set it.
    pub retry: Option<u64>,
}

/// Turns a stream into [`Event`]s, the same ones at every split, in time linear in its length.
#[derive(Debug)]
pub struct Parser {
    framer: Framer,
    last_event_id: String,
    retry: Option<u64>,
}

impl Parser {
    /// A parser at the beginning of a stream.
    pub fn new(limits: Limits) -> Self {
        Parser { framer: Framer::new(limits), last_event_id: String::new(), retry: None }
    }

    /// Takes the next bytes of the stream and gives the events that they complete, in order.
    ///
    /// # Errors
    /// When a bound of [`Limits`] is broken. Events before the fault are given first: if this chunk completed some, this
    /// call returns them, and the next call, or [`Parser::finish`], returns the error.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<Vec<Event>, SseError> {
        self.framer.push(Bytes::copy_from_slice(chunk));
        let mut events = Vec::new();
        loop {
            match self.framer.next_block() {
                Ok(Some(block)) => events.extend(self.dispatch(block)),
                Ok(None) => return Ok(events),
                Err(error) if events.is_empty() => return Err(error),
                Err(_) => return Ok(events),
            }
        }
    }

    /// Ends the stream: drops the unfinished event and says how many bytes it had. The parser is then at the beginning
    /// of a stream again; as in a browser that reconnects, the last event id and the reconnection time stay.
    ///
    /// # Errors
    /// When a bound of [`Limits`] was broken.
    pub fn finish(&mut self) -> Result<usize, SseError> {
        let (failed, rest) = (self.framer.failed(), self.framer.rest());
        self.framer.finish();
        failed.map_or(Ok(rest), Err)
    }

    /// The last event id: what a client that reconnects sends as `Last-Event-ID`. Also set by a block that dispatched
    /// nothing.
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// The reconnection time in milliseconds that the stream set last, also in a block that dispatched nothing.
    pub fn retry(&self) -> Option<u64> {
        self.retry
    }

    fn dispatch(&mut self, block: Block) -> Option<Event> {
        if let Some(id) = &block.id {
            self.last_event_id = text(id);
        }
        self.retry = block.retry.or(self.retry);
        if !block.frame.dispatches {
            return None;
        }
        let event = if block.frame.event.is_empty() { "message".to_owned() } else { text(&block.frame.event) };
        Some(Event { event, data: text(&block.frame.data), id: self.last_event_id.clone(), retry: block.retry })
    }
}

/// Decoding value by value equals decoding the whole stream: the bytes that divide it are ASCII, and neither occurs
/// inside a multi-byte character nor is swallowed by a broken one.
fn text(bytes: &[u8]) -> String {
    // `from_utf8` passes over ASCII many bytes at a time, `from_utf8_lossy` does not.
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => String::from_utf8_lossy(bytes).into_owned(),
    }
}
