//! Frames that end with their whole line end, for passing a stream on.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{Frame, Framer, Limits, SseError};

/// A [`Framer`] whose raws are the same at every split of a stream of CRLF: a blank line that so far has its CR alone is
/// given its LF at once, and the one that comes is dropped. So each raw may be hidden, moved or followed by something of
/// the relay's own, and a stream that breaks off between the two still ends with a whole blank line.
///
/// Streams of LF or CR pass untouched; for a reader an LF more behind a CR is the same line end.
#[derive(Debug)]
pub struct WholeFramer {
    framer: Framer,
    /// What the last raw ends with.
    last: Option<u8>,
    /// The last raw was given an LF that has not come.
    given: bool,
}

impl WholeFramer {
    /// A framer at the beginning of a stream.
    pub fn new(limits: Limits) -> Self {
        WholeFramer { framer: Framer::new(limits), last: None, given: false }
    }

    /// As [`Framer::push`].
    pub fn push(&mut self, chunk: Bytes) {
        self.framer.push(chunk);
    }

    /// As [`Framer::next_frame`].
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn next_frame(&mut self) -> Result<Option<Frame>, SseError> {
        let Some(mut frame) = self.framer.next_frame()? else { return Ok(None) };
        self.drop_given(&mut frame.raw);
        if self.framer.is_after_cr() {
            self.complete(&mut frame.raw);
        }
        self.last = frame.raw.last().copied();
        Ok(Some(frame))
    }

    /// Bytes of an unfinished block, as [`Framer::rest`].
    pub fn rest(&self) -> usize {
        self.framer.rest()
    }

    /// Ends the stream: the bytes that belong to no frame, as [`Framer::finish`].
    pub fn finish(&mut self) -> Bytes {
        let mut rest = self.framer.finish();
        self.drop_given(&mut rest);
        self.last = None;
        rest
    }

    #[inline]
    fn drop_given(&mut self, bytes: &mut Bytes) {
        if std::mem::take(&mut self.given) && bytes.first() == Some(&b'\n') {
            bytes.advance(1);
        }
    }

    /// `raw` ends with the CR that ended its chunk. Lines that end in CR alone are left as they are.
    #[cold]
    fn complete(&mut self, raw: &mut Bytes) {
        let before = raw.len().checked_sub(2).map_or(self.last, |at| Some(raw[at]));
        self.given = before == Some(b'\n');
        if self.given {
            let mut whole = BytesMut::with_capacity(raw.len() + 1);
            whole.extend_from_slice(raw);
            whole.put_u8(b'\n');
            *raw = whole.freeze();
        }
    }
}
