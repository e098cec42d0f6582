//! The caller's side: how far its answer is, what is held back, what it has not taken.

use bytes::Bytes;
use smallvec::SmallVec;

use super::kept::Capture;
use crate::clock::SECOND;
use crate::dialects::openai::pieces::Pieces;
use crate::dialects::Encode;
use crate::http::Headers;

/// Held before the first content byte; a longer prelude is given to the caller, and with it the chance to fail over.
const MAX_PREROLL: usize = 64 << 10;

/// Microseconds until a caller is looked at again that has taken nothing for too long.
const NEXT_LOOK: u64 = SECOND;
/// A look that comes later than this after its time, microseconds, shows a driver that is late itself.
const IN_TIME: u64 = SECOND / 10;

#[derive(Debug, Default)]
pub(super) struct Out {
    pub status: u16,
    started: bool,
    committed: bool,
    ended: bool,
    content: bool,
    /// When the first content was handed over, after the exchange began.
    pub first_content_us: u64,
    pub emitted: u64,
    written: u64,
    /// When the caller last took something, or was given the first that it has not.
    progress_us: u64,
    /// When it is looked at again, once it was found to have taken nothing since for too long.
    look_us: Option<u64>,
    /// When something was last said to it.
    pub spoke_us: u64,
    preroll: SmallVec<[Bytes; 4]>,
    preroll_bytes: usize,
    pub capture: Capture,
    /// Writes the stream, where its caller speaks a dialect other than OpenAI's.
    pub encoder: Option<Box<dyn Encode>>,
    /// The upstream's own error body, fit to be passed on.
    pub passed_error: Option<Bytes>,
    /// Headers of the upstream that answers, for the caller.
    pub passed_headers: Headers,
}

impl Out {
    /// A stream began: its status is said.
    pub fn is_started(&self) -> bool {
        self.started
    }

    /// The caller of a stream was given bytes of an attempt, so that no other may follow.
    pub fn is_committed(&self) -> bool {
        self.committed
    }

    /// All is said.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// The caller was given something that it would act on.
    pub fn has_content(&self) -> bool {
        self.content
    }

    /// Bytes that the caller's transport has not taken.
    pub fn behind(&self) -> u64 {
        self.emitted - self.written
    }

    /// Bytes kept for the caller and for others who ask the same.
    pub fn held(&self) -> usize {
        self.behind() as usize + self.preroll_bytes + self.capture.len()
    }

    /// Holds pieces back, if they can wait and are few.
    pub fn hold_back(&mut self, pieces: &mut Pieces) -> bool {
        let bytes = self.preroll_bytes + pieces.list.iter().map(Bytes::len).sum::<usize>();
        let holds = !self.committed && !pieces.content && bytes <= MAX_PREROLL;
        if holds {
            self.preroll_bytes = bytes;
            self.preroll.extend(pieces.list.drain(..));
        }
        holds
    }

    /// Begins a stream.
    pub fn start(&mut self, now_us: u64) {
        self.started = true;
        self.status = 200;
        self.progress(now_us);
        self.spoke_us = now_us;
    }

    /// An application that is mounted began to answer.
    pub fn start_mounted(&mut self, status: u16) {
        (self.started, self.status) = (true, status);
    }

    /// The answer is that of the attempt that goes on; gives what was held back of it.
    pub fn commit(&mut self) -> SmallVec<[Bytes; 4]> {
        self.committed = true;
        self.preroll_bytes = 0;
        std::mem::take(&mut self.preroll)
    }

    pub fn mark_content(&mut self, after_us: u64) {
        if !self.content {
            self.content = true;
            self.first_content_us = after_us;
        }
    }

    pub fn add(&mut self, bytes: usize, now_us: u64) {
        if self.behind() == 0 {
            self.progress(now_us);
        }
        self.emitted += bytes as u64;
        self.spoke_us = now_us;
    }

    /// The caller's transport took `bytes`, as far as it was given so many.
    pub fn take(&mut self, bytes: usize, now_us: u64) {
        let bytes = (bytes as u64).min(self.behind());
        self.written += bytes;
        if bytes > 0 {
            self.progress(now_us);
        }
    }

    fn progress(&mut self, now_us: u64) {
        (self.progress_us, self.look_us) = (now_us, None);
    }

    /// When a caller that goes on taking nothing is given up, or looked at again. A driver whose own loop is late learns of
    /// the time before it learns of what was taken meanwhile, so that a look convicts nobody unless one came before it and
    /// it came in time itself; only after twice `patience_us` any look does.
    pub fn given_up_at(&mut self, patience_us: u64, now_us: u64) -> u64 {
        let until_us = self.progress_us.saturating_add(patience_us);
        if now_us < until_us {
            return until_us;
        }
        match self.look_us {
            Some(look_us) if now_us < look_us => look_us,
            Some(look_us) if now_us - look_us <= IN_TIME || now_us - until_us >= patience_us => look_us,
            _ => *self.look_us.insert(now_us.saturating_add(NEXT_LOOK)),
        }
    }

    pub fn end(&mut self) {
        self.ended = true;
    }

    /// What an attempt left that is given up before the caller got any of it.
    pub fn forget(&mut self) {
        self.passed_headers.clear();
        self.encoder = None;
        self.preroll.clear();
        self.preroll_bytes = 0;
    }

    /// The caller is gone: nobody takes or keeps anything any more.
    pub fn abandon(&mut self) {
        self.forget();
        self.written = self.emitted;
        self.ended = true;
        self.capture.drop();
    }
}
