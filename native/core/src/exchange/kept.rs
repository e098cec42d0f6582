//! What the cache and single flight share: an answer is kept while it passes, given to those who wait for it, and given
//! again.

use bytes::Bytes;

use super::work::INLINE_BYTES;
use super::Exchange;
use crate::cache::Entry;
use crate::error::Code;
use crate::ledger::Ending;
use crate::metrics::CacheResult;
use crate::sse;
use crate::sync::Arc;

/// The largest answer that is kept.
const MAX_CAPTURE: usize = 4 << 20;

/// An answer on its way to the caller, kept for others. A stream is always kept as an event stream, whoever asked: an
/// equal caller may want the other form of it.
#[derive(Debug, Default)]
pub(super) enum Capture {
    #[default]
    Nothing,
    /// It grows with the answer.
    Growing(Vec<u8>),
    /// A whole body that is shared with whoever is given it.
    Whole(Bytes),
}

impl Capture {
    pub fn begin(&mut self) {
        *self = Capture::Growing(Vec::new());
    }

    /// Keeps a whole body of any size. A small one may be a slice of something larger, and is copied.
    pub fn hold(&mut self, body: &Bytes) {
        let copied = body.len() <= INLINE_BYTES;
        *self = Capture::Whole(if copied { Bytes::copy_from_slice(body) } else { body.clone() });
    }

    /// Keeps a whole body: its own copy, as it may be a slice of something larger.
    pub fn keep(&mut self, body: &[u8]) {
        *self = if body.len() <= MAX_CAPTURE { Capture::Growing(body.to_vec()) } else { Capture::Nothing };
    }

    /// Adds a piece of the stream. Too much of it, and nothing is kept.
    pub fn add(&mut self, piece: &[u8], neutral: bool) {
        let Capture::Growing(kept) = self else { return };
        let fits = kept.len() + piece.len() <= MAX_CAPTURE;
        let added = fits && if neutral { add_event(kept, piece) } else { add_bytes(kept, piece) };
        if !added {
            self.drop();
        }
    }

    pub fn take(&mut self) -> Option<Bytes> {
        match std::mem::take(self) {
            Capture::Nothing => None,
            Capture::Growing(kept) => Some(Bytes::from(kept)),
            Capture::Whole(body) => Some(body),
        }
    }

    pub fn copy(&self) -> Option<Bytes> {
        match self {
            Capture::Nothing => None,
            Capture::Growing(kept) => Some(Bytes::copy_from_slice(kept)),
            Capture::Whole(body) => Some(body.clone()),
        }
    }

    pub fn drop(&mut self) {
        *self = Capture::Nothing;
    }

    pub fn len(&self) -> usize {
        match self {
            Capture::Nothing => 0,
            Capture::Growing(kept) => kept.len(),
            Capture::Whole(body) => body.len(),
        }
    }
}

fn add_bytes(kept: &mut Vec<u8>, piece: &[u8]) -> bool {
    kept.extend_from_slice(piece);
    true
}

fn add_event(kept: &mut Vec<u8>, json: &[u8]) -> bool {
    std::str::from_utf8(json).is_ok_and(|json| sse::write_event(kept, None, None, json).is_ok())
}

impl Exchange {
    /// Answers from the cache, or with the answer of an equal request.
    /// `body` is the entry's, in the form that this caller wants.
    pub(super) fn serve(&mut self, entry: &Entry, body: Bytes, result: CacheResult) {
        self.account.cache = Some(result);
        self.account.answered_by.clone_from(&entry.answered_by);
        self.account.loss.clone_from(&entry.loss);
        self.mark_content();
        if self.facts().stream {
            self.holds.leader = None;
            self.commit();
            self.replay(&body);
            self.finish();
            return;
        }
        if self.holds.claim.is_some() {
            self.out.capture.keep(&body);
        }
        let headers = self.headers(b"application/json", 1);
        self.reply(entry.status, headers, body);
        self.conclude(Ending::Completed, None);
    }

    /// Gives a kept stream to a caller: as it lies there, or event by event.
    pub(super) fn replay(&mut self, stream: &Bytes) {
        if !self.is_bare() {
            return self.emit(stream.clone());
        }
        for event in sse::Parser::new(sse::Limits::default()).feed(stream).unwrap_or_default() {
            if event.data != "[DONE]" {
                self.emit(Bytes::from(event.data));
            }
        }
    }

    /// Whether an upstream refused the request itself, as it would an equal one.
    pub(super) fn was_refused(&self) -> bool {
        matches!(self.account.ending, Some((Ending::Refused, Some(Code::UpstreamRefused))))
    }

    /// Gives the answer to those who wait for an equal one, and to the cache, if it is whole and clean. One that is
    /// whole and not to be kept, or a refusal of what was asked, sends them on their own ways; without one, dropping the lead gives it to the next.
    pub(super) fn land(&mut self, ending: Ending) {
        if !self.holds.keeps() {
            return;
        }
        let leader = self.holds.leader.take();
        let capture = self.out.capture.take();
        let fit = ending == Ending::Completed && self.account.clean;
        let (Some(body), true, Some(key), Some(facts)) = (capture, fit, self.cache_key(), &self.facts) else {
            if let Some(leader) = leader.filter(|_| ending == Ending::Completed || self.was_refused()) {
                leader.part();
            }
            return;
        };
        let entry = Entry {
            status: 200,
            body,
            stream: facts.stream,
            with_usage: facts.stream && facts.include_usage,
            usage: self.account.usage_json(self.endpoint()),
            answered_by: self.account.answered_by.clone(),
            loss: self.account.loss.clone(),
            stored_us: self.now.mono_us,
            expires_us: u64::MAX,
        };
        if let Some(cache) = &self.snap.cache {
            cache.put(key, entry.clone());
        }
        if let Some(leader) = leader {
            leader.land(Arc::new(entry));
        }
    }
}
