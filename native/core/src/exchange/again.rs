//! After a failed attempt: another one, or the end.
//!
//! Candidates are asked in rounds. Within one, each is asked at most once and the next at once; when nobody is left who
//! could be asked, the round ends, and after one pause the next begins, in which all may be asked again. The pause is
//! a back-off, or as long as the soonest of them wants, whichever is longer. An exchange that has nobody to wait for,
//! or would wait too long, ends at once with its last failure.

use super::obstacle::{Look, Spared, Why};
use super::verdict::Again;
use super::{Exchange, Move, Phase};
use crate::clock::SECOND;
use crate::error::{Code, Failure};
use crate::retry::backoff_us;
use crate::route::Candidate;
use crate::sync::Arc;

/// A longer pause is told to the caller instead of waited for.
const LONGEST_PAUSE_US: u64 = 60 * SECOND;

/// Whose turn it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Round {
    /// Whoever was not asked yet in this round.
    #[default]
    First,
    /// Nobody's, until this time; then everybody's again.
    Pause { until_us: u64 },
    /// Everybody's again. If nobody can be asked, there is no second pause.
    Second,
}

impl Exchange {
    /// After a failed attempt: another one, or the end.
    pub(super) fn retry_or_fail(&mut self, failure: Failure, again: Again) {
        self.note_asked(again);
        let settings = &self.snap.config.retry;
        let worth =
            again != Again::Never && self.choice.attempts < settings.max_attempts && self.free_again_us().is_some();
        if !worth || !self.snap.retries.withdraw(self.now.mono_us) {
            self.fail(failure);
            return;
        }
        self.choice.last = Some(failure);
        self.choice.round = Round::First;
        self.phase = match (&self.holds.pool, &self.holds.reservation) {
            // The failed attempt was charged; the next one is reserved anew.
            (Some(_), None) => Phase::Gates(super::gates::Gate::Budget),
            _ => Phase::Choose,
        };
    }

    /// Whom to leave alone after this failure, and who counts as not asked.
    fn note_asked(&mut self, again: Again) {
        let Some((candidate, n)) = self.choice.asked_with.last().copied() else { return };
        let mut spare = |credential, wait_us: Option<u64>| {
            let until_us = wait_us.map(|wait_us| self.now.mono_us.saturating_add(wait_us));
            self.choice.spared.extend(until_us.map(|until_us| Spared { candidate, credential, until_us }));
        };
        match again {
            Again::Never => {}
            Again::After(wait_us) => spare(None, wait_us),
            Again::AtOnce => {
                self.choice.asked.pop();
                self.choice.asked_with.pop();
            }
            Again::OtherCredential(wait_us) => {
                spare(Some(n), wait_us);
                let candidates = self.choice.candidates.clone();
                let free = |all: &Arc<[Candidate]>| self.obstacle(all, candidate as usize, Look::ThisRound).is_none();
                if candidates.as_ref().is_some_and(free) {
                    self.choice.asked.pop();
                }
            }
        }
    }

    /// Nobody is left in this round: the next one after a pause, or the end.
    pub(super) fn pause(&mut self) -> Move {
        let retry = &self.snap.config.retry;
        let (base, most) = (retry.base_delay_ms, retry.max_delay_ms);
        let backoff_us = backoff_us(self.choice.pauses, base, most, self.rng.next_u64());
        let until_us = self.free_again_us().map(|at_us| at_us.max(self.now.mono_us.saturating_add(backoff_us)));
        match until_us.filter(|until_us| self.is_in_time(*until_us)) {
            Some(until_us) => {
                self.choice.pauses += 1;
                self.choice.asked.clear();
                self.choice.asked_with.clear();
                self.choice.round = Round::Pause { until_us };
            }
            None => {
                let last = self.choice.last();
                self.fail(last.unwrap_or_else(|| Failure::new(Code::Internal, "A failure was lost.")));
            }
        }
        Move::Again
    }

    /// When the first of those whom the key may use could be asked, whoever was asked before; `None` if that is too
    /// late to be waited for. Places are not looked at: nobody knows when one becomes free.
    fn free_again_us(&self) -> Option<u64> {
        let candidates = self.choice.candidates.as_deref()?;
        let free = |at: usize| match self.obstacle(candidates, at, Look::NextRound) {
            None => Some(self.now.mono_us),
            // An open breaker spares everybody the wait for an upstream that fails.
            Some(obstacle) if matches!(obstacle.why, Why::Failing | Why::Credential | Why::Quota | Why::TooLarge) => {
                None
            }
            Some(obstacle) => Some(obstacle.until_us),
        };
        let usable = (0..candidates.len()).filter(|at| self.may_use(&candidates[*at]));
        usable.filter_map(free).min().filter(|at_us| self.is_in_time(*at_us))
    }

    /// Whether something that happens then may be waited for.
    fn is_in_time(&self, at_us: u64) -> bool {
        at_us <= self.now.mono_us.saturating_add(LONGEST_PAUSE_US)
            && self.total_deadline_us().is_none_or(|deadline_us| at_us < deadline_us)
    }
}
