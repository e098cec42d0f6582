//! One thread's numbers, and what an exchange adds to them.

use super::labels::{CacheResult, Limit, Outcome, Served, StatusClass};
use super::names::Slot;
use crate::dialects::Change;
use crate::error::Code;
use crate::ledger::{Ending, Usage};
use crate::sync::{lock, Mutex};

/// Upper bounds of a histogram's buckets, microseconds.
pub(super) type Bounds = [u64; 18];
/// From a cache hit to the longest answer.
pub(super) const BOUNDS_US: Bounds = [
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    120_000_000,
    300_000_000,
    600_000_000,
];

/// From what is not worth a thought to what holds up everybody.
pub(super) const OVERHEAD_BOUNDS_US: Bounds = [
    25, 50, 100, 200, 400, 800, 1_500, 3_000, 6_000, 12_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 10_000_000,
];

pub(super) const ENDPOINTS: usize = Served::ALL.len();
pub(super) const CLASSES: usize = StatusClass::ALL.len();
pub(super) const ENDINGS: [Ending; 5] =
    [Ending::Completed, Ending::Refused, Ending::Broken, Ending::CallerGone, Ending::Dropped];

/// One exchange that is over: everything that it adds.
#[derive(Clone, Copy, Debug)]
pub struct Finished<'a> {
    /// A slice of a caller's request: what it asked of upstreams counts, while the request counts once, with the whole.
    pub is_part: bool,
    /// What was asked for.
    pub served: Served,
    /// Status that the caller got; 499 if it left before one.
    pub status: u16,
    /// How it ended.
    pub ending: Ending,
    /// The error that was answered.
    pub error: Option<Code>,
    /// Its upstream attempts, each with its end.
    pub attempts: &'a [(Slot, Outcome)],
    /// How many of them were retries (not hedges).
    pub retries: u32,
    /// Whom `usage` is counted for.
    pub provider: Slot,
    /// Tokens used upstream; none for a cache hit.
    pub usage: Usage,
    /// What they cost, where a price is known.
    pub cost_nano_usd: Option<u64>,
    /// What the cache said; `None` if the exchange never came to it.
    pub cache: Option<CacheResult>,
    /// The limit that refused it.
    pub limited: Option<Limit>,
    /// What it lost between two dialects.
    pub losses: [bool; Change::ALL.len()],
    /// From the head to the end, microseconds.
    pub duration_us: u64,
    /// From the head to the first content byte handed over, microseconds.
    pub first_content_us: Option<u64>,
    /// Of that, time in which it waited for nobody, microseconds.
    pub overhead_us: u64,
}

/// The numbers of one thread. Aligned to two cache lines, because processors fetch them in pairs.
#[derive(Debug)]
#[repr(align(128))]
pub struct Lane(Mutex<Counts>);

#[derive(Clone, Debug)]
pub(super) struct Counts {
    /// By endpoint, status class and ending.
    pub requests: [[[u64; ENDINGS.len()]; CLASSES]; ENDPOINTS],
    pub errors: [u64; Code::ALL.len()],
    pub retries: u64,
    pub cache: [u64; CacheResult::ALL.len()],
    pub limited: [u64; Limit::ALL.len()],
    /// Requests with such a loss.
    pub losses: [u64; Change::ALL.len()],
    pub duration: [Histogram; ENDPOINTS],
    pub first_content: [Histogram; ENDPOINTS],
    pub overhead: [Histogram; ENDPOINTS],
    /// By slot. Grown when providers are named, never while recording.
    pub providers: Vec<Provider>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Provider {
    pub attempts: [u64; Outcome::ALL.len()],
    /// Input, output, cached.
    pub tokens: [u64; 4],
    pub cost_nano_usd: u64,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Histogram {
    /// Each bucket's own count; the last has no bound.
    pub buckets: [u64; BOUNDS_US.len() + 1],
    pub sum_us: u64,
}

impl Default for Counts {
    fn default() -> Self {
        Counts {
            requests: Default::default(),
            errors: [0; Code::ALL.len()],
            retries: 0,
            cache: Default::default(),
            limited: Default::default(),
            losses: Default::default(),
            duration: Default::default(),
            first_content: Default::default(),
            overhead: Default::default(),
            providers: vec![Provider::default()],
        }
    }
}

impl Lane {
    pub(super) fn new() -> Self {
        Lane(Mutex::new(Counts::default()))
    }

    /// Counts one exchange.
    pub fn record(&self, finished: &Finished<'_>) {
        lock(&self.0).record(finished);
    }

    /// Counts what an answer cost that nobody asked for any more.
    pub fn spent(&self, provider: Slot, usage: &Usage, cost_nano_usd: Option<u64>) {
        lock(&self.0).spent(provider, usage, cost_nano_usd);
    }

    /// Counts one attempt that belongs to no exchange: a probe of the gateway's own.
    pub fn attempt(&self, provider: Slot, outcome: Outcome) {
        bump(&mut lock(&self.0).provider(provider).attempts[outcome as usize]);
    }

    /// Makes `slots` slots, and empties those that got another owner.
    pub(super) fn make_room(&self, slots: usize, taken_over: &[Slot]) {
        let mut counts = lock(&self.0);
        if counts.providers.len() < slots {
            counts.providers.resize(slots, Provider::default());
        }
        for slot in taken_over {
            counts.providers[slot.0 as usize] = Provider::default();
        }
    }

    pub(super) fn add_to(&self, sum: &mut Counts) {
        sum.add(&lock(&self.0));
    }
}

impl Counts {
    fn record(&mut self, finished: &Finished<'_>) {
        if !finished.is_part {
            self.answered(finished);
        }
        self.retries = self.retries.saturating_add(finished.retries.into());
        for (provider, outcome) in finished.attempts {
            bump(&mut self.provider(*provider).attempts[*outcome as usize]);
        }
        self.spent(finished.provider, &finished.usage, finished.cost_nano_usd);
    }

    fn spent(&mut self, provider: Slot, usage: &Usage, cost_nano_usd: Option<u64>) {
        let used = [usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.cache_written_tokens];
        let provider = self.provider(provider);
        add(&mut provider.tokens, &used);
        provider.cost_nano_usd = provider.cost_nano_usd.saturating_add(cost_nano_usd.unwrap_or(0));
    }

    fn answered(&mut self, finished: &Finished<'_>) {
        let endpoint = finished.served.index();
        let class = StatusClass::of(finished.status) as usize;
        bump(&mut self.requests[endpoint][class][finished.ending as usize]);
        if let Some(code) = finished.error {
            bump(&mut self.errors[code as usize]);
        }
        if let Some(result) = finished.cache {
            bump(&mut self.cache[result as usize]);
        }
        for (count, _) in self.losses.iter_mut().zip(finished.losses).filter(|(_, lost)| *lost) {
            bump(count);
        }
        if let Some(limit) = finished.limited {
            bump(&mut self.limited[limit as usize]);
        }
        self.duration[endpoint].observe(finished.duration_us, &BOUNDS_US);
        self.overhead[endpoint].observe(finished.overhead_us, &OVERHEAD_BOUNDS_US);
        if let Some(first_content_us) = finished.first_content_us {
            self.first_content[endpoint].observe(first_content_us, &BOUNDS_US);
        }
    }

    fn provider(&mut self, slot: Slot) -> &mut Provider {
        // Slots of another Metrics, if they do not exist here, count as `other`.
        let at = if (slot.0 as usize) < self.providers.len() { slot.0 as usize } else { 0 };
        &mut self.providers[at]
    }

    fn add(&mut self, other: &Counts) {
        add(self.requests.as_flattened_mut().as_flattened_mut(), other.requests.as_flattened().as_flattened());
        add(&mut self.errors, &other.errors);
        self.retries = self.retries.saturating_add(other.retries);
        add(&mut self.cache, &other.cache);
        add(&mut self.limited, &other.limited);
        add(&mut self.losses, &other.losses);
        let histograms = self.duration.iter_mut().zip(&other.duration);
        let histograms = histograms.chain(self.first_content.iter_mut().zip(&other.first_content));
        for (sum, one) in histograms.chain(self.overhead.iter_mut().zip(&other.overhead)) {
            add(&mut sum.buckets, &one.buckets);
            sum.sum_us = sum.sum_us.saturating_add(one.sum_us);
        }
        if self.providers.len() < other.providers.len() {
            self.providers.resize(other.providers.len(), Provider::default());
        }
        for (sum, one) in self.providers.iter_mut().zip(&other.providers) {
            add(&mut sum.attempts, &one.attempts);
            add(&mut sum.tokens, &one.tokens);
            sum.cost_nano_usd = sum.cost_nano_usd.saturating_add(one.cost_nano_usd);
        }
    }
}

impl Histogram {
    fn observe(&mut self, value_us: u64, bounds: &Bounds) {
        bump(&mut self.buckets[bounds.partition_point(|bound| *bound < value_us)]);
        self.sum_us = self.sum_us.saturating_add(value_us);
    }
}

fn bump(count: &mut u64) {
    *count = count.saturating_add(1);
}

/// Saturating, because token counts are what an upstream claims.
fn add(sums: &mut [u64], more: &[u64]) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum = sum.saturating_add(*more);
    }
}
