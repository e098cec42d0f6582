//! The WHATWG event stream: a parser that may be fed at any split, and a writer.
//!
//! The rules are those of the HTML standard, section 9.2.6 "Interpreting an event stream"
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>). Three layers:
//!
//! - [`Framer`] cuts a stream into blocks and hands out slices of what it was given.
//! - [`WholeFramer`] is one whose blocks end with a whole CRLF at every split: for passing a stream through.
//! - [`Parser`] gives [`Event`]s as a browser would dispatch them: for reading a stream.
//!
//! ```
//! use hoosh_core::sse::{Limits, Parser};
//!
//! let mut parser = Parser::new(Limits::default());
//! let mut events = parser.feed(b"event: done\nda").unwrap();
//! events.extend(parser.feed(b"ta: 1\n\n").unwrap());
//! assert_eq!((events[0].event.as_str(), events[0].data.as_str()), ("done", "1"));
//! assert_eq!(parser.finish(), Ok(0));
//! ```

mod field;
mod framer;
mod parser;
mod whole;
mod writer;

pub use framer::{Frame, Framer};
pub use parser::{Event, Parser};
pub use whole::WholeFramer;
pub use writer::{write_event, FieldError};

/// How much of an unfinished line and block is held before the stream is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one line, without its line end.
    pub max_line_bytes: usize,
    /// Bytes of all lines of one block, comments too. Every line end between them counts as one byte, also CRLF, so that
    /// the verdict does not depend on where the stream was split.
    pub max_event_bytes: usize,
}

impl Default for Limits {
    /// 8 MiB each: room for a base64 picture in one event.
    fn default() -> Self {
        Limits { max_line_bytes: 8 << 20, max_event_bytes: 8 << 20 }
    }
}

/// The stream breaks a bound. It is not read further: the same error is given from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SseError {
    /// A line is longer than [`Limits::max_line_bytes`].
    LineTooLong {
        /// The bound, bytes.
        limit: usize,
    },
    /// A block is larger than [`Limits::max_event_bytes`].
    EventTooLarge {
        /// The bound, bytes.
        limit: usize,
    },
}

impl std::fmt::Display for SseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SseError::LineTooLong { limit } => write!(f, "a line of the event stream is longer than {limit} bytes"),
            SseError::EventTooLarge { limit } => write!(f, "an event of the stream is larger than {limit} bytes"),
        }
    }
}

impl std::error::Error for SseError {}
