//! The two clocks that the core is told.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hoosh_core::clock::Now;

/// One instant on both the runtime's monotonic clock and that of whoever else tells the core the time, in microseconds.
static ORIGIN: OnceLock<(Instant, u64)> = OnceLock::new();

/// Has this clock go with another one of this process, which says `mono_us` now.
pub fn go_with(mono_us: u64) {
    let _ = ORIGIN.set((Instant::now(), mono_us));
}

fn origin() -> (Instant, u64) {
    *ORIGIN.get_or_init(|| (Instant::now(), 0))
}

pub fn now() -> Now {
    let (at, mono_us) = origin();
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now::new(mono_us + at.elapsed().as_micros() as u64, wall.as_micros() as i64)
}

/// A time of the core's monotonic clock as one of the runtime's.
pub fn instant(mono_us: u64) -> tokio::time::Instant {
    let (at, origin_us) = origin();
    (at + Duration::from_micros(mono_us.saturating_sub(origin_us))).into()
}
