//! Gives an attempt up: blames, books, and has the request asked again or its caller told.

use super::attempt::Attempt;
use super::verdict::{Again, Fall};
use super::{Exchange, Move, Phase, Step};
use crate::error::{Code, Failure};
use crate::health::Blame;

impl Exchange {
    pub(super) fn fall(&mut self, fall: Fall) {
        let now_us = self.now.mono_us;
        let Some(mut attempt) = self.attempt.take() else {
            return self.fail(Failure::new(Code::Internal, "An attempt was lost."));
        };
        self.close(&attempt);
        // Without blame the breaker gets its attempt back, and not a word.
        if let Some((health, blame)) = attempt.health.take().zip(fall.blame) {
            health.failure(now_us, blame);
            if blame == Blame::Credential {
                // It may have another text by now.
                self.gateway.wake_loop();
            }
            if blame != Blame::Nobody {
                attempt.upstream.live.note_error(fall.failure.code);
            }
        }
        self.account.end_attempt(attempt.upstream.slot, fall.outcome);
        if self.out.is_committed() {
            // The caller has a part of this answer: no other can take its place.
            match attempt.take_said() {
                Some((usage, words)) => self.account.answered(usage, words),
                // Nobody reads what passes: it is charged what it may have cost.
                None => self.account.charge_bound(self.input_bound()),
            }
            drop(attempt);
            self.fail(fall.failure);
            return;
        }
        self.out.forget();
        if fall.billed && attempt.was_sent() {
            let bound = self.input_bound();
            self.account.charge_bound(bound);
            self.settle_attempt();
        }
        // What was taken of its tokens and not charged goes back.
        self.account.provider_tokens = None;
        drop(attempt);
        let again = if self.is_replayable() { fall.again } else { Again::Never };
        self.retry_or_fail(fall.failure, again);
    }

    /// Ends an attempt that nobody waits for any more: an upstream that still runs is aborted, and steps that would use
    /// it are taken back.
    pub(super) fn close(&mut self, attempt: &Attempt) {
        let u = attempt.u;
        if self.passing.is_some() {
            self.drop_upload_steps();
        }
        if attempt.over {
            return;
        }
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
    pub(super) fn overdue(&mut self) -> Move {
        let words = "The request took longer than total_secs allows.";
        if self.phase == Phase::Attempt {
            self.fall(Fall::overdue(words));
        } else {
            // What children are at is not waited for.
            self.children.spent = self.phase == Phase::Children;
            let last = self.choice.last();
            self.fail(last.unwrap_or_else(|| Failure::new(Code::UpstreamTimeout, words)));
        }
        Move::Again
    }
}
