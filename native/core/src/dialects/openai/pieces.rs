//! Pieces of a stream on their way to the caller.

use bytes::Bytes;
use smallvec::SmallVec;

/// What [`super::relay::Relay`] hands on: one piece of stream for an HTTP caller, one event's JSON for a neutral one.
pub type Pieces = SmallVec<[Bytes; 4]>;

pub(super) const DONE: &[u8] = b"data: [DONE]\n\n";

/// An event that is sent apart from its neighbours, ending as it would if its last LF had come with it.
pub(super) fn whole_lines(raw: Bytes) -> Bytes {
    if raw.ends_with(b"\r\n\r") {
        Bytes::from([&raw[..], b"\n"].concat())
    } else {
        raw
    }
}

pub(super) fn framed(json: &[u8], neutral: bool) -> Bytes {
    if neutral {
        return Bytes::copy_from_slice(json);
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
    pub base: Bytes,
    pub range: std::ops::Range<usize>,
}

impl Run {
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
