//! What goes to the caller: one reply, or a stream that ends once.

use bytes::Bytes;

use super::call::id_header;
use super::{Exchange, Phase, Step};
use crate::dialects::openai::pieces::Pieces;
use crate::error::{Code, Failure};
use crate::http::Headers;
use crate::ledger::Ending;

impl Exchange {
    /// Ends the exchange with `failure`: as a reply, or as the error event of a stream that began.
    pub(super) fn fail(&mut self, failure: Failure) {
        if self.out.is_ended() {
            return;
        }
        self.leave_attempt();
        self.dismiss_children();
        let code = failure.code;
        if self.out.is_started() && (self.is_raw() || self.phase == Phase::Mounted) {
            return self.cut_answer(code);
        }
        if self.out.is_started() {
            let Some(event) = self.error_event(&failure) else { return self.cut_answer(code) };
            self.emit(event);
            self.steps.push_back(Step::Finish);
            self.out.end();
            let ending = if self.out.is_committed() { Ending::Broken } else { Ending::Refused };
            self.conclude(ending, Some(code));
            return;
        }
        let mut headers = self.headers(b"application/json", 3);
        if let Some(seconds) = failure.retry_after_secs {
            headers.push((Bytes::from_static(b"retry-after"), Bytes::from(seconds.to_string())));
        }
        if let Some(ms) = failure.retry_after_ms.filter(|_| failure.status() == 429) {
            headers.push((Bytes::from_static(b"retry-after-ms"), Bytes::from(ms.to_string())));
        }
        if let Some(allow) = self.call.as_ref().and_then(|call| call.allow) {
            headers.push((Bytes::from_static(b"allow"), Bytes::from_static(allow.as_bytes())));
        }
        if failure.code == Code::InvalidKey {
            headers.push((Bytes::from_static(b"www-authenticate"), Bytes::from_static(b"Bearer")));
        }
        let spent = self.choice.attempts > 0 || self.children.spent;
        // One that goes down has others beside it.
        if spent && code != Code::Draining || matches!(code, Code::BudgetExceeded | Code::OverRateLimit) {
            // The gateway has tried what there was to try, or no repetition helps soon; an SDK that tries on would multiply it.
            headers.push((Bytes::from_static(b"x-should-retry"), Bytes::from_static(b"false")));
        }
        let words = self.out.passed_error.take().filter(|_| code == Code::UpstreamRefused);
        let body = words.clone().unwrap_or_else(|| self.error_body(&failure));
        let status = failure.status();
        if self.holds.claim.is_some() {
            self.out.capture.keep(&body);
        }
        self.tell_parent(failure, words, spent);
        self.reply(status, headers, body);
        self.conclude(Ending::Refused, Some(code));
    }

    pub(super) fn headers(&self, content_type: &'static [u8], more: usize) -> Headers {
        let mut headers = Vec::with_capacity(3 + more);
        headers.push((Bytes::from_static(b"content-type"), Bytes::from_static(content_type)));
        headers.extend(self.call.as_ref().map(id_header));
        if let Some(by) = &self.account.answered_by {
            headers.push((Bytes::from_static(b"x-hoosh-model"), by.clone()));
        }
        self.add_dialect_headers(&mut headers);
        let cache = self.account.cache.filter(|_| self.snap.cache.is_some());
        if let Some(result) = cache.or(self.account.said_cache) {
            headers.push((Bytes::from_static(b"x-hoosh-cache"), Bytes::from_static(result.as_str().as_bytes())));
        }
        if let Some(cap) = self.account.capped {
            headers.push((Bytes::from_static(b"x-hoosh-max-tokens"), Bytes::from(cap.to_string())));
        }
        self.add_standings(&mut headers);
        headers.extend(self.out.passed_headers.iter().cloned());
        if self.account.replayed {
            headers.push((Bytes::from_static(b"idempotent-replayed"), Bytes::from_static(b"true")));
        }
        if let Some(cors) = self.call.as_ref().and_then(|call| call.cors.as_ref()) {
            cors.write(&mut headers);
        }
        headers
    }

    pub(super) fn reply(&mut self, status: u16, headers: Headers, body: Bytes) {
        self.out.status = status;
        self.out.end();
        self.out.add(body.len(), self.now.mono_us);
        self.steps.push_back(Step::Reply { status, headers, body });
    }

    /// A whole answer.
    pub(super) fn reply_whole(&mut self, body: Bytes) {
        self.mark_content();
        if self.account.clean && self.holds.keeps() || self.holds.claim.is_some() {
            self.out.capture.keep(&body);
        }
        self.tell_parent_who();
        let headers = self.headers(b"application/json", 1);
        self.reply(200, headers, body);
        self.conclude(Ending::Completed, None);
    }

    pub(super) fn mark_content(&mut self) {
        self.out.mark_content(self.now.mono_us - self.begun.mono_us);
    }

    /// Passes pieces of a stream on. Before the first content they are held, so that another attempt may still answer.
    pub(super) fn say(&mut self, mut pieces: Pieces) {
        if !self.out.is_committed() {
            if self.out.hold_back(&mut pieces) {
                return;
            }
            self.commit();
        }
        if pieces.content {
            self.mark_content();
            self.call_probe_off();
        }
        for piece in pieces.list {
            self.emit(piece);
        }
    }

    /// Gives the caller what was held back of an attempt, and with it the chance of another.
    pub(super) fn commit(&mut self) {
        if !self.out.is_started() {
            self.start();
        }
        if self.keeps_answer() {
            self.out.capture.begin();
        }
        for piece in self.out.commit() {
            self.emit(piece);
        }
    }

    pub(super) fn start(&mut self) {
        self.out.start(self.now.mono_us);
        let mut headers = self.headers(self.stream_type(), 3);
        headers.push((Bytes::from_static(b"cache-control"), Bytes::from_static(b"no-cache")));
        headers.push((Bytes::from_static(b"x-accel-buffering"), Bytes::from_static(b"no")));
        self.steps.push_back(Step::Start { status: 200, headers });
    }

    pub(super) fn emit(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        self.out.capture.add(&bytes, self.is_bare() && !self.is_raw());
        self.out.add(bytes.len(), self.now.mono_us);
        self.steps.push_back(Step::Emit { bytes });
    }

    /// The stream is complete.
    pub(super) fn finish(&mut self) {
        if self.is_bare() && !self.is_raw() {
            self.out.capture.add(b"[DONE]", true);
        }
        self.steps.push_back(Step::Finish);
        self.out.end();
        self.conclude(Ending::Completed, None);
    }

    /// A half-open breaker has seen enough once content flows; until then everybody else waits for its word.
    fn call_probe_off(&mut self) {
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
