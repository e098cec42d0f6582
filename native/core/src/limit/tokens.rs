//! Tokens of a minute, taken for one request before anybody knows how many it will use.

use smallvec::SmallVec;

use super::rate::{Rate, Taken};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::Arc;

/// What a request took at its bound, of one rate or several; shared with its child exchanges. Dropping the last of it
/// corrects the rates by what was used, so that no way out of an exchange forgets it.
#[derive(Debug)]
pub struct TokenCharge {
    taken: SmallVec<[(Arc<Rate>, Taken); 2]>,
    used: AtomicU64,
}

impl TokenCharge {
    /// Takes `tokens` of each rate, or of none: then the place of the rate that refused among them, and from when on
    /// (monotonic microseconds) it would not. [`u64::MAX`]: never, it is more than a minute's.
    pub fn take<'a>(
        rates: impl IntoIterator<Item = &'a Arc<Rate>>,
        tokens: u64,
        now_us: u64,
    ) -> Result<Arc<TokenCharge>, (usize, u64)> {
        let mut charge = TokenCharge { taken: SmallVec::new(), used: AtomicU64::new(0) };
        for (at, rate) in rates.into_iter().enumerate() {
            // Dropped on refusal, what was taken before goes back.
            let taken = rate.take_many(tokens, now_us).map_err(|until_us| (at, until_us))?;
            charge.taken.push((Arc::clone(rate), taken));
        }
        Ok(Arc::new(charge))
    }

    /// So many were used.
    pub fn add_used(&self, tokens: u64) {
        self.used.fetch_add(tokens, Ordering::Relaxed);
    }
}

impl Drop for TokenCharge {
    fn drop(&mut self) {
        let used = self.used.load(Ordering::Relaxed);
        for (rate, taken) in self.taken.drain(..) {
            rate.correct(taken, used);
        }
    }
}
