//! The caller's side: what it was given and took.

use bytes::Bytes;

use crate::dialects::openai::pieces::Pieces;

/// Events held before the first content byte; a longer prelude is given to the caller, and with it the chance to
/// fail over.
pub(super) const MAX_PREROLL: usize = 64 << 10;
/// The caller's side.
#[derive(Debug, Default)]
pub(super) struct Out {
    pub status: u16,
    pub(super) started: bool,
    pub(super) ended: bool,
    pub(super) content: bool,
    pub first_content_us: u64,
    pub emitted: u64,
    pub(super) written: u64,
    pub(super) progress_us: u64,
    pub(super) preroll: Pieces,
    pub(super) preroll_bytes: usize,
    pub(super) capture: Option<Vec<u8>>,
    /// The upstream's own error body, fit to be passed on.
    pub upstream_words: Option<Bytes>,
}

impl Out {
    pub fn is_started(&self) -> bool {
        self.started
    }
    pub fn is_ended(&self) -> bool {
        self.ended
    }
    /// A content byte was handed over: no other attempt may follow.
    pub fn has_content(&self) -> bool {
        self.content
    }
    /// Bytes that the caller's transport has not taken.
    pub fn behind(&self) -> u64 {
        self.emitted - self.written
    }
    pub fn forget_preroll(&mut self) {
        self.preroll.clear();
        self.preroll_bytes = 0;
        self.capture = None;
    }
    pub fn take_capture(&mut self) -> Option<Vec<u8>> {
        self.capture.take()
    }
}
