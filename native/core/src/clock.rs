//! Time as a parameter: two clocks, because deadlines must not notice when somebody sets the wall clock.

/// The instant at which a driver calls [`crate::exchange::Exchange::next`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Now {
    /// Microseconds of a clock that never goes back, from any origin. Deadlines, back-off and latency use it.
    pub mono_us: u64,
    /// Microseconds since the Unix epoch. Budget windows, `Retry-After` dates and the ledger use it.
    pub wall_us: i64,
}

impl Now {
    /// Both clocks at once.
    pub const fn new(mono_us: u64, wall_us: i64) -> Self {
        Now { mono_us, wall_us }
    }
}

/// One second in the unit of [`Now`].
pub const SECOND: u64 = 1_000_000;
/// One millisecond in the unit of [`Now`].
pub const MILLISECOND: u64 = 1_000;
