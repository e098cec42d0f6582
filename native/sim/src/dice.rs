//! Choices from a seed.

use hoosh_core::rng::Rng;

/// A stream of choices. Equal seeds give equal choices.
#[derive(Clone, Debug)]
pub struct Dice(Rng);

impl Dice {
    /// Begins the stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Dice(Rng::new(seed))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `low..=high`.
    pub fn range(&mut self, low: u64, high: u64) -> u64 {
        low + self.0.below(high - low + 1)
    }

    /// A number in `0..n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.0.below(n as u64) as usize
    }

    /// True in `percent` of 100 cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.0.below(100) < percent
    }

    /// One of `items`, which must not be empty.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// A span of time in `low..=high` microseconds; each order of magnitude is as likely as another.
    pub fn span(&mut self, low: u64, high: u64) -> u64 {
        let (from, to) = (low.max(1).ilog2(), high.max(1).ilog2());
        let top = 1u64 << self.range(from.into(), to.into());
        self.range(top, top * 2 - 1).clamp(low, high)
    }
}
