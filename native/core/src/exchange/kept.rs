//! What the cache and single flight share: answers kept while they pass, and given again.

use bytes::Bytes;

use super::Exchange;
use crate::cache::Entry;
use crate::ledger::Ending;
use crate::metrics::CacheResult;
use crate::sse;
use crate::sync::Arc;

/// The largest stream kept for the cache while it passes.
const MAX_CAPTURE: usize = 4 << 20;

impl Exchange {
    /// Keeps a piece for the cache, always as an event stream: an equal caller may want the other form of it.
    pub(super) fn capture(&mut self, piece: &[u8]) {
        let neutral = self.is_neutral();
        let Some(mut capture) = self.out.capture.take() else { return };
        if capture.len() + piece.len() > MAX_CAPTURE {
            return;
        }
        if !neutral {
            capture.extend_from_slice(piece);
        } else if !std::str::from_utf8(piece).is_ok_and(|json| sse::write_event(&mut capture, None, None, json).is_ok())
        {
            return;
        }
        self.out.capture = Some(capture);
    }

    /// Gives a kept stream to a caller: as it lies there, or event by event.
    pub(super) fn replay(&mut self, stream: &Bytes) {
        if !self.is_neutral() {
            return self.emit(stream.clone());
        }
        for event in sse::Parser::new(sse::Limits::default()).feed(stream).unwrap_or_default() {
            if event.data != "[DONE]" {
                self.emit(Bytes::from(event.data));
            }
        }
    }

    /// Answers from the cache, or with the answer of an equal request.
    pub(super) fn serve(&mut self, entry: &Entry, result: CacheResult) {
        self.account.cache = Some(result);
        self.mark_content();
        if entry.stream {
            self.holds.leader = None;
            self.start();
            self.replay(&entry.body);
            self.finish();
            return;
        }
        let headers = self.headers(b"application/json", 1);
        self.reply(entry.status, headers, entry.body.clone());
        self.conclude(Ending::Completed, None);
    }

    /// Gives the answer to those who wait for an equal one, and to the cache, if it is whole and clean.
    pub(super) fn land(&mut self, ending: Ending) {
        let Some(leader) = self.holds.leader.take() else { return };
        let capture = self.out.take_capture();
        let fit = ending == Ending::Completed && self.account.clean;
        let (Some(body), true, Some(key), Some(facts)) = (capture, fit, self.cache_key(), &self.facts) else {
            leader.land(None);
            return;
        };
        let entry = Entry {
            status: 200,
            body: Bytes::from(body),
            stream: facts.stream,
            usage: self.account.usage,
            model: facts.model.as_str().into(),
            provider: self.account.provider.as_ref().map_or_else(|| "".into(), |upstream| upstream.name.clone()),
            stored_us: self.now.mono_us,
            expires_us: u64::MAX,
        };
        if let Some(cache) = &self.snap.cache {
            cache.put(key, entry.clone());
        }
        leader.land(Some(Arc::new(entry)));
    }
}
