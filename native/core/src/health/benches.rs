//! Which models a credential may not ask for yet: a 429 is about one model under one credential, because providers count
//! quotas by both.
//!
//! A bench ends at its time, and then everybody passes: the time is the provider's own word, or short. What may be spent
//! is benched in the same way and not with the credential: some providers judge it by what the request could cost. Callers choose
//! model names where a provider serves every model, so that the memory is bounded: of too many the one that ends first
//! is forgotten, which costs one more 429.

use super::credentials::Refused;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{lock, Arc, Mutex};

/// Models that are remembered for one credential.
const MOST: usize = 256;

/// Models on the bench, each with its end. Looked at without a lock while there are none.
#[derive(Debug)]
pub struct Benches {
    any: AtomicBool,
    all: Mutex<Vec<Bench>>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bench {
    /// As it is sent to the provider.
    pub model: Arc<str>,
    /// Monotonic microseconds.
    pub until_us: u64,
    /// `throttled` or `quota_exhausted`.
    pub reason: &'static str,
}

impl Benches {
    pub(super) fn new() -> Self {
        Benches { any: AtomicBool::new(false), all: Mutex::new(Vec::new()) }
    }

    /// Until when `model` is benched and why, if it is.
    pub fn refused(&self, model: &str, now_us: u64) -> Option<Refused> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let mut all = lock(&self.all);
        self.forget_past(&mut all, now_us);
        all.iter().find(|bench| *bench.model == *model).map(|bench| (bench.until_us, bench.reason))
    }

    /// Puts a model on the bench; a shorter time does not end a longer one.
    pub(super) fn add(&self, new: Bench, now_us: u64) {
        let mut all = lock(&self.all);
        match all.iter_mut().find(|bench| bench.model == new.model) {
            Some(bench) if bench.until_us >= new.until_us => {}
            Some(bench) => *bench = new,
            None => all.push(new),
        }
        self.forget_past(&mut all, now_us);
        if all.len() > MOST {
            let soonest = all.iter().enumerate().min_by_key(|(_, bench)| bench.until_us).map(|(at, _)| at);
            soonest.into_iter().for_each(|at| drop(all.swap_remove(at)));
        }
    }

    pub(super) fn clear(&self) {
        let mut all = lock(&self.all);
        all.clear();
        self.any.store(false, Ordering::Release);
    }

    /// Those that last, for an operator.
    pub fn list(&self, now_us: u64) -> Vec<Bench> {
        lock(&self.all).iter().filter(|bench| bench.until_us > now_us).cloned().collect()
    }

    fn forget_past(&self, all: &mut Vec<Bench>, now_us: u64) {
        all.retain(|bench| bench.until_us > now_us);
        self.any.store(!all.is_empty(), Ordering::Release);
    }
}
