//! The two clocks that the core is told.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hoosh_core::clock::Now;

/// When this process began: the origin of its monotonic clock.
fn origin() -> Instant {
    static ORIGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

pub fn now() -> Now {
    let origin = origin();
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now::new(origin.elapsed().as_micros() as u64, wall.as_micros() as i64)
}

/// A time of the core's monotonic clock as one of the runtime's.
pub fn instant(mono_us: u64) -> tokio::time::Instant {
    (origin() + Duration::from_micros(mono_us)).into()
}
