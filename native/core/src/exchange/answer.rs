//! What goes to the caller: one reply, or a stream that ends once.

use bytes::Bytes;

use super::call::{id_header, shown, Target};
use super::{Exchange, Move, Phase, Step};
use crate::cache::Entry;
use crate::clock::SECOND;
use crate::dialects::openai::encode::Stamp;
use crate::dialects::openai::models;
use crate::dialects::openai::relay::Pieces;
use crate::error::{Code, Failure};
use crate::http::Headers;
use crate::ledger::Ending;
use crate::metrics::CacheResult;
use crate::sse;

/// Events held before the first content byte; a longer prelude is given to the caller, and with it the chance to
/// fail over.
const MAX_PREROLL: usize = 64 << 10;
/// The largest stream kept for the cache while it passes.
const MAX_CAPTURE: usize = 4 << 20;

/// The caller's side.
#[derive(Debug, Default)]
pub(super) struct Out {
    pub status: u16,
    started: bool,
    ended: bool,
    content: bool,
    pub first_content_us: u64,
    pub emitted: u64,
    written: u64,
    progress_us: u64,
    preroll: Pieces,
    preroll_bytes: usize,
    capture: Option<Vec<u8>>,
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

    fn error_piece(&self, failure: &Failure) -> Bytes {
        let body = failure.openai_body();
        if self.is_neutral() {
            return body;
        }
        Bytes::from([b"data: ", &body[..], b"\n\n"].concat())
    }

    fn headers(&self, content_type: &'static [u8], more: usize) -> Headers {
        let mut headers = Vec::with_capacity(2 + more);
        headers.push((Bytes::from_static(b"content-type"), Bytes::from_static(content_type)));
        headers.extend(self.call.as_ref().map(id_header));
        if let (Some(result), true) = (self.account.cache, self.snap.cache.is_some()) {
            headers.push((Bytes::from_static(b"x-hoosh-cache"), Bytes::from_static(result.as_str().as_bytes())));
        }
        headers
    }

    fn reply(&mut self, status: u16, headers: Headers, body: Bytes) {
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

    fn mark_content(&mut self) {
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

    fn start(&mut self) {
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

    fn emit(&mut self, bytes: Bytes) {
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

    /// Keeps a piece for the cache, always as an event stream: an equal caller may want the other form of it.
    fn capture(&mut self, piece: &[u8]) {
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
    fn replay(&mut self, stream: &Bytes) {
        if !self.is_neutral() {
            return self.emit(stream.clone());
        }
        for event in sse::Parser::new(sse::Limits::default()).feed(stream).unwrap_or_default() {
            if event.data != "[DONE]" {
                self.emit(Bytes::from(event.data));
            }
        }
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

    pub(super) fn take_written(&mut self, bytes: usize) {
        let bytes = (bytes as u64).min(self.out.behind());
        self.out.written += bytes;
        self.free(bytes as usize);
        if bytes > 0 {
            self.out.progress_us = self.now.mono_us;
        }
    }

    /// When a caller that takes nothing is cut off; `Some(None)` if it is not behind, `None` if that was just now.
    pub(super) fn mind_caller(&mut self) -> Option<Option<u64>> {
        if self.out.behind() == 0 {
            return Some(None);
        }
        let patience = self.snap.config.deadlines.caller_stall_secs.saturating_mul(SECOND);
        let until_us = self.out.progress_us.saturating_add(patience);
        if self.now.mono_us < until_us {
            return Some(Some(until_us));
        }
        self.drop_caller(true);
        None
    }

    pub(super) fn take_caller_gone(&mut self) {
        if self.phase != Phase::Over {
            self.drop_caller(false);
        }
    }

    /// The caller is lost. `cut`: by us, because it takes nothing.
    fn drop_caller(&mut self, cut: bool) {
        self.steps.retain(|step| {
            !matches!(
                step,
                Step::Reply { .. }
                    | Step::Start { .. }
                    | Step::Emit { .. }
                    | Step::Finish
                    | Step::Continue
                    | Step::ReadCaller { .. }
            )
        });
        if cut {
            self.steps.push_back(Step::Break);
        }
        let behind = self.out.behind();
        self.out.written = self.out.emitted;
        self.free(behind as usize);
        let was_ended = std::mem::replace(&mut self.out.ended, true);
        self.out.capture = None;
        self.leave_attempt();
        if !was_ended {
            self.conclude(Ending::CallerGone, None);
        }
        if self.phase == Phase::Draining {
            self.phase = Phase::Over;
        }
    }

    /// Everything is said; waits for the caller's transport, and for the upstream's last bytes.
    pub(super) fn drain(&mut self) -> Move {
        let mut until = None;
        if let Some(attempt) = &mut self.attempt {
            let deadline = attempt.deadline_us(&self.snap.config.deadlines);
            if deadline.is_some_and(|at| at <= self.now.mono_us) {
                let u = attempt.u;
                self.attempt = None;
                self.abort(u);
                return Move::Again;
            }
            if attempt.credit == 0 {
                attempt.credit = super::attempt::WINDOW;
                self.steps.push_back(Step::Read { u: attempt.u, credit: super::attempt::WINDOW });
                return Move::Again;
            }
            until = deadline;
        }
        match self.mind_caller() {
            None => Move::Again,
            Some(None) if self.attempt.is_none() => {
                self.phase = Phase::Over;
                Move::Again
            }
            Some(stall) => Move::Wait(until.into_iter().chain(stall).min()),
        }
    }

    pub(super) fn stamp(&self) -> Stamp {
        let prefix =
            if self.endpoint() == crate::dialects::neutral::Endpoint::Completions { "cmpl" } else { "chatcmpl" };
        Stamp {
            id: format!("{prefix}-{}", self.request_id()),
            created: self.begun.wall_us / SECOND as i64,
            model: self.facts.as_ref().map_or_else(String::new, |facts| facts.model.clone()),
        }
    }

    /// Model lists, health and metrics need no upstream.
    pub(super) fn answer_locally(&mut self, target: &Target) {
        let json = |exchange: &mut Exchange, status, body: Vec<u8>| {
            let headers = exchange.headers(b"application/json", 0);
            exchange.reply(status, headers, Bytes::from(body));
            exchange.conclude(Ending::Completed, None);
        };
        match target {
            Target::Models => {
                let body = models::list(&self.listed());
                json(self, 200, body);
            }
            Target::Model(id) => match self.listed().iter().find(|(model, _)| model == id) {
                Some((model, owner)) => {
                    let body = models::one(model, owner);
                    json(self, 200, body);
                }
                None => {
                    let words = format!("The model '{}' does not exist, or this key may not use it. GET /v1/models lists what there is.", shown(id));
                    self.fail(Failure::new(Code::UnknownModel, words).param("model"));
                }
            },
            Target::Health => json(self, 200, health_body("ok")),
            Target::Ready if self.gateway.is_draining() => json(self, 503, health_body("draining")),
            Target::Ready => json(self, 200, health_body("ready")),
            Target::Metrics => {
                let text = self.gateway.render_metrics();
                let headers = self.headers(b"text/plain; version=0.0.4; charset=utf-8", 0);
                self.reply(200, headers, Bytes::from(text));
                self.conclude(Ending::Completed, None);
            }
            Target::Inference(_) => {}
        }
    }

    /// The models that this holder may use, with the provider that lists each first.
    fn listed(&self) -> Vec<(String, String)> {
        let holder = &self.call().holder;
        let listed = self.snap.routes.listed().iter().filter_map(|listed| {
            let upstream = &self.snap.upstreams[listed.provider as usize];
            let bare = listed.model.strip_prefix(&format!("{}/", upstream.name)).unwrap_or(&listed.model);
            let allowed = holder.allows(&listed.model, upstream) || holder.allows(bare, upstream);
            allowed.then(|| (listed.model.to_string(), upstream.name.to_string()))
        });
        listed.collect()
    }
}

fn health_body(status: &str) -> Vec<u8> {
    format!("{{\"status\":\"{status}\",\"version\":\"{}\"}}", env!("CARGO_PKG_VERSION")).into_bytes()
}
