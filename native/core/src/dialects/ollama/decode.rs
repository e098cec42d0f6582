//! An upstream's stream as items: lines of JSON, the last of which says `"done":true`.

use super::line::Heard;
use crate::dialects::neutral::Item;
use crate::dialects::{Decode, Fed};
use crate::sse::Frame;

/// The reader of one stream.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    heard: Heard,
}

impl Decode for Decoder {
    fn take(&mut self, frame: &Frame, items: &mut Vec<Item>) -> Fed {
        // Proxies keep connections alive by blank lines.
        if frame.data.trim_ascii().is_empty() {
            return Fed::Open;
        }
        self.heard.read(&frame.data, items)
    }

    /// Without a line that says so, an answer is never complete.
    fn finish(&mut self, _: &mut Vec<Item>) -> bool {
        false
    }
}
