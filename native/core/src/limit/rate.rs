//! How many a minute, requests or tokens: the generic cell rate algorithm (ITU-T I.371, annex A), which needs one number
//! per limit.
//!
//! Time is counted in ticks of 1/`per_minute` microsecond. One of them (a request, a token) then costs 60,000,000 ticks at
//! every rate, so no rate is rounded (7 a minute is 7 a minute) and a backlog keeps its meaning when the rate is changed.
//!
//! What is taken may be more than what is used in the end, and is then given back: but only as far as it has not drained
//! yet, because what has drained made room for others already. So what is used keeps to the bound in every span, as if no
//! more had ever been taken.
//!
//! Whoever waits for its turn ([`super::Line`]) stands in the rate's line. A turn is a time: when there is room for all that
//! those ahead want and for oneself. So each waits for a time of its own, and one who is slow to take its turn delays
//! nobody. The time changes only if somebody is told: what makes turns come sooner wakes the first, and each who goes the next.

use std::collections::VecDeque;

use super::queue::FairQueue;
use crate::sync::{lock, Mutex};
use crate::wake::{Waker, Wakes};

/// Ticks that one costs.
const COST: u128 = 60_000_000;

/// A bound on how many begin in a minute.
pub struct Rate {
    pub(super) cell: Mutex<Cell>,
}

pub(super) struct Cell {
    per_minute: u32,
    burst: u32,
    /// When the bucket is empty again, in ticks: the algorithm's "theoretical arrival time".
    empty_at: u128,
    /// When it was last asked, microseconds.
    asked_us: u64,
    /// What was taken to be corrected, as far as it has not drained when the rate was last asked; in its order.
    open: VecDeque<Open>,
    last_number: u64,
    pub(super) line: FairQueue<Waiter>,
}

/// One who stands in the line.
pub(super) struct Waiter {
    pub many: u64,
    /// When it looks by itself, microseconds.
    pub due_us: u64,
    /// For this rate. Else its turn here has come, and it keeps it while it waits for something else.
    pub waits: bool,
    /// To look before that.
    pub woken: bool,
    pub waker: Waker,
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
        let (burst, line) = (burst.max(1), FairQueue::new());
        let (open, empty_at, asked_us, last_number) = (VecDeque::new(), 0, 0, 0);
        Rate { cell: Mutex::new(Cell { per_minute, burst, empty_at, asked_us, open, last_number, line }) }
    }

    /// Whether `owner` (any number that stands for a key) could take `many` now: all of them or none. Else from when on
    /// (monotonic microseconds) it could, after those who wait already; [`u64::MAX`] means never, as for more than the burst.
    pub fn peek(&self, owner: u64, many: u64, now_mono_us: u64) -> Result<(), u64> {
        lock(&self.cell).turn(owner, None, many, now_mono_us).map(|_| ())
    }

    /// How many wait for their turn.
    pub fn waiting(&self) -> u64 {
        lock(&self.cell).line.values().filter(|waiter| waiter.waits).count() as u64
    }

    /// Whether another may stand in the line, of at most so many.
    pub fn has_room(&self, max_waiting: u32) -> bool {
        lock(&self.cell).line.len() < max_waiting
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
        let next = cell.wake_next();
        drop(cell);
        if let Some(waker) = next {
            waker.wake();
        }
    }

    /// Changes the rate (reload). What was let in just before still counts, up to the new burst. Whoever waits is woken when
    /// the result is dropped: its turn comes at another time.
    pub fn set_rate(&self, per_minute: u32, burst: u32, now_mono_us: u64) -> Wakes {
        let mut wakes = Wakes::default();
        let mut cell = lock(&self.cell);
        let backlog = cell.empty_at.saturating_sub(ticks(now_mono_us, cell.per_minute));
        if cell.per_minute != per_minute {
            // A tick is another now: what was taken in the old ones is not corrected.
            cell.open.clear();
        }
        cell.per_minute = per_minute;
        cell.burst = burst.max(1);
        cell.empty_at = ticks(now_mono_us, per_minute) + backlog.min(u128::from(cell.burst) * COST);
        wakes.extend(cell.wake_all());
        wakes
    }

    /// Everybody in the line, who is to look whether it still wants its turn.
    pub fn wake_all(&self) -> Wakes {
        let mut wakes = Wakes::default();
        wakes.extend(lock(&self.cell).wake_all());
        wakes
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
    /// What [`Self::take`] takes, if `owner` may have `many` now, whose place in the line is `id` or would be the last of
    /// its owner's. Else from when on it may, as things are.
    pub(super) fn turn(&self, owner: u64, id: Option<u64>, many: u64, now_us: u64) -> Result<u128, u64> {
        let ahead = if self.line.len() == 0 { 0 } else { self.line.ahead(owner, id, |waiter| waiter.many) };
        self.after_more(ahead, many, now_us)
    }

    /// Takes what [`Self::turn`] said.
    pub(super) fn take(&mut self, empty_at: u128, now_us: u64) {
        self.empty_at = empty_at;
        self.asked_us = self.asked_us.max(now_us);
        self.forget_drained();
    }

    /// What was just taken is to be corrected.
    pub(super) fn open(&mut self, many: u64) -> Taken {
        self.last_number += 1;
        let number = self.last_number;
        self.open.push_back(Open { number, drained_at: self.empty_at });
        Taken { number, many }
    }

    /// The turns of those who wait may come sooner than they know: whom to wake first. Whoever goes wakes the next.
    pub(super) fn wake_first(&mut self, now_us: u64) -> Option<Waker> {
        let (owner, id) = self.line.first(|waiter| waiter.waits)?;
        let waiter = self.line.get_mut(owner, id)?;
        let (many, due_us) = (waiter.many, waiter.due_us);
        if waiter.woken {
            return None;
        }
        let sooner = self.turn(owner, Some(id), many, now_us).map_or_else(|at_us| at_us, |_| now_us) < due_us;
        let waiter = self.line.get_mut(owner, id).filter(|_| sooner)?;
        waiter.woken = true;
        Some(waiter.waker.clone())
    }

    fn wake_all(&mut self) -> impl Iterator<Item = Waker> + '_ {
        self.line.values_mut().filter(|waiter| !waiter.woken).map(|waiter| {
            waiter.woken = true;
            waiter.waker.clone()
        })
    }

    /// The same, as far as is known without a clock.
    pub(super) fn wake_next(&mut self) -> Option<Waker> {
        self.wake_first(self.asked_us)
    }

    fn forget_drained(&mut self) {
        let asked = ticks(self.asked_us, self.per_minute);
        while self.open.front().is_some_and(|open| open.drained_at <= asked) {
            self.open.pop_front();
        }
    }

    /// What `empty_at` is when `many` have come, or the microsecond at which they may, after `ahead` others.
    fn after_more(&self, ahead: u64, many: u64, now_us: u64) -> Result<u128, u64> {
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
        let behind = after + u128::from(ahead) * COST;
        if behind <= now + room {
            return Ok(after);
        }
        let free_at = (behind - room).div_ceil(u128::from(self.per_minute));
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
