//! Retries as a share of all traffic.

use crate::clock::SECOND;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{lock, Mutex};

/// Seconds over which the share is taken.
const WINDOW: usize = 10;
/// Slots of the ring, a power of two; those outside the window are stale and are reused.
const SLOTS: usize = 16;

/// Lets retries through while they are at most `percent` % of the requests of the last ten seconds, or within a floor
/// of `min_per_sec` (without which a quiet gateway could not retry at all).
///
/// Over any run: retries ≤ `percent` % of its requests + `min_per_sec` × (its seconds + 1). Requests older than the
/// window are forgotten, so that a quiet night saves nothing up for a storm.
#[derive(Debug)]
pub struct RetryBudget {
    percent: u64,
    min_per_sec: u64,
    /// Requests by second: the second in the upper half of the word, the count in the lower.
    requests: [AtomicU64; SLOTS],
    spent: Mutex<Spent>,
}

#[derive(Debug)]
struct Spent {
    /// Retries by second that went on account of the share, as in `requests`.
    shared: [u64; SLOTS],
    /// The floor's balance, millionths of a retry.
    floor: u64,
    /// When the balance was right, microseconds.
    floor_at_us: u64,
}

impl RetryBudget {
    /// `percent` of requests, and `min_per_sec` whatever the share says.
    pub fn new(percent: u32, min_per_sec: u32) -> Self {
        let min_per_sec = u64::from(min_per_sec);
        let spent = Spent { shared: [0; SLOTS], floor: min_per_sec * SECOND, floor_at_us: 0 };
        RetryBudget {
            percent: u64::from(percent),
            min_per_sec,
            requests: std::array::from_fn(|_| AtomicU64::new(0)),
            spent: Mutex::new(spent),
        }
    }

    /// A request came. `now_us` is monotonic microseconds.
    pub fn deposit(&self, now_us: u64) {
        let second = second(now_us);
        let add = |word| add_one(word, second);
        // `None` is a deposit sixteen seconds late: not worth counting.
        let _ = self.requests[slot(second)].fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Asks leave for one retry, and takes it.
    pub fn withdraw(&self, now_us: u64) -> bool {
        let second = second(now_us);
        let requests = in_window(self.requests.iter().map(|word| word.load(Ordering::Relaxed)), second);
        let mut spent = lock(&self.spent);
        let retries = in_window(spent.shared.iter().copied(), second);
        if (retries + 1).saturating_mul(100) <= requests.saturating_mul(self.percent) {
            if let Some(word) = add_one(spent.shared[slot(second)], second) {
                spent.shared[slot(second)] = word;
                return true;
            }
        }
        spent.take_from_floor(now_us, self.min_per_sec)
    }
}

impl Spent {
    fn take_from_floor(&mut self, now_us: u64, per_second: u64) -> bool {
        let earned = now_us.saturating_sub(self.floor_at_us).saturating_mul(per_second);
        self.floor = self.floor.saturating_add(earned).min(per_second * SECOND);
        self.floor_at_us = self.floor_at_us.max(now_us);
        let enough = self.floor >= SECOND;
        if enough {
            self.floor -= SECOND;
        }
        enough
    }
}

fn second(now_us: u64) -> u64 {
    (now_us / SECOND) & u64::from(u32::MAX)
}

fn slot(second: u64) -> usize {
    second as usize % SLOTS
}

/// The slot's word with one more for `second`; `None` if the slot is in use for a later second.
fn add_one(word: u64, second: u64) -> Option<u64> {
    match word >> 32 {
        of if of == second => Some(word.saturating_add(1)),
        of if of < second => Some(second << 32 | 1),
        _ => None,
    }
}

/// Sums the counts of the window that ends with `second`.
fn in_window(words: impl Iterator<Item = u64>, second: u64) -> u64 {
    let within = |word: &u64| (word >> 32) <= second && (word >> 32) + WINDOW as u64 > second;
    words.filter(within).map(|word| word & u64::from(u32::MAX)).sum()
}
