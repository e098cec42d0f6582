//! A caller that takes its answer, or leaves.

use super::{Exchange, Move, Phase, Step};
use crate::clock::SECOND;
use crate::ledger::Ending;

impl Exchange {
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
    pub(super) fn drop_caller(&mut self, cut: bool) {
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
}
