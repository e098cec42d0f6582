//! When and how often to try again.
//!
//! [`RetryBudget`] keeps retries a share of all traffic, so that an outage is not answered with a storm; [`backoff_us`]
//! spreads them in time; [`retry_after`] reads what the upstream asked for. Which attempt is safe to repeat at all is
//! the exchange's to know; [`Verdict::of_status`] is the part that a status decides.

mod after;
mod budget;

pub use after::{retry_after, retry_after_ms_us, retry_after_us, MAX_RETRY_AFTER_US};
pub use budget::RetryBudget;

use crate::clock::MILLISECOND;
use crate::rng;

/// Whether an attempt that failed may be followed by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Another attempt may do better.
    Retry,
    /// It would fail the same way, or would not be safe.
    GiveUp,
}

impl Verdict {
    /// What an upstream's status says: 408, 429 and 5xx may pass, everything else is an answer.
    pub const fn of_status(status: u16) -> Verdict {
        match status {
            408 | 429 | 500..=599 => Verdict::Retry,
            _ => Verdict::GiveUp,
        }
    }
}

/// How long to wait before retry number `attempt` (0 is the first), microseconds: uniform in
/// `0..=min(max, base × 2^attempt)`, the "full jitter" of <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>.
/// `random` is 64 random bits.
pub fn backoff_us(attempt: u32, base_ms: u64, max_ms: u64, random: u64) -> u64 {
    let doubled = base_ms.saturating_mul(1u64.checked_shl(attempt).unwrap_or(u64::MAX));
    let longest_us = doubled.min(max_ms).saturating_mul(MILLISECOND);
    rng::scale(random, longest_us.saturating_add(1))
}
