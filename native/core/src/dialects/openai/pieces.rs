//! Pieces of a stream on their way to the caller.

use bytes::Bytes;
use smallvec::SmallVec;

/// The end mark of a stream.
pub const DONE: &[u8] = b"data: [DONE]\n\n";

/// What goes on to the caller.
#[derive(Debug, Default)]
pub struct Pieces {
    /// Each a piece of stream for an HTTP caller, one event's JSON for a neutral one.
    pub list: SmallVec<[Bytes; 4]>,
    /// Something that a caller would act on is among them: words, a call, the end. Without it they can wait.
    pub content: bool,
}

impl Pieces {
    /// Adds one.
    pub fn push(&mut self, piece: Bytes) {
        self.list.push(piece);
    }

    /// Adds the end mark, which a neutral caller does without.
    pub fn push_mark(&mut self, neutral: bool) {
        self.content = true;
        if !neutral {
            self.list.push(Bytes::from_static(DONE));
        }
    }
}

/// One event of `json`.
pub fn framed(json: Vec<u8>, neutral: bool) -> Bytes {
    if neutral {
        return Bytes::from(json);
    }
    let mut out = Vec::with_capacity(json.len() + 8);
    // An event whose data came in several lines holds line feeds between its tokens; JSON may lose them.
    out.extend_from_slice(b"data: ");
    out.extend(json.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
    out.extend_from_slice(b"\n\n");
    Bytes::from(out)
}

/// Neighbouring pieces of one chunk, joined without a copy.
pub(super) struct Run {
    base: Bytes,
    range: std::ops::Range<usize>,
}

impl Run {
    pub fn of(chunk: Bytes) -> Run {
        Run { base: chunk, range: 0..0 }
    }

    pub fn add(&mut self, raw: Bytes, pieces: &mut Pieces) {
        let at = (raw.as_ptr() as usize).wrapping_sub(self.base.as_ptr() as usize);
        let inside = at.checked_add(raw.len()).is_some_and(|end| end <= self.base.len());
        if inside && !self.range.is_empty() && self.range.end == at {
            self.range.end += raw.len();
            return;
        }
        self.flush(pieces);
        if inside {
            self.range = at..at + raw.len();
        } else {
            pieces.push(raw);
        }
    }

    pub fn flush(&mut self, pieces: &mut Pieces) {
        if !self.range.is_empty() {
            pieces.push(self.base.slice(std::mem::take(&mut self.range)));
        }
    }
}
