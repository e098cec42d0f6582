//! Random numbers from a seed: for jitter and choice, never for secrets.

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): one word of state, any seed
/// is a good one, and equal seeds give equal sequences in every build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rng {
    state: u64,
}

impl Rng {
    /// Begins the sequence of `seed`.
    pub const fn new(seed: u64) -> Self {
        Rng { state: seed }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..n`; 0 if `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        scale(self.next_u64(), n)
    }
}

/// Maps 64 random bits onto `0..n` (0 if `n` is 0) by the high half of the product (Lemire, 2019), without the
/// rejection step: for every `n` used here the bias is below one in a million.
pub(crate) const fn scale(random: u64, n: u64) -> u64 {
    ((random as u128 * n as u128) >> 64) as u64
}
