//! Cuts a stream of JSON lines into frames, as [`Framer`](crate::sse::Framer) cuts one of events.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::sse::{Frame, Limits, SseError};

/// Splits at line feeds. A line inside one chunk is a slice of it; one that spans chunks is copied once.
#[derive(Debug)]
pub struct Lines {
    limit: usize,
    chunks: VecDeque<Bytes>,
    /// The unfinished line, from chunks that are used up.
    held: Vec<u8>,
}

impl Lines {
    /// With the bound of `limits` on a line.
    pub fn new(limits: Limits) -> Lines {
        Lines { limit: limits.max_line_bytes, chunks: VecDeque::new(), held: Vec::new() }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, chunk: Bytes) {
        self.chunks.push_back(chunk);
    }

    /// The next whole line as a frame; an empty one does not dispatch.
    ///
    /// # Errors
    /// When a line is longer than the bound.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, SseError> {
        while let Some(chunk) = self.chunks.front_mut() {
            let end = memchr::memchr(b'\n', chunk);
            if self.held.len() + end.unwrap_or(chunk.len()) > self.limit {
                return Err(SseError::LineTooLong { limit: self.limit });
            }
            let Some(end) = end else {
                self.held.extend_from_slice(chunk);
                self.chunks.pop_front();
                continue;
            };
            let line = chunk.split_to(end + 1);
            if self.held.is_empty() {
                return Ok(Some(frame(line)));
            }
            self.held.extend_from_slice(&line);
            return Ok(Some(frame(Bytes::from(std::mem::take(&mut self.held)))));
        }
        Ok(None)
    }

    /// Bytes that are kept.
    pub fn rest(&self) -> usize {
        self.held.len() + self.chunks.iter().map(Bytes::len).sum::<usize>()
    }

    /// The stream ended: its last line, where the line feed is missing.
    pub fn finish(&mut self) -> Option<Frame> {
        let last = std::mem::take(&mut self.held);
        (!last.is_empty()).then(|| frame(Bytes::from(last)))
    }
}

fn frame(raw: Bytes) -> Frame {
    let data = raw.slice_ref(raw.trim_ascii());
    Frame { dispatches: !data.is_empty(), data, event: Bytes::new(), raw }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunks: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::new(Limits::default());
        let mut read = Vec::new();
        for chunk in chunks {
            lines.push(Bytes::copy_from_slice(chunk));
            while let Some(frame) = lines.next_frame().unwrap() {
                read.extend(frame.dispatches.then(|| String::from_utf8_lossy(&frame.data).into_owned()));
            }
        }
        read.extend(lines.finish().map(|frame| String::from_utf8_lossy(&frame.data).into_owned()));
        read
    }

    #[test]
    fn lines_are_the_same_at_every_split() {
        let text = b"{\"a\":1}\r\n\n{\"b\":\"\xc3\xa4\"}\n{\"c\":3}";
        let whole = read(&[text]);
        assert_eq!(whole, ["{\"a\":1}", "{\"b\":\"ä\"}", "{\"c\":3}"]);
        for at in 0..text.len() {
            assert_eq!(read(&[&text[..at], &text[at..]]), whole, "{at}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(read(&bytes), whole);
    }

    #[test]
    fn a_line_is_bounded() {
        let mut lines = Lines::new(Limits { max_line_bytes: 4, max_event_bytes: 4 });
        lines.push(Bytes::from_static(b"1234\n12"));
        assert!(lines.next_frame().unwrap().is_some());
        assert_eq!(lines.next_frame(), Ok(None));
        lines.push(Bytes::from_static(b"345"));
        assert_eq!(lines.next_frame(), Err(SseError::LineTooLong { limit: 4 }));
    }
}
