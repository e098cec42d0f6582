//! After a failed attempt: another one, or the end.

use super::{Exchange, Move, Phase};
use crate::clock::SECOND;
use crate::error::Failure;
use crate::retry::backoff_us;

/// A longer `Retry-After` is told to the caller instead of waited for.
const LONGEST_RETRY_AFTER_US: u64 = 60 * SECOND;

impl Exchange {
    /// Everybody had a turn: the same ones again, after a pause.
    pub(super) fn try_again(&mut self) -> Move {
        let retry = &self.snap.config.retry;
        let jitter = backoff_us(
            self.choice.retries.saturating_sub(1),
            retry.base_delay_ms,
            retry.max_delay_ms,
            self.rng.next_u64(),
        );
        self.choice.not_before_us = self.now.mono_us.saturating_add(jitter.max(self.choice.retry_after_us));
        self.choice.tried.clear();
        self.choice.again = true;
        Move::Again
    }

    /// After a failed attempt: another one, or the end. `stale`: the connection had died in the pool, which says
    /// nothing about the upstream, so that it may be asked again at once.
    pub(super) fn retry_or_fail(&mut self, failure: Failure, retry: bool, stale: bool, retry_after_us: Option<u64>) {
        let settings = &self.snap.config.retry;
        let patience = retry_after_us.unwrap_or(0) <= LONGEST_RETRY_AFTER_US;
        let lone = self.choice.candidates.as_ref().is_none_or(|all| all.len() <= 1);
        let worth = retry && self.choice.attempts < settings.max_attempts && (patience || !lone);
        if !worth || !self.snap.retries.withdraw(self.now.mono_us) {
            self.fail(failure);
            return;
        }
        self.choice.retries += 1;
        self.choice.last = Some(failure);
        self.choice.retry_after_us = if patience { retry_after_us.unwrap_or(0) } else { u64::MAX / 2 };
        self.choice.again = false;
        self.choice.not_before_us = 0;
        if stale {
            self.choice.tried.pop();
        }
        self.phase = match (&self.holds.pool, &self.holds.reservation) {
            // The failed attempt was charged; the next one is reserved anew.
            (Some(_), None) => Phase::Gates(super::Gate::Budget),
            _ => Phase::Choose,
        };
    }
}
