//! A caller that takes its answer slowly, takes no more of it, or leaves; and attempts that nobody wants then.

use super::attempt::{Attempt, Follow, WINDOW};
use super::{Exchange, Move, Phase, Step};
use crate::clock::SECOND;
use crate::ledger::Ending;
use crate::metrics::Outcome;

/// When a caller that takes nothing is cut off.
pub(super) enum Stall {
    /// It took everything.
    Never,
    At(u64),
    /// It was just now.
    Cut,
}

impl Exchange {
    pub(super) fn take_written(&mut self, bytes: usize) {
        self.out.take(bytes, self.now.mono_us);
    }

    pub(super) fn mind_caller(&mut self) -> Stall {
        if self.out.behind() == 0 {
            return Stall::Never;
        }
        let patience = self.snap.config.deadlines.caller_stall_secs.saturating_mul(SECOND);
        let until_us = self.out.given_up_at(patience, self.now.mono_us);
        if self.now.mono_us < until_us {
            return Stall::At(until_us);
        }
        self.take_caller_gone();
        self.steps.push_back(Step::Break);
        Stall::Cut
    }

    /// The caller is lost.
    pub(super) fn take_caller_gone(&mut self) {
        if self.phase == Phase::Over {
            return;
        }
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
        let was_ended = self.out.is_ended();
        self.out.abandon();
        self.leave_attempt();
        if !was_ended {
            self.conclude(Ending::CallerGone, None);
        }
        if self.phase == Phase::Draining {
            self.phase = Phase::Over;
        }
    }

    /// Leaves an open attempt because nobody wants its answer any more.
    pub(super) fn leave_attempt(&mut self) {
        if let Some(mut attempt) = self.attempt.take() {
            self.close(&attempt);
            self.account_for_left(&mut attempt);
        }
    }

    /// What was said is charged, or if nothing was, what asking may have cost.
    pub(super) fn account_for_left(&mut self, attempt: &mut Attempt) {
        if matches!(attempt.follow, Follow::Tail) {
            return;
        }
        if matches!(&attempt.follow, Follow::Spoken(spoken) if spoken.background.is_some()) {
            // Its upstream goes on with it.
            self.charge_held();
        }
        self.account.end_attempt(attempt.upstream.slot, Outcome::Aborted);
        match attempt.take_said() {
            Some((usage, words)) if usage.is_some() || !words.is_empty() => self.account.answered(usage, words),
            _ if attempt.was_sent() => {
                let bound = self.input_bound();
                self.account.charge_bound(bound);
            }
            _ => {}
        }
    }

    /// Everything is said; waits for the caller's transport, and for the upstream's last bytes.
    pub(super) fn drain(&mut self) -> Move {
        let mut until = None;
        if let Some(attempt) = &mut self.attempt {
            let deadline = attempt.deadline_us();
            if deadline.is_some_and(|at| at <= self.now.mono_us) {
                if let Some(attempt) = self.attempt.take() {
                    self.close(&attempt);
                }
                return Move::Again;
            }
            if attempt.credit == 0 {
                attempt.credit = WINDOW;
                self.steps.push_back(Step::Read { u: attempt.u, credit: WINDOW });
                return Move::Again;
            }
            until = deadline;
        }
        match self.mind_caller() {
            Stall::Cut => Move::Again,
            Stall::At(at) => Move::Wait(until.into_iter().chain([at]).min()),
            Stall::Never if self.attempt.is_none() => {
                self.phase = Phase::Over;
                Move::Again
            }
            Stall::Never => Move::Wait(until),
        }
    }
}
