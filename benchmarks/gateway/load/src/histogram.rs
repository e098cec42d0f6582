//! Times by their size: every power of two in 128 steps, so that a percentile is off by less than 1 %, and nothing but
//! counts is kept.

use std::time::Duration;

const STEP_BITS: u32 = 7;
const STEPS: u64 = 1 << STEP_BITS;

#[derive(Default)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    pub fn add(&mut self, span: Duration) {
        let slot = slot(span.as_nanos().min(u128::from(u64::MAX)) as u64);
        if slot >= self.counts.len() {
            self.counts.resize(slot + 1, 0);
        }
        self.counts[slot] += 1;
        self.total += 1;
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    /// The time that `share` of all took at most; none if there was nothing.
    pub fn percentile(&self, share: f64) -> Option<Duration> {
        let rank = ((self.total as f64 * share).ceil() as u64).clamp(1, self.total.max(1));
        let mut below = 0;
        self.counts.iter().enumerate().find_map(|(slot, count)| {
            below += count;
            (below >= rank).then(|| Duration::from_nanos(middle(slot as u64)))
        })
    }
}

/// Below 256 the value itself; above, `STEPS` slots for each power of two.
fn slot(value: u64) -> usize {
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(STEP_BITS + 1);
    (u64::from(shift) * STEPS + (value >> shift)) as usize
}

/// The middle of what falls into a slot.
fn middle(slot: u64) -> u64 {
    let shift = (slot >> STEP_BITS).saturating_sub(1);
    let low = (slot - shift * STEPS) << shift;
    low + ((1 << shift) >> 1)
}
