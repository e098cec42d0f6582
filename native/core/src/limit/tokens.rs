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
    /// `None` where nothing was taken that is corrected.
    pub(super) fn of(taken: SmallVec<[(Arc<Rate>, Taken); 2]>) -> Option<Arc<TokenCharge>> {
        (!taken.is_empty()).then(|| Arc::new(TokenCharge { taken, used: AtomicU64::new(0) }))
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
