//! What goes to the caller: one reply, or a stream that ends once.

use bytes::Bytes;

use super::call::id_header;
use super::out::MAX_PREROLL;
use super::{Exchange, Step};
use crate::dialects::openai::pieces::Pieces;
use crate::error::{Code, Failure};
use crate::http::Headers;
use crate::ledger::Ending;

impl Exchange {
    /// Ends the exchange with `failure`: as a reply, or as the error event of a stream that began.
    pub(super) fn fail(&mut self, failure: Failure) {
        if self.out.ended {
            return;
        }
        if let Some(mut attempt) = self.attempt.take() {
            self.abort(attempt.u);
            self.free_collected(&attempt.follow);
            attempt.health = None;
        }
        let code = failure.code;
        if self.out.started {
            self.emit(self.error_piece(&failure));
            self.steps.push_back(Step::Finish);
            self.out.ended = true;
            self.conclude(Ending::Broken, Some(code));
            return;
        }
        let mut headers = self.headers(b"application/json", 3);
        if let Some(seconds) = failure.retry_after_secs {
            headers.push((Bytes::from_static(b"retry-after"), Bytes::from(seconds.to_string())));
        }
        if let Some(allow) = self.call.as_ref().and_then(|call| call.allow) {
            headers.push((Bytes::from_static(b"allow"), Bytes::from_static(allow.as_bytes())));
        }
        if failure.code == Code::InvalidKey {
            headers.push((Bytes::from_static(b"www-authenticate"), Bytes::from_static(b"Bearer")));
        }
        if self.choice.attempts > 0 {
            // The gateway has tried what there was to try; an SDK that tries on would multiply it.
            headers.push((Bytes::from_static(b"x-should-retry"), Bytes::from_static(b"false")));
        }
        let body = match self.out.upstream_words.take() {
            Some(words) if code == Code::UpstreamRefused => words,
            _ => failure.openai_body(),
        };
        self.reply(failure.status(), headers, body);
        self.conclude(Ending::Refused, Some(code));
    }

    pub(super) fn error_piece(&self, failure: &Failure) -> Bytes {
        let body = failure.openai_body();
        if self.is_neutral() {
            return body;
        }
        Bytes::from([b"data: ", &body[..], b"\n\n"].concat())
    }

    pub(super) fn headers(&self, content_type: &'static [u8], more: usize) -> Headers {
        let mut headers = Vec::with_capacity(2 + more);
        headers.push((Bytes::from_static(b"content-type"), Bytes::from_static(content_type)));
        headers.extend(self.call.as_ref().map(id_header));
        if let (Some(result), true) = (self.account.cache, self.snap.cache.is_some()) {
            headers.push((Bytes::from_static(b"x-hoosh-cache"), Bytes::from_static(result.as_str().as_bytes())));
        }
        headers
    }

    pub(super) fn reply(&mut self, status: u16, headers: Headers, body: Bytes) {
        self.out.status = status;
        self.out.ended = true;
        self.out.emitted += body.len() as u64;
        self.hold(body.len());
        self.out.progress_us = self.now.mono_us;
        self.steps.push_back(Step::Reply { status, headers, body });
    }

    /// The upstream's whole answer, as it came.
    pub(super) fn reply_whole(&mut self, body: Bytes) {
        self.mark_content();
        if self.account.clean && self.holds.leader.is_some() {
            self.out.capture = Some(body.to_vec());
        }
        let headers = self.headers(b"application/json", 1);
        self.reply(200, headers, body);
        self.conclude(Ending::Completed, None);
    }

    pub(super) fn mark_content(&mut self) {
        if !self.out.content {
            self.out.content = true;
            self.out.first_content_us = self.now.mono_us - self.begun.mono_us;
        }
    }

    /// Passes pieces of a stream on. Before the first content they are held, so that another attempt may still answer.
    pub(super) fn say(&mut self, pieces: Pieces, content: bool) {
        if !self.out.started {
            let bytes: usize = pieces.iter().map(Bytes::len).sum();
            if !content && self.out.preroll_bytes + bytes <= MAX_PREROLL {
                self.out.preroll_bytes += bytes;
                self.out.preroll.extend(pieces);
                return;
            }
            self.start();
        }
        if content {
            self.mark_content();
            self.call_probe_off();
        }
        for piece in pieces {
            self.emit(piece);
        }
    }

    pub(super) fn start(&mut self) {
        self.out.started = true;
        self.out.status = 200;
        self.out.progress_us = self.now.mono_us;
        if self.holds.leader.is_some() {
            self.out.capture = Some(Vec::new());
        }
        let mut headers = self.headers(b"text/event-stream", 3);
        headers.push((Bytes::from_static(b"cache-control"), Bytes::from_static(b"no-cache")));
        headers.push((Bytes::from_static(b"x-accel-buffering"), Bytes::from_static(b"no")));
        self.steps.push_back(Step::Start { status: 200, headers });
        for piece in std::mem::take(&mut self.out.preroll) {
            self.emit(piece);
        }
    }

    pub(super) fn emit(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        self.capture(&bytes);
        if self.out.behind() == 0 {
            self.out.progress_us = self.now.mono_us;
        }
        self.out.emitted += bytes.len() as u64;
        self.hold(bytes.len());
        self.steps.push_back(Step::Emit { bytes });
    }

    /// The stream is complete.
    pub(super) fn finish(&mut self) {
        if self.is_neutral() {
            self.capture(b"[DONE]");
        }
        self.steps.push_back(Step::Finish);
        self.out.ended = true;
        self.conclude(Ending::Completed, None);
    }

    /// A half-open breaker has seen enough once content flows; until then everybody else waits for its word.
    pub(super) fn call_probe_off(&mut self) {
        let now_us = self.now.mono_us;
        let Some(attempt) = &mut self.attempt else { return };
        if attempt.health.as_ref().is_some_and(|health| health.is_probe()) {
            let first_byte_us = attempt.first_byte_us.unwrap_or(1).max(1);
            if let Some(health) = attempt.health.take() {
                health.success(now_us, first_byte_us);
            }
        }
    }
}
