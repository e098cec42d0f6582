//! Follows one upstream's answer, and says what to make of its end.

use bytes::{Bytes, BytesMut};

use super::attempt::{Attempt, Follow, Stage, WINDOW};
use super::inbox::{AnswerHead, Event};
use super::{step, Exchange, Move, Phase, Step};
use crate::config::ProviderKind;
use crate::dialects::neutral::Item;
use crate::dialects::openai::answer::{self, Answer};
use crate::dialects::openai::encode::Collected;
use crate::dialects::openai::relay::{Ended, Fed, Pieces, Relay};
use crate::error::{Code, Failure};
use crate::health::Blame;
use crate::ledger::Usage;
use crate::metrics::Outcome;
use crate::retry::{retry_after_ms_us, retry_after_us, Verdict};

/// The largest answer that is collected whole, bytes. An embedding of 2,048 inputs takes about 70 MB as text.
const MAX_ANSWER: usize = 128 << 20;
/// Of an error's body, no more is read.
const MAX_ERROR_BODY: usize = 256 << 10;
/// How far the caller may be behind before its upstream is no longer read, bytes.
pub(super) const MAX_BEHIND: u64 = 256 << 10;

/// Why an attempt is given up.
pub(super) struct Fall {
    pub failure: Failure,
    pub blame: Blame,
    pub outcome: Outcome,
    pub retry: bool,
    pub stale: bool,
    pub retry_after_us: Option<u64>,
    /// The upstream may have worked and may bill for it.
    pub billed: bool,
}

impl Fall {
    pub(super) fn upstream(code: Code, outcome: Outcome, words: impl Into<String>) -> Fall {
        Fall {
            failure: Failure::new(code, words),
            blame: Blame::Upstream,
            outcome,
            retry: true,
            stale: false,
            retry_after_us: None,
            billed: true,
        }
    }
}

impl Exchange {
    /// Waits on the open attempt: gives credit where the caller keeps up, and minds the time.
    pub(super) fn follow(&mut self) -> Move {
        let Some(attempt) = &mut self.attempt else {
            self.fail(Failure::new(Code::Internal, "An attempt was lost."));
            return Move::Again;
        };
        let deadline = attempt.deadline_us(&self.snap.config.deadlines);
        if deadline.is_some_and(|at| at <= self.now.mono_us) {
            let words = match attempt.stage {
                Stage::Opening => "The provider could not be reached in time.",
                Stage::Body => "The provider went silent in the middle of its answer.",
                _ => "The provider did not begin to answer in time.",
            };
            let billed = attempt.was_sent();
            self.fall(Fall { billed, ..Fall::upstream(Code::UpstreamTimeout, Outcome::Timeout, words) }, true);
            return Move::Again;
        }
        let behind = self.out.behind();
        if behind < MAX_BEHIND && attempt.stage == Stage::Body && attempt.credit <= WINDOW / 2 {
            let credit = WINDOW - attempt.credit;
            if attempt.credit == 0 {
                attempt.since_us = self.now.mono_us;
            }
            attempt.credit = WINDOW;
            self.steps.push_back(Step::Read { u: attempt.u, credit });
            return Move::Again;
        }
        match self.mind_caller() {
            Some(stall) => Move::Wait(deadline.into_iter().chain(stall).min()),
            None => Move::Again,
        }
    }

    pub(super) fn take_upstream(&mut self, event: Event) {
        let now_us = self.now.mono_us;
        let Some(attempt) = &mut self.attempt else { return };
        match event {
            Event::Connected(_) if attempt.stage == Stage::Opening => {
                // An engine has no request to write: once it stands, it works.
                let engine = attempt.upstream.kind == ProviderKind::Engine;
                attempt.progress(if engine { Stage::Body } else { Stage::Connected }, now_us);
                if engine {
                    attempt.follow = Follow::Engine(Box::default());
                }
            }
            Event::Sent(_) if attempt.stage < Stage::Sent => attempt.progress(Stage::Sent, now_us),
            Event::Head(_, head) if attempt.stage < Stage::Body => self.take_head(head),
            Event::Data(_, bytes) if attempt.stage == Stage::Body => self.take_data(bytes),
            Event::Delta(_, item) if attempt.stage == Stage::Body => self.take_delta(item),
            Event::End(_) => self.take_end(),
            Event::Failed(_, stage, reused) => self.take_failed(stage, reused),
            _ => {}
        }
    }

    fn take_head(&mut self, head: AnswerHead) {
        let now = self.now;
        let (endpoint, neutral) = (self.endpoint(), self.is_neutral());
        let (streams, show_usage) = (self.facts().stream, self.facts().include_usage);
        let Some(attempt) = &mut self.attempt else { return };
        attempt.progress(Stage::Body, now.mono_us);
        attempt.first_byte_us = Some(now.mono_us - attempt.opened_us);
        let success = (200..300).contains(&head.status);
        if success && streams {
            if !head.is(b"text/event-stream") {
                let words = "The provider answered a stream with something else.";
                self.fall(Fall::upstream(Code::UpstreamMalformed, Outcome::Malformed, words), true);
                return;
            }
            attempt.follow = Follow::Stream(Box::new(Relay::new(endpoint, neutral, show_usage)));
            return;
        }
        let ms = head.retry_after_ms.as_deref().and_then(retry_after_ms_us);
        let after = ms.or_else(|| head.retry_after.as_deref().and_then(|value| retry_after_us(value, now)));
        attempt.follow =
            Follow::Whole { status: head.status, retry_after_us: after, body: BytesMut::new(), single: None };
    }

    fn take_data(&mut self, bytes: Bytes) {
        let Some(attempt) = &mut self.attempt else { return };
        attempt.credit = attempt.credit.saturating_sub(bytes.len());
        if matches!(attempt.follow, Follow::Tail) {
            return;
        }
        attempt.since_us = self.now.mono_us;
        match &mut attempt.follow {
            Follow::Whole { status, body, single, .. } => {
                let held = body.len() + single.as_ref().map_or(0, |bytes| bytes.len()) + bytes.len();
                let success = (200..300).contains(status);
                if !success && held > MAX_ERROR_BODY {
                    return;
                }
                if held > MAX_ANSWER {
                    let words = "The provider's answer is larger than the gateway holds.";
                    self.fall(Fall::upstream(Code::UpstreamMalformed, Outcome::Malformed, words), true);
                    return;
                }
                let length = bytes.len();
                match single.take() {
                    None if body.is_empty() => *single = Some(bytes),
                    first => {
                        body.extend_from_slice(&first.unwrap_or_default());
                        body.extend_from_slice(&bytes);
                    }
                }
                self.hold(length);
            }
            Follow::Stream(relay) => {
                let mut pieces = Pieces::new();
                let fed = relay.feed(bytes, &mut pieces);
                self.pass_on(pieces, fed);
            }
            _ => {}
        }
    }

    /// Hands on what a stream said, and ends it where it ended.
    fn pass_on(&mut self, pieces: Pieces, fed: Fed) {
        let Some(Attempt { follow: Follow::Stream(relay), .. }) = &self.attempt else { return };
        let content = relay.has_content();
        match fed {
            Fed::Open => self.say(pieces, content),
            Fed::Done => {
                self.say(pieces, true);
                self.finish_stream(false, false);
            }
            Fed::Error(words) => {
                self.say(pieces, content);
                let words = format!("The provider broke off with an error: {}", or_none(&words));
                self.fall(Fall::upstream(Code::UpstreamError, Outcome::Error, words), true);
            }
            Fed::Malformed => {
                self.say(pieces, content);
                let words = "The provider sent an event that is not of its protocol.";
                self.fall(Fall::upstream(Code::UpstreamMalformed, Outcome::Malformed, words), true);
            }
        }
    }

    fn take_end(&mut self) {
        let Some(attempt) = &mut self.attempt else { return };
        match &mut attempt.follow {
            Follow::Tail => self.attempt = None,
            Follow::Head => {
                let words = "The provider closed the connection without an answer.";
                self.fall(Fall::upstream(Code::UpstreamError, Outcome::Error, words), false);
            }
            Follow::Stream(relay) => {
                let mut pieces = Pieces::new();
                match relay.finish(&mut pieces) {
                    Ended::Completed => {
                        self.say(pieces, true);
                        self.finish_stream(true, true);
                    }
                    Ended::Truncated => {
                        let words = "The provider's stream ended before the answer was complete.";
                        self.fall(Fall::upstream(Code::UpstreamTruncated, Outcome::Truncated, words), false);
                    }
                }
            }
            Follow::Whole { status, retry_after_us, body, single } => {
                let (status, after) = (*status, *retry_after_us);
                let body = single.take().unwrap_or_else(|| std::mem::take(body).freeze());
                self.free(body.len());
                if (200..300).contains(&status) {
                    self.judge_whole(body);
                } else {
                    self.judge_status(status, &body, after);
                }
            }
            Follow::Engine(collected) => {
                let collected = std::mem::take(&mut **collected);
                self.finish_engine(collected);
            }
        }
    }

    fn judge_whole(&mut self, body: Bytes) {
        let mut text = Vec::new();
        match answer::read(&body, self.endpoint(), &mut text) {
            Answer::Whole { usage, clean } => {
                self.succeed(usage, clean, (text, 0));
                self.reply_whole(body);
            }
            Answer::Error(words) => {
                let words = format!("The provider answered with an error: {}", or_none(&words));
                self.fall(Fall::upstream(Code::UpstreamError, Outcome::Error, words), false);
            }
            Answer::Malformed => {
                let words = "The provider answered something that is not its protocol.";
                self.fall(Fall::upstream(Code::UpstreamMalformed, Outcome::Malformed, words), false);
            }
        }
    }

    fn judge_status(&mut self, status: u16, body: &Bytes, after: Option<u64>) {
        let upstream = |code, outcome, words: &str| Fall { billed: false, ..Fall::upstream(code, outcome, words) };
        let mut fall = match status {
            401 | 403 => Fall {
                blame: Blame::Credential,
                retry: false,
                ..upstream(
                    Code::UpstreamCredential,
                    Outcome::Credential,
                    "The provider did not accept the gateway's credential. Its operator must check api_key.",
                )
            },
            429 => Fall {
                blame: Blame::Throttled { until_us: after.map(|wait| self.now.mono_us.saturating_add(wait)) },
                retry_after_us: after,
                ..upstream(Code::UpstreamRateLimited, Outcome::Throttled, "The provider's own rate limit is reached.")
            },
            300..=399 => Fall {
                retry: false,
                ..upstream(
                    Code::UpstreamError,
                    Outcome::Error,
                    "The provider answered with a redirect, which is not followed. Its base_url must be corrected.",
                )
            },
            408 | 500..=599 => Fall {
                retry_after_us: after,
                ..upstream(Code::UpstreamError, Outcome::Error, &format!("The provider failed with status {status}."))
            },
            _ => Fall {
                blame: Blame::Nobody,
                ..upstream(
                    Code::UpstreamRefused,
                    Outcome::Refused,
                    &format!("The provider refused the request with status {status}."),
                )
            },
        };
        fall.retry &= Verdict::of_status(status) == Verdict::Retry;
        fall.failure.retry_after_secs = after.map(|us| us.div_ceil(crate::clock::SECOND));
        if fall.failure.code == Code::UpstreamRefused {
            fall.failure.status = Some(if (400..500).contains(&status) { status } else { 502 });
            if answer::is_error_shape(body) {
                self.out.upstream_words = Some(body.clone());
            }
        }
        self.fall(fall, false);
    }

    fn take_failed(&mut self, stage: step::Stage, reused: bool) {
        let Some(attempt) = &self.attempt else { return };
        if matches!(attempt.follow, Follow::Tail) {
            self.attempt = None;
            return;
        }
        let begun = attempt.stage == Stage::Body;
        let sent = attempt.was_sent();
        let mut fall = match stage {
            step::Stage::Connect | step::Stage::Tls => {
                let words = "The provider could not be reached.";
                Fall::upstream(Code::UpstreamUnreachable, Outcome::Unreachable, words)
            }
            step::Stage::Protocol => {
                Fall::upstream(Code::UpstreamMalformed, Outcome::Malformed, "The provider broke HTTP.")
            }
            _ if begun => {
                let words = "The provider broke off in the middle of its answer.";
                Fall::upstream(Code::UpstreamTruncated, Outcome::Truncated, words)
            }
            _ => Fall::upstream(Code::UpstreamError, Outcome::Error, "The provider closed the connection."),
        };
        fall.billed = sent;
        if reused && !begun {
            // A pooled connection that its peer had closed meanwhile: nothing was worked on, and nobody is to blame.
            fall.stale = true;
            fall.billed = false;
            fall.blame = Blame::Nobody;
        }
        self.fall(fall, false);
    }

    fn take_delta(&mut self, item: Item) {
        let (endpoint, streams) = (self.endpoint(), self.facts().stream);
        let stamp = self.stamp();
        let neutral = self.is_neutral();
        let Some(attempt) = &mut self.attempt else { return };
        let Follow::Engine(collected) = &mut attempt.follow else { return };
        attempt.since_us = self.now.mono_us;
        let size = item_bytes(&item);
        attempt.credit = attempt.credit.saturating_sub(size);
        attempt.first_byte_us.get_or_insert(self.now.mono_us - attempt.opened_us);
        if let Item::Usage(usage) = item {
            self.account.engine_usage = Some(usage);
            return;
        }
        let chunk = if streams { stamp.chunk(endpoint, &item) } else { None };
        let content =
            matches!(&item, Item::Text { text, .. } if !text.is_empty()) || matches!(item, Item::ToolCall { .. });
        if !collected.add(item) {
            let words = "The engine said something that makes no sense.";
            self.fall(Fall::upstream(Code::UpstreamMalformed, Outcome::Malformed, words), true);
            return;
        }
        self.hold(size);
        self.account.engine_bytes += size;
        if let Some(chunk) = chunk {
            let content = content || self.out.has_content();
            self.say(Pieces::from_iter([framed(chunk, neutral)]), content);
        }
    }

    fn finish_engine(&mut self, mut collected: Collected) {
        let (endpoint, streams) = (self.endpoint(), self.facts().stream);
        if !collected.is_complete(endpoint) {
            let words = "The engine ended before its answer was complete.";
            self.fall(Fall::upstream(Code::UpstreamTruncated, Outcome::Truncated, words), false);
            return;
        }
        collected.sort();
        let bytes = std::mem::take(&mut self.account.engine_bytes);
        self.free(bytes);
        let usage = self.account.engine_usage;
        let stamp = self.stamp();
        if streams {
            let mut pieces = Pieces::new();
            let owed = usage.is_none() && self.facts().include_usage;
            if let Some(usage) = usage.filter(|_| self.facts().include_usage) {
                pieces.push(framed(stamp.usage_chunk(endpoint, &usage), self.is_neutral()));
            }
            if !self.is_neutral() && !owed {
                pieces.push(Bytes::from_static(b"data: [DONE]\n\n"));
            }
            self.say(pieces, true);
            self.succeed(usage, false, (collected.text().into_bytes(), 0));
            self.attempt = None;
            if owed {
                self.count_owed(Bytes::from(stamp.usage_chunk(endpoint, &Usage::default())));
            } else {
                self.finish();
            }
        } else {
            let body = stamp.whole(endpoint, &collected, &usage.unwrap_or_default());
            self.succeed(usage, collected.is_clean(), (collected.text().into_bytes(), 0));
            self.reply_whole(Bytes::from(body));
        }
    }

    /// A stream is complete. `closed`: its upstream ended too; otherwise its last bytes are still read, so that the
    /// connection can serve again.
    fn finish_stream(&mut self, closed: bool, terminator_added: bool) {
        self.account.terminator_added = terminator_added;
        let Some(attempt) = &mut self.attempt else { return };
        let Follow::Stream(relay) = &mut attempt.follow else { return };
        let (usage, clean, text) = (relay.usage(), relay.is_clean(), relay.take_text());
        let owed = relay.take_owed();
        attempt.follow = Follow::Tail;
        attempt.since_us = self.now.mono_us;
        self.succeed(usage, clean && !terminator_added, text);
        if closed {
            self.attempt = None;
        }
        match owed {
            Some(chunk) => self.count_owed(chunk),
            None => self.finish(),
        }
    }

    /// The attempt did what was asked.
    fn succeed(&mut self, usage: Option<Usage>, clean: bool, text: (Vec<u8>, u64)) {
        let now_us = self.now.mono_us;
        let Some(attempt) = &mut self.attempt else { return };
        let first_byte_us = attempt.first_byte_us.unwrap_or(now_us - attempt.opened_us);
        if let Some(health) = attempt.health.take() {
            health.success(now_us, first_byte_us.max(1));
        }
        attempt.permit = None;
        if !matches!(attempt.follow, Follow::Tail) {
            self.account.end_attempt(attempt.upstream.slot, Outcome::Completed);
            if !matches!(attempt.follow, Follow::Stream(_)) {
                self.attempt = None;
            }
        } else {
            self.account.end_attempt(attempt.upstream.slot, Outcome::Completed);
        }
        self.account.clean = clean;
        self.account.reported(usage, text);
    }

    /// The attempt failed: blame, book, and try again or tell the caller. `open`: its upstream still runs.
    pub(super) fn fall(&mut self, fall: Fall, open: bool) {
        let now_us = self.now.mono_us;
        let Some(mut attempt) = self.attempt.take() else { return };
        if open {
            self.abort(attempt.u);
        }
        if let Some(health) = attempt.health.take() {
            health.failure(now_us, fall.blame);
        }
        self.account.end_attempt(attempt.upstream.slot, fall.outcome);
        self.free_collected(&attempt.follow);
        if self.out.has_content() {
            if let Follow::Stream(relay) = &mut attempt.follow {
                let (usage, text) = (relay.usage(), relay.take_text());
                self.account.reported(usage, text);
            } else if let Follow::Engine(collected) = &attempt.follow {
                self.account.reported(self.account.engine_usage, (collected.text().into_bytes(), 0));
            }
            drop(attempt);
            self.fail(fall.failure);
            return;
        }
        self.out.forget_preroll();
        if fall.billed && attempt.was_sent() {
            let bound = self.input_bound();
            self.account.charge_bound(bound);
            self.settle_attempt();
        }
        drop(attempt);
        self.retry_or_fail(fall.failure, fall.retry, fall.stale, fall.retry_after_us);
    }

    pub(super) fn free_collected(&mut self, follow: &Follow) {
        match follow {
            Follow::Whole { body, single, .. } => {
                self.free(body.len() + single.as_ref().map_or(0, |bytes| bytes.len()));
            }
            Follow::Engine(_) => {
                let bytes = std::mem::take(&mut self.account.engine_bytes);
                self.free(bytes);
            }
            _ => {}
        }
    }

    /// Drops an upstream; steps that would still use it are taken back.
    pub(super) fn abort(&mut self, u: step::UpstreamId) {
        let before = self.steps.len();
        self.steps
            .retain(|step| !matches!(step, Step::Send { u: other, .. } | Step::Call { u: other, .. } if *other == u));
        let never_asked = self.steps.len() < before;
        self.steps.retain(|step| !matches!(step, Step::Read { u: other, .. } if *other == u));
        if !never_asked {
            self.steps.push_back(Step::Abort { u });
        }
    }

    /// The whole exchange took too long.
    pub(super) fn overdue(&mut self, _at: u64) -> Move {
        let words = "The request took longer than [deadlines] total_secs allows.";
        if self.phase == Phase::Attempt {
            let fall = Fall { retry: false, ..Fall::upstream(Code::UpstreamTimeout, Outcome::Timeout, words) };
            self.fall(fall, true);
        } else {
            let last = self.choice.last();
            self.fail(last.unwrap_or_else(|| Failure::new(Code::UpstreamTimeout, words)));
        }
        Move::Again
    }
}

fn or_none(words: &str) -> &str {
    if words.is_empty() {
        "(no words)"
    } else {
        words
    }
}

/// What an engine's item counts against credit and buffers.
pub(super) fn item_bytes(item: &Item) -> usize {
    let bytes = match item {
        Item::Text { text, .. } => text.len(),
        Item::ToolCall { id, name, arguments, .. } => {
            id.as_ref().map_or(0, String::len) + name.as_ref().map_or(0, String::len) + arguments.len()
        }
        Item::Embedding { vector, .. } => vector.len() * 4,
        Item::Finish { .. } | Item::Usage(_) => 1,
    };
    bytes.max(1)
}

fn framed(json: Vec<u8>, neutral: bool) -> Bytes {
    if neutral {
        return Bytes::from(json);
    }
    let mut out = Vec::with_capacity(json.len() + 8);
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(&json);
    out.extend_from_slice(b"\n\n");
    Bytes::from(out)
}
