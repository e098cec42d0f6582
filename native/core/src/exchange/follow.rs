//! Follows one upstream's answer: gives credit, minds the time, and hands what comes to whoever reads it.

use bytes::Bytes;

use super::attempt::{Follow, Reached, WINDOW};
use super::inbox::{AnswerHead, Event};
use super::leave::Stall;
use super::step::Stage;
use super::verdict::{self, Fall};
use super::whole::Whole;
use super::{Exchange, Move, Step};
use crate::config::ProviderKind;
use crate::dialects::openai::relay::Relay;
use crate::dialects::openai::words::Words;
use crate::error::{Code, Failure};
use crate::http::{is_media_type, HeaderView};
use crate::ledger::Usage;
use crate::metrics::Outcome;
use crate::retry::retry_after;

/// How far the caller may be behind before its upstream is no longer read, bytes.
pub(super) const MAX_BEHIND: u64 = 64 << 10;

const CUT: &str = "The provider's stream ended before the answer was complete.";

impl Exchange {
    /// Waits on the open attempt.
    pub(super) fn follow(&mut self) -> Move {
        let Some(attempt) = &mut self.attempt else {
            self.fail(Failure::new(Code::Internal, "An attempt was lost."));
            return Move::Again;
        };
        let mut deadline = attempt.deadline_us();
        let mut slow_us = None;
        if self.passing.is_some() {
            if self.move_upload() {
                return Move::Again;
            }
            match self.mind_upload() {
                Ok(until_us) => slow_us = until_us,
                Err(failure) => {
                    self.fail(failure);
                    return Move::Again;
                }
            }
        }
        let starved = self.passing.is_some() && self.is_upload_starved();
        let Some(attempt) = &mut self.attempt else { return Move::Again };
        if starved && attempt.reached == Reached::Connected {
            deadline = None;
        }
        if deadline.is_some_and(|at| at <= self.now.mono_us) {
            let fall = verdict::of_silence(attempt.silent_since(), attempt.upstream.hooked);
            self.break_off(fall);
            return Move::Again;
        }
        let behind = self.out.behind();
        if behind < MAX_BEHIND && attempt.reached == Reached::Body && attempt.credit <= WINDOW / 2 {
            let credit = WINDOW - attempt.credit;
            if attempt.credit == 0 {
                attempt.since_us = self.now.mono_us;
            }
            attempt.credit = WINDOW;
            self.steps.push_back(Step::Read { u: attempt.u, credit });
            return Move::Again;
        }
        match self.mind_caller() {
            Stall::Cut => Move::Again,
            Stall::At(at) => Move::Wait(deadline.into_iter().chain(slow_us).chain([at]).min()),
            Stall::Never => Move::Wait(deadline.into_iter().chain(slow_us).min()),
        }
    }

    pub(super) fn take_upstream(&mut self, event: Event) {
        let now_us = self.now.mono_us;
        // After its end or failure only a driver in disorder says more of it.
        let Some(attempt) = self.attempt.as_mut().filter(|attempt| !attempt.over) else { return };
        match event {
            Event::Connected(_) if attempt.reached == Reached::Nothing => match attempt.upstream.kind {
                ProviderKind::Engine => self.begin_engine(),
                ProviderKind::Http => attempt.reach(Reached::Connected, now_us),
            },
            Event::Took(_, bytes) => self.take_took(bytes),
            Event::Sent(_) if attempt.reached < Reached::Sent => attempt.reach(Reached::Sent, now_us),
            Event::Head(_, head) if attempt.upstream.kind == ProviderKind::Engine => self.take_engine_head(&head),
            Event::Head(_, head) if attempt.reached < Reached::Body => self.take_head(head),
            Event::Data(_, bytes) if attempt.reached == Reached::Body => self.take_data(bytes),
            Event::Delta(_, item) if attempt.reached == Reached::Body => self.take_delta(item),
            Event::End(_) => self.take_end(),
            Event::Failed(_, stage, reused) => self.take_failed(stage, reused),
            Event::Declined(_, why) => self.take_declined(*why),
            _ => {}
        }
    }

    pub(super) fn follow_as(&mut self, follow: Follow) {
        if let Some(attempt) = &mut self.attempt {
            attempt.follow = follow;
        }
    }

    fn take_head(&mut self, mut head: AnswerHead) {
        let now = self.now;
        self.out.passed_headers = std::mem::take(&mut head.passed);
        let Some(attempt) = &mut self.attempt else { return };
        attempt.reach(Reached::Body, now.mono_us);
        attempt.first_byte_us = Some(now.mono_us - attempt.opened_us);
        let dialect = attempt.upstream.dialect;
        let success = (200..300).contains(&head.status);
        if self.passing.is_some() {
            if success {
                let raw = self.ask().is_some_and(|ask| ask.passed.is_raw());
                return self.take_passed_head(&head, raw);
            }
            // What it refuses it need not read to its end.
            if let Some(upload) = self.upload() {
                upload.stop();
            }
        }
        if success && self.facts().stream {
            if !is_media_type(head.get("content-type"), dialect.door().framing.media_type()) {
                self.fall(Fall::malformed("The provider answered a stream with something else."));
                return;
            }
            if self.translates(dialect) {
                return self.begin_listening(dialect);
            }
            let relay =
                Relay::new(self.endpoint(), self.is_neutral(), self.facts().include_usage, self.facts().answers);
            self.follow_as(Follow::Stream(Box::new(relay)));
            return;
        }
        let after_us = retry_after(&head, now);
        self.follow_as(Follow::Whole(Whole::new(head.status, after_us)));
    }

    fn take_data(&mut self, bytes: Bytes) {
        let now_us = self.now.mono_us;
        let Some(attempt) = &mut self.attempt else { return };
        attempt.credit = attempt.credit.saturating_sub(bytes.len());
        if matches!(attempt.follow, Follow::Tail) {
            // Its time is bound, whatever it still says.
            return;
        }
        match &attempt.follow {
            Follow::Whole(_) => {
                attempt.since_us = now_us;
                self.take_whole(bytes);
            }
            Follow::Stream(_) => self.take_stream(bytes),
            Follow::Spoken(_) => self.take_spoken(bytes),
            Follow::Pass(_) => self.take_pass(bytes),
            Follow::Head | Follow::Tail => {}
        }
    }

    fn take_end(&mut self) {
        let Some(attempt) = &mut self.attempt else { return };
        attempt.over = true;
        if self.passing.is_some() {
            self.drop_upload_steps();
        }
        let Some(attempt) = &mut self.attempt else { return };
        match &attempt.follow {
            Follow::Tail => self.attempt = None,
            Follow::Head => {
                let words = "The provider closed the connection without an answer.";
                self.fall(Fall::upstream(Code::UpstreamError, Outcome::Error, words));
            }
            Follow::Stream(_) => {
                self.break_off(Fall::truncated(CUT));
            }
            Follow::Pass(_) => self.end_pass(),
            Follow::Whole(_) => self.end_whole(),
            Follow::Spoken(spoken) if spoken.listener.is_some() => {
                self.break_off(Fall::truncated(CUT));
            }
            Follow::Spoken(_) => self.end_spoken(),
        }
    }

    fn take_failed(&mut self, stage: Stage, reused: bool) {
        let now_us = self.now.mono_us;
        let Some(attempt) = &mut self.attempt else { return };
        attempt.over = true;
        if matches!(attempt.follow, Follow::Tail) {
            self.attempt = None;
            return;
        }
        let fall = match attempt.upstream.kind {
            ProviderKind::Engine => verdict::of_engine(stage),
            ProviderKind::Http => verdict::of_failure(stage, attempt.reached, reused, now_us - attempt.since_us),
        };
        self.break_off(fall);
    }

    fn take_declined(&mut self, why: Failure) {
        let Some(attempt) = &mut self.attempt else { return };
        attempt.over = true;
        if matches!(attempt.follow, Follow::Tail) {
            self.attempt = None;
            return;
        }
        self.account.declined = true;
        self.fall(verdict::of_hook(why));
    }

    /// The attempt did what was asked: its breaker hears of it, and its place is free.
    pub(super) fn succeed(&mut self, usage: Option<Usage>, clean: bool, words: Words) {
        let now_us = self.now.mono_us;
        let Some(attempt) = &mut self.attempt else { return };
        let first_byte_us = attempt.first_byte_us.unwrap_or(now_us - attempt.opened_us);
        if let Some(health) = attempt.health.take() {
            health.success(now_us, first_byte_us.max(1));
        }
        attempt.permit = None;
        self.account.end_attempt(attempt.upstream.slot, Outcome::Completed);
        self.account.clean = clean;
        self.account.answered(usage, words);
    }
}
