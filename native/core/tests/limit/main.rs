//! Concurrency and rate limits against simple models. Threads are in `shuttle.rs`.
//!
//! "Faults" names what was planted, one line at a time, and made that test fail.
#![cfg(not(feature = "shuttle"))]

mod concurrency;
mod line;
mod rate;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use hoosh_core::limit::{Ask, Line, Rate, TokenCharge};
use hoosh_core::wake::{NoWake, Wake, Waker};

#[derive(Default)]
struct Calls(AtomicU32);

impl Wake for Calls {
    fn wake(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn nobody() -> Waker {
    Arc::new(NoWake)
}

/// One request of nobody in particular.
fn one(rate: &Arc<Rate>, now_us: u64) -> Result<(), u64> {
    Line::default().take(&[Ask::one(rate)], 0, now_us).map(|_| ()).map_err(|(_, at_us)| at_us)
}

fn tokens(rates: &[Arc<Rate>], many: u64, now_us: u64) -> Result<Arc<TokenCharge>, (usize, u64)> {
    let asks: Vec<_> = rates.iter().map(|rate| Ask::tokens(rate, many)).collect();
    Line::default().take(&asks, 0, now_us).map(|charge| charge.expect("tokens are corrected"))
}
