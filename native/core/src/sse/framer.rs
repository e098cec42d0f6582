//! Cuts an event stream into blocks without copying those that arrive in one piece.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;

use super::field::{self, Field};
use super::{Limits, SseError};

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// One block of the stream: its lines up to and with the blank line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The block as received, with its blank line. All raws and what [`Framer::finish`] returns, joined, are the input.
    /// Where the blank line is a CRLF that was split between two chunks, the LF begins the next raw.
    pub raw: Bytes,
    /// The values of the `data` lines, joined by LF, as received: not checked for UTF-8.
    pub data: Bytes,
    /// The value of the last `event` line, as received; empty means `message`.
    pub event: Bytes,
    /// Whether the block has a `data` field; a browser drops a block without.
    pub dispatches: bool,
}

/// A [`Frame`] and what only the parser wants to know.
pub(super) struct Block {
    pub frame: Frame,
    pub id: Option<Bytes>,
    pub retry: Option<u64>,
}

/// Splits a stream into [`Frame`]s, in time linear in its length at any split.
///
/// A block that lies whole inside one chunk, with one `data` line, is handed out as slices of that chunk. A block that
/// spans chunks is copied once.
#[derive(Debug)]
pub struct Framer {
    limits: Limits,
    /// What is being read. With `held` empty the block begins at its start, otherwise it continues `held`.
    chunk: Bytes,
    /// Pushed and not yet begun.
    later: VecDeque<Bytes>,
    /// The unfinished block's bytes from chunks that are used up.
    held: Vec<u8>,
    /// Everything in `chunk` before this was looked at.
    scanned: usize,
    /// A CR was the last byte of the chunk before this one: an LF at the start of this one belongs to it.
    after_cr: bool,
    /// No line was finished yet, so that a BOM may stand here.
    at_start: bool,
    block: Fields,
    failed: Option<SseError>,
}

/// What is known of the unfinished block. Places are offsets in `held` followed by `chunk`.
#[derive(Debug, Default)]
struct Fields {
    /// Where the unfinished line begins.
    line: usize,
    /// Bytes of the finished lines, each line end counted as one.
    size: usize,
    data: Option<Range<usize>>,
    /// Used from the second `data` line on, and then never empty.
    joined: Vec<u8>,
    event: Option<Range<usize>>,
    id: Option<Range<usize>>,
    retry: Option<u64>,
    /// The block begins with the LF of the CRLF that ended the block before.
    stray_lf: bool,
}

impl Framer {
    /// A framer at the beginning of a stream.
    pub fn new(limits: Limits) -> Self {
        Framer {
            limits,
            chunk: Bytes::new(),
            later: VecDeque::new(),
            held: Vec::new(),
            scanned: 0,
            after_cr: false,
            at_start: true,
            block: Fields::default(),
            failed: None,
        }
    }

    /// Takes the next bytes of the stream. Call [`Framer::next_frame`] until it gives `None` before the next push, so
    /// that chunks do not pile up.
    pub fn push(&mut self, chunk: Bytes) {
        if chunk.is_empty() || self.failed.is_some() {
            return;
        }
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else {
            self.later.push_back(chunk);
        }
    }

    /// The next whole block; `None` when more bytes are needed.
    ///
    /// # Errors
    /// When a bound of [`Limits`] is broken, after all blocks before it, and from then on always. What was held is
    /// dropped.
    #[inline]
    pub fn next_frame(&mut self) -> Result<Option<Frame>, SseError> {
        match self.plain_block() {
            Some(frame) => Ok(Some(frame)),
            None => Ok(self.next_block()?.map(|block| block.frame)),
        }
    }

    /// The usual block of an inference stream, one `data` line and an LF, if it stands whole at the start of the chunk.
    /// It gives what the code below would give, in half the time.
    #[inline]
    fn plain_block(&mut self) -> Option<Frame> {
        let at_block = self.scanned == 0 && self.held.is_empty() && !self.after_cr && !self.at_start;
        if !at_block || !self.chunk.starts_with(b"data:") {
            return None;
        }
        let end = memchr::memchr2(b'\n', b'\r', &self.chunk)?;
        // If the check fails, `next_block` gives its error.
        if self.chunk.get(end..end + 2) != Some(b"\n\n") || self.check(end).is_err() {
            return None;
        }
        let data = self.chunk.slice(field::value(&self.chunk[..end], 5));
        let raw = self.cut(end + 2);
        Some(Frame { raw, data, event: Bytes::new(), dispatches: true })
    }

    /// Bytes that were pushed and belong to no frame yet: once `next_frame` gave `None`, those of an unfinished block.
    /// Without the LF of a split CRLF that ended the last block, so that the count is the same at every split.
    pub fn rest(&self) -> usize {
        let all = self.held.len() + self.chunk.len() + self.later.iter().map(Bytes::len).sum::<usize>();
        all - usize::from(self.block.stray_lf)
    }

    /// The last byte that was read is a CR that ended its chunk, so that an LF may come that belongs to it.
    #[inline]
    pub(super) fn is_after_cr(&self) -> bool {
        self.after_cr
    }

    /// Ends the stream: gives back the bytes that belong to no frame and begins anew. A browser drops them; a relay
    /// passes them on.
    pub fn finish(&mut self) -> Bytes {
        let mut rest = std::mem::take(&mut self.held);
        rest.extend_from_slice(&self.chunk);
        self.later.iter().for_each(|chunk| rest.extend_from_slice(chunk));
        *self = Framer::new(self.limits);
        Bytes::from(rest)
    }

    /// The bound that was broken, if one was.
    pub(super) fn failed(&self) -> Option<SseError> {
        self.failed
    }

    #[inline]
    pub(super) fn next_block(&mut self) -> Result<Option<Block>, SseError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        while !self.chunk.is_empty() {
            if self.after_cr && self.scanned == 0 {
                self.skip_lf();
            }
            let Some(found) = memchr::memchr2(b'\n', b'\r', &self.chunk[self.scanned..]) else {
                self.use_up_chunk()?;
                continue;
            };
            let end = self.scanned + found;
            self.scanned = end + 1;
            if self.chunk[end] == b'\r' {
                match self.chunk.get(self.scanned) {
                    Some(b'\n') => self.scanned += 1,
                    Some(_) => {}
                    None => self.after_cr = true,
                }
            }
            if self.end_line(end)? {
                return Ok(Some(self.end_block()));
            }
        }
        Ok(None)
    }

    /// The chunk before ended in a CR, which ended a line: an LF here is the rest of that line end.
    #[cold]
    fn skip_lf(&mut self) {
        self.after_cr = false;
        if self.chunk[0] == b'\n' {
            self.scanned = 1;
            self.block.stray_lf |= self.block.line == 0;
            self.block.line = self.held.len() + 1;
        }
    }

    /// No line ends in the rest of the chunk: keeps it and goes on with the next.
    #[cold]
    fn use_up_chunk(&mut self) -> Result<(), SseError> {
        self.check(self.held.len() + self.chunk.len() - self.block.line)?;
        let bytes = self.cut(self.chunk.len());
        self.held.extend_from_slice(&bytes);
        self.scanned = 0;
        Ok(())
    }

    /// Takes in the line whose line end begins at `end` of the chunk and is passed at `scanned`; true if it is blank.
    #[inline]
    fn end_line(&mut self, end: usize) -> Result<bool, SseError> {
        let (mut start, stop) = (self.block.line, self.held.len() + end);
        self.check(stop - start)?;
        self.block.size += stop - start + 1;
        if !self.held.is_empty() {
            let bytes = self.cut(self.scanned);
            self.held.extend_from_slice(&bytes);
            self.scanned = 0;
        }
        let bytes = if self.held.is_empty() { &self.chunk[..] } else { &self.held[..] };
        if std::mem::take(&mut self.at_start) && bytes[start..stop].starts_with(BOM) {
            start += BOM.len();
        }
        self.block.line = self.held.len() + self.scanned;
        if start == stop {
            return Ok(true);
        }
        self.block.take_in(bytes, start..stop);
        Ok(false)
    }

    /// Cuts off the block, which ends at `scanned`.
    #[inline]
    fn end_block(&mut self) -> Block {
        let raw = if self.held.is_empty() {
            self.cut(self.scanned)
        } else {
            // `end_line` moved the block's last bytes here.
            std::mem::take(&mut self.held).into()
        };
        self.scanned = 0;
        let block = std::mem::take(&mut self.block);
        let slice = |range: Option<Range<usize>>| range.map(|range| raw.slice(range));
        let dispatches = block.data.is_some();
        let data = if block.joined.is_empty() { slice(block.data).unwrap_or_default() } else { block.joined.into() };
        let event = slice(block.event).unwrap_or_default();
        let id = slice(block.id);
        Block { frame: Frame { raw, data, event, dispatches }, id, retry: block.retry }
    }

    /// Takes the first bytes off the chunk, and goes on to the next one if they were all.
    #[inline]
    fn cut(&mut self, length: usize) -> Bytes {
        let bytes = self.chunk.split_to(length);
        if self.chunk.is_empty() {
            self.chunk = self.later.pop_front().unwrap_or_default();
        }
        bytes
    }

    /// Whether the unfinished line may have `length` bytes. The bound that a byte by byte reader meets first is the one
    /// that is reported, so that the error does not depend on the split either.
    #[inline]
    fn check(&mut self, length: usize) -> Result<(), SseError> {
        let line = self.limits.max_line_bytes;
        let event = self.limits.max_event_bytes.saturating_sub(self.block.size);
        if length <= line.min(event) {
            return Ok(());
        }
        let error = if line <= event {
            SseError::LineTooLong { limit: line }
        } else {
            SseError::EventTooLarge { limit: self.limits.max_event_bytes }
        };
        *self = Framer { failed: Some(error), ..Framer::new(self.limits) };
        Err(error)
    }
}

impl Fields {
    /// Takes in one line that is not blank: `line` of `bytes`, the block so far.
    #[inline]
    fn take_in(&mut self, bytes: &[u8], line: Range<usize>) {
        let place = |value: Range<usize>| line.start + value.start..line.start + value.end;
        match field::read(&bytes[line.clone()]) {
            Field::Data(value) => self.take_in_data(bytes, place(value)),
            Field::Event(value) => self.event = Some(place(value)),
            Field::Id(value) => self.id = Some(place(value)),
            Field::Retry(milliseconds) => self.retry = Some(milliseconds),
            Field::Ignored => {}
        }
    }

    #[inline]
    fn take_in_data(&mut self, bytes: &[u8], value: Range<usize>) {
        let Some(first) = self.data.clone() else {
            self.data = Some(value);
            return;
        };
        if self.joined.is_empty() {
            self.joined.extend_from_slice(&bytes[first]);
        }
        self.joined.push(b'\n');
        self.joined.extend_from_slice(&bytes[value]);
    }
}
