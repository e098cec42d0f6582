//! Follows one upstream's answer.

use bytes::{Bytes, BytesMut};

use super::attempt::{Follow, Stage, WINDOW};
use super::inbox::{AnswerHead, Event};
use super::verdict::Fall;
use super::whole::{MAX_ANSWER, MAX_ERROR_BODY};
use super::{Exchange, Move, Step};
use crate::config::ProviderKind;
use crate::dialects::openai::pieces::Pieces;
use crate::dialects::openai::relay::{Ended, Relay};
use crate::error::{Code, Failure};
use crate::ledger::Usage;
use crate::metrics::Outcome;
use crate::retry::{retry_after_ms_us, retry_after_us};

/// How far the caller may be behind before its upstream is no longer read, bytes.
pub(super) const MAX_BEHIND: u64 = 256 << 10;

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

    pub(super) fn take_head(&mut self, head: AnswerHead) {
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

    pub(super) fn take_data(&mut self, bytes: Bytes) {
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

    pub(super) fn take_end(&mut self) {
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

    /// The attempt did what was asked.
    pub(super) fn succeed(&mut self, usage: Option<Usage>, clean: bool, text: (Vec<u8>, u64)) {
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
}

pub(super) fn or_none(words: &str) -> &str {
    if words.is_empty() {
        "(no words)"
    } else {
        words
    }
}
