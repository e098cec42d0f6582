//! The two clocks that the core is told.

use std::cell::{Cell, RefCell};
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
    let mono_us = mono_us + at.elapsed().as_micros() as u64;
    Now::new(mono_us, wall(mono_us))
}

/// The wall clock, which each thread reads every tenth of a second and counts on from in between: two clocks a look would be a
/// hundredth of a request. When somebody sets it, that is seen so much later.
fn wall(mono_us: u64) -> i64 {
    const LOOK_US: u64 = 100_000;
    thread_local! {
        static READ: Cell<(u64, i64)> = const { Cell::new((0, 0)) };
    }
    let (at_us, wall_us) = READ.get();
    if at_us != 0 && mono_us.saturating_sub(at_us) < LOOK_US {
        return wall_us + mono_us.saturating_sub(at_us) as i64;
    }
    let wall_us = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as i64;
    READ.set((mono_us, wall_us));
    wall_us
}

/// About now: this thread's last [`tick`]. For times of seconds.
pub fn about_now() -> Instant {
    TICK.get().unwrap_or_else(Instant::now)
}

/// Has [`about_now`], and the date of answers, be now.
pub fn tick() -> Instant {
    let now = Instant::now();
    TICK.set(Some(now));
    DATE.with_borrow_mut(|date| *date = httpdate::fmt_http_date(SystemTime::now()));
    now
}

/// The date of an answer, of this thread's last [`tick`]: a header of RFC 9110, section 6.6.1.
pub fn with_date<T>(use_it: impl FnOnce(&str) -> T) -> T {
    DATE.with_borrow(|date| use_it(date))
}

thread_local! {
    static TICK: Cell<Option<Instant>> = const { Cell::new(None) };
    static DATE: RefCell<String> = RefCell::new(httpdate::fmt_http_date(SystemTime::now()));
}

/// A time of the core's monotonic clock as one of the runtime's.
pub fn instant(mono_us: u64) -> tokio::time::Instant {
    let (at, origin_us) = origin();
    (at + Duration::from_micros(mono_us.saturating_sub(origin_us))).into()
}
