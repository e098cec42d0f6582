//! How many a minute: the generic cell rate algorithm (ITU-T I.371, annex A), which needs one number per limit.
//!
//! Time is counted in ticks of 1/`per_minute` microsecond. One request then costs 60,000,000 ticks at every rate, so no
//! rate is rounded (7 a minute is 7 a minute) and a backlog keeps its meaning when the rate is changed.

use crate::sync::{lock, Mutex};

/// Ticks that one request costs.
const COST: u128 = 60_000_000;

/// A bound on how many begin in a minute.
pub struct Rate {
    cell: Mutex<Cell>,
}

struct Cell {
    per_minute: u32,
    burst: u32,
    /// When the bucket is empty again, in ticks: the algorithm's "theoretical arrival time".
    empty_at: u128,
}

impl Rate {
    /// `per_minute` in the long run, of which `burst` (at least 1) may come at once. In any span of `t` seconds at most
    /// `burst + t * per_minute / 60` are let in. A rate of 0 lets nobody in.
    pub fn new(per_minute: u32, burst: u32) -> Self {
        Rate { cell: Mutex::new(Cell { per_minute, burst: burst.max(1), empty_at: 0 }) }
    }

    /// Lets one in, or says from when on (monotonic microseconds) one would be, if nobody else came first.
    /// [`u64::MAX`] means never.
    pub fn take(&self, now_mono_us: u64) -> Result<(), u64> {
        let mut cell = lock(&self.cell);
        cell.empty_at = cell.after_one_more(now_mono_us)?;
        Ok(())
    }

    /// What [`Self::take`] would answer, without taking.
    pub fn peek(&self, now_mono_us: u64) -> Result<(), u64> {
        lock(&self.cell).after_one_more(now_mono_us).map(|_| ())
    }

    /// Gives one back that was taken and not used (refused by a later check).
    pub fn refund(&self) {
        let mut cell = lock(&self.cell);
        cell.empty_at = cell.empty_at.saturating_sub(COST);
    }

    /// Changes the rate (reload). What was let in just before still counts, up to the new burst.
    pub fn set_rate(&self, per_minute: u32, burst: u32, now_mono_us: u64) {
        let mut cell = lock(&self.cell);
        let backlog = cell.empty_at.saturating_sub(ticks(now_mono_us, cell.per_minute));
        cell.per_minute = per_minute;
        cell.burst = burst.max(1);
        cell.empty_at = ticks(now_mono_us, per_minute) + backlog.min(u128::from(cell.burst) * COST);
    }
}

impl Cell {
    /// The new `empty_at`, or the microsecond at which there would be one.
    fn after_one_more(&self, now_us: u64) -> Result<u128, u64> {
        if self.per_minute == 0 {
            return Err(u64::MAX);
        }
        let now = ticks(now_us, self.per_minute);
        let room = u128::from(self.burst) * COST;
        let after = self.empty_at.max(now) + COST;
        if after <= now + room {
            return Ok(after);
        }
        let free_at = (after - room).div_ceil(u128::from(self.per_minute));
        Err(u64::try_from(free_at).unwrap_or(u64::MAX))
    }
}

fn ticks(us: u64, per_minute: u32) -> u128 {
    u128::from(us) * u128::from(per_minute)
}

impl std::fmt::Debug for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cell = lock(&self.cell);
        f.debug_struct("Rate").field("per_minute", &cell.per_minute).field("burst", &cell.burst).finish_non_exhaustive()
    }
}
