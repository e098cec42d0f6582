//! How many a minute, requests or tokens: the generic cell rate algorithm (ITU-T I.371, annex A), which needs one number
//! per limit.
//!
//! Time is counted in ticks of 1/`per_minute` microsecond. One of them (a request, a token) then costs 60,000,000 ticks at
//! every rate, so no rate is rounded (7 a minute is 7 a minute) and a backlog keeps its meaning when the rate is changed.
//!
//! What is taken may be more than what is used in the end, and is then given back: but only as far as it has not drained
//! yet, because what has drained made room for others already. So what is used keeps to the bound in every span, as if no
//! more had ever been taken.

use std::collections::VecDeque;

use crate::sync::{lock, Mutex};

/// Ticks that one costs.
const COST: u128 = 60_000_000;

/// A bound on how many begin in a minute.
pub struct Rate {
    cell: Mutex<Cell>,
}

#[derive(Default)]
struct Cell {
    per_minute: u32,
    burst: u32,
    /// When the bucket is empty again, in ticks: the algorithm's "theoretical arrival time".
    empty_at: u128,
    /// When it was last asked, microseconds.
    asked_us: u64,
    /// What was taken to be corrected, as far as it has not drained when the rate was last asked; in its order.
    open: VecDeque<Open>,
    last_number: u64,
}

struct Open {
    number: u64,
    /// When it has drained, in ticks.
    drained_at: u128,
}

/// What was taken, to be corrected.
#[derive(Debug)]
#[must_use = "what is not corrected counts as used"]
pub(super) struct Taken {
    number: u64,
    many: u64,
}

/// A limit as its holder is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// A minute.
    pub limit: u32,
    /// That could be taken now.
    pub remaining: u32,
    /// Until all of it could be, microseconds.
    pub reset_us: u64,
}

impl Rate {
    /// `per_minute` in the long run, of which `burst` (at least 1) may come at once. In any span of `t` seconds at most
    /// `burst + t * per_minute / 60` are let in. A rate of 0 lets nobody in.
    pub fn new(per_minute: u32, burst: u32) -> Self {
        Rate { cell: Mutex::new(Cell { per_minute, burst: burst.max(1), ..Cell::default() }) }
    }

    /// Lets one in, or says from when on (monotonic microseconds) one would be, if nobody else came first.
    /// [`u64::MAX`] means never.
    pub fn take(&self, now_mono_us: u64) -> Result<(), u64> {
        let mut cell = lock(&self.cell);
        cell.empty_at = cell.after_more(1, now_mono_us)?;
        Ok(())
    }

    /// Gives back one that was taken just now (refused by a later check).
    pub fn refund(&self) {
        let mut cell = lock(&self.cell);
        cell.empty_at = cell.empty_at.saturating_sub(COST);
    }

    /// What [`Self::take`] would answer, without taking.
    pub fn peek(&self, now_mono_us: u64) -> Result<(), u64> {
        self.peek_many(1, now_mono_us)
    }

    /// What [`Self::take`] would answer for `many`: all of them or none. More than the burst are never let in.
    pub fn peek_many(&self, many: u64, now_mono_us: u64) -> Result<(), u64> {
        lock(&self.cell).after_more(many, now_mono_us).map(|_| ())
    }

    /// Lets `many` in, whose number is to be corrected later.
    pub(super) fn take_many(&self, many: u64, now_mono_us: u64) -> Result<Taken, u64> {
        let mut cell = lock(&self.cell);
        let drained_at = cell.after_more(many, now_mono_us)?;
        cell.empty_at = drained_at;
        cell.asked_us = cell.asked_us.max(now_mono_us);
        cell.forget_drained();
        cell.last_number += 1;
        let number = cell.last_number;
        cell.open.push_back(Open { number, drained_at });
        Ok(Taken { number, many })
    }

    /// Of what was taken so much was used. More than was taken is owed: later ones wait for it.
    ///
    /// Needs no clock: nobody was let in since the rate was last asked, so that it is as if this had been said then.
    pub(super) fn correct(&self, taken: Taken, used: u64) {
        let mut cell = lock(&self.cell);
        let asked = ticks(cell.asked_us, cell.per_minute);
        let at = cell.open.binary_search_by_key(&taken.number, |open| open.number).ok();
        let left = at.and_then(|at| cell.open.remove(at)).map_or(0, |open| open.drained_at.saturating_sub(asked));
        if used > taken.many {
            cell.empty_at = cell.empty_at.max(asked).saturating_add(u128::from(used - taken.many) * COST);
            return;
        }
        let unused = (u128::from(taken.many - used) * COST).min(left);
        cell.empty_at = cell.empty_at.saturating_sub(unused);
        // Those behind it drain so much sooner.
        let first_behind = at.unwrap_or(cell.open.len());
        cell.open.range_mut(first_behind..).for_each(|open| open.drained_at -= unused);
    }

    /// Changes the rate (reload). What was let in just before still counts, up to the new burst.
    pub fn set_rate(&self, per_minute: u32, burst: u32, now_mono_us: u64) {
        let mut cell = lock(&self.cell);
        let backlog = cell.empty_at.saturating_sub(ticks(now_mono_us, cell.per_minute));
        if cell.per_minute != per_minute {
            // A tick is another now: what was taken in the old ones is not corrected.
            cell.open.clear();
        }
        cell.per_minute = per_minute;
        cell.burst = burst.max(1);
        cell.empty_at = ticks(now_mono_us, per_minute) + backlog.min(u128::from(cell.burst) * COST);
    }

    /// How it stands.
    pub fn standing(&self, now_mono_us: u64) -> Standing {
        let cell = lock(&self.cell);
        let backlog = cell.empty_at.saturating_sub(ticks(now_mono_us, cell.per_minute));
        let room = (u128::from(cell.burst) * COST).saturating_sub(backlog);
        let reset_us = backlog.div_ceil(u128::from(cell.per_minute.max(1)));
        Standing {
            limit: cell.per_minute,
            remaining: u32::try_from(room / COST).unwrap_or(u32::MAX),
            reset_us: u64::try_from(reset_us).unwrap_or(u64::MAX),
        }
    }
}

impl Cell {
    fn forget_drained(&mut self) {
        let asked = ticks(self.asked_us, self.per_minute);
        while self.open.front().is_some_and(|open| open.drained_at <= asked) {
            self.open.pop_front();
        }
    }

    /// The new `empty_at`, or the microsecond at which there would be one.
    fn after_more(&self, many: u64, now_us: u64) -> Result<u128, u64> {
        if many == 0 {
            // What uses none waits for nobody, whatever is owed.
            return Ok(self.empty_at);
        }
        if self.per_minute == 0 || many > u64::from(self.burst) {
            return Err(u64::MAX);
        }
        let now = ticks(now_us, self.per_minute);
        let room = u128::from(self.burst) * COST;
        let after = self.empty_at.max(now) + u128::from(many) * COST;
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
