//! What a caller is refused for, and how long it was kept waiting for that.

use hoosh_core::clock::{Now, MILLISECOND, SECOND};
use hoosh_core::http::HeaderView;
use hoosh_core::retry::retry_after;

use super::outcome::Stand;
use super::Invariant;
use crate::world::World;

/// A longer `Retry-After` is told to the caller and not waited for.
const LONGEST_PAUSE_US: u64 = 60 * SECOND;
/// What a 429 that names no time is worth.
const THROTTLE_US: u64 = SECOND;

type Judged = Result<(), (Invariant, String)>;

/// How long an upstream that answers so wishes to be left alone.
pub(crate) fn wish_us(status: u16, headers: &dyn HeaderView, now: Now) -> Option<u64> {
    let named = retry_after(headers, now).filter(|_| status >= 400);
    named.or((status == 429).then_some(THROTTLE_US))
}

impl World {
    /// Checks an answer that is an error.
    pub(crate) fn judge_patience(&mut self, x: usize, code: &str) -> Judged {
        let told = self.xs[x].out.header("retry-after").and_then(|secs| std::str::from_utf8(secs).ok()?.parse().ok());
        if !self.xs[x].ups.is_empty() && told.is_some_and(|secs: u64| secs * SECOND > LONGEST_PAUSE_US) {
            self.count("long retry-after");
        }
        let none_told = matches!(code, "upstream_unavailable" | "rate_limit_exceeded") && told.is_none();
        if none_told {
            return Err((Invariant::Outcome, format!("{code}, and not when to come back")));
        }
        self.judge_forbidden(x, code)?;
        self.judge_wait(x)
    }

    /// After its last attempt an exchange waits as long as somebody wished, and no longer.
    fn judge_wait(&self, x: usize) -> Judged {
        let (driven, pinned) = (&self.xs[x], self.pinned(x));
        // A budget's store and a provider's rate have times of their own.
        let other = !pinned.budgets.is_empty()
            || pinned.providers.iter().any(|p| p.rate_limit_rpm.or(p.rate_limit_tpm).is_some());
        if driven.ups.is_empty() || driven.out.stand != Stand::Replied || other {
            return Ok(());
        }
        let from_us = driven.last_up_us;
        let wishes = self.books.wishes_us.iter().filter(|at_us| **at_us <= from_us + LONGEST_PAUSE_US);
        let pause_us = wishes.max().map_or(0, |at_us| at_us.saturating_sub(from_us));
        let queue = pinned.providers.iter().any(|p| p.max_concurrency.is_some());
        let queue_us = if queue { pinned.limits.wait_secs * SECOND } else { 0 };
        let most_us = pause_us.max(pinned.retry.max_delay_ms * MILLISECOND) + queue_us;
        let waited_us = driven.out.began_us.saturating_sub(from_us);
        match waited_us <= most_us + 10 * self.plan.lag_us {
            true => Ok(()),
            false => {
                let words = format!("it waited {waited_us} µs after its last attempt, of at most {most_us}");
                Err((Invariant::Wakes, words))
            }
        }
    }

    /// A key is told that it may not use a model only if its scope leaves somebody out who serves it.
    fn judge_forbidden(&self, x: usize, code: &str) -> Judged {
        // A reload may take away what was allowed.
        if code != "model_not_allowed" || self.xs[x].config != self.config || self.leaves_out_somebody(x) {
            return Ok(());
        }
        Err((Invariant::Scope, "it is told that its key may not use the model, and it may".into()))
    }
}
