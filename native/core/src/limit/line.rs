//! Takes of several rates at once, or waits for the turn at them.
//!
//! Nothing is taken before all of them have room, in one critical section of them all. Whoever waits stands in the line of
//! the narrowest rate that has none (its key's before the gateway's), and keeps the turns that it has at those before. So a
//! key's backlog stands before its own rate, and in the gateway's line are only those who could go but for the gateway;
//! there owners have their turns one after another.

use smallvec::SmallVec;

use super::rate::{Cell, Rate, Waiter};
use super::tokens::TokenCharge;
use crate::sync::{lock, Arc, MutexGuard};
use crate::wake::{Waker, Wakes};

/// What a request asks of one rate.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    of: &'a Arc<Rate>,
    many: u64,
    corrected: bool,
}

impl<'a> Ask<'a> {
    /// One, and one it will have been.
    pub fn one(of: &'a Arc<Rate>) -> Ask<'a> {
        Ask { of, many: 1, corrected: false }
    }

    /// At most so many: [`TokenCharge`] corrects it.
    pub fn tokens(of: &'a Arc<Rate>, many: u64) -> Ask<'a> {
        Ask { of, many, corrected: true }
    }

    /// Whether it is one of tokens.
    pub fn is_of_tokens(&self) -> bool {
        self.corrected
    }
}

/// How far waiting goes.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// A turn that comes later is not waited for; monotonic microseconds.
    pub until_us: u64,
    /// Most who may stand in one line.
    pub max_waiting: u32,
}

impl Patience {
    /// Nobody waits.
    pub const NONE: Patience = Patience { until_us: 0, max_waiting: 0 };
}

/// One request's places in the lines of rates; none until it waits. Dropping it leaves them.
#[derive(Debug, Default)]
pub struct Line {
    /// Of the narrowest asks, in their order. The last is the one that is waited for.
    tickets: SmallVec<[Ticket; 2]>,
    due_us: u64,
}

impl Line {
    /// Until when there is nothing to look at; `None` if it does not wait, its time has come, or it was woken.
    pub fn rest_us(&self, now_us: u64) -> Option<u64> {
        let waits = !self.tickets.is_empty() && now_us < self.due_us;
        (waits && !self.tickets.iter().any(Ticket::is_woken)).then_some(self.due_us)
    }

    /// Whether all of them could be taken now: else which of those that could not has its turn last, and when: from then on
    /// all could.
    pub fn peek(&self, asks: &[Ask<'_>], owner: u64, now_us: u64) -> Result<(), (usize, u64)> {
        let turn = |at: usize| lock(&asks[at].of.cell).turn(owner, self.id(at, asks), asks[at].many, now_us);
        latest((0..asks.len()).filter_map(|at| Some((at, turn(at).err()?)))).map_or(Ok(()), Err)
    }

    /// What [`Self::wait`] would tell one who came now and stood nowhere yet; `now_us`: it could take all of them.
    pub fn look(asks: &[Ask<'_>], owner: u64, patience: Patience, now_us: u64) -> Result<u64, (usize, u64)> {
        let (line, cells) = (Line::default(), lock_all(asks));
        let place = line.place(&cells, &line.turns(&cells, asks, owner, now_us), patience)?;
        Ok(place.map_or(now_us, |(_, due_us)| due_us))
    }

    /// Takes all of `asks`, the narrowest first (no two exchanges may name them in different orders), or none: then as
    /// [`Self::peek`]. [`u64::MAX`]: never, it is more than a minute's. A refused one keeps its places.
    pub fn take(
        &mut self,
        asks: &[Ask<'_>],
        owner: u64,
        now_us: u64,
    ) -> Result<Option<Arc<TokenCharge>>, (usize, u64)> {
        let (mut served, mut wakes) = (SmallVec::<[Waiter; 2]>::new(), Wakes::default());
        let mut taken = SmallVec::new();
        let mut cells = lock_all(asks);
        let turns = self.turns(&cells, asks, owner, now_us);
        if let Some(refused) = latest(late(&turns)) {
            return Err(refused);
        }
        for (at, ask) in asks.iter().enumerate() {
            let (cell, id) = (&mut cells[at], self.id(at, asks));
            let Ok(empty_at) = turns[at] else { continue };
            cell.take(empty_at, now_us);
            if ask.corrected {
                taken.push((Arc::clone(ask.of), cell.open(ask.many)));
            }
            if let Some(id) = id {
                served.extend(cell.line.serve(owner, id));
                wakes.extend(cell.wake_first(now_us));
            }
        }
        drop(cells);
        self.leave();
        Ok(TokenCharge::of(taken))
    }

    /// Waits for what [`Self::take`] refused: when to look again, if nothing wakes it before. A turn that is too far off,
    /// or a line that is full, is told as in [`Self::peek`], and every place is left.
    pub fn wait(
        &mut self,
        asks: &[Ask<'_>],
        owner: u64,
        waker: &Waker,
        patience: Patience,
        now_us: u64,
    ) -> Result<u64, (usize, u64)> {
        // Dropped behind the locks.
        let (mut left, mut wakes) = (SmallVec::<[Ticket; 2]>::new(), Wakes::default());
        if !self.tickets.iter().zip(asks).all(|(ticket, ask)| Arc::ptr_eq(&ticket.of, ask.of)) {
            self.leave();
        }
        let mut cells = lock_all(asks);
        let turns = self.turns(&cells, asks, owner, now_us);
        let (last, due_us) = match self.place(&cells, &turns, patience) {
            Ok(Some(place)) => place,
            // Another thread made room in between.
            Ok(None) => {
                self.due_us = now_us;
                return Ok(now_us);
            }
            Err(refused) => {
                left.append(&mut self.tickets);
                return Err(refused);
            }
        };
        left.extend(self.tickets.drain((last + 1).min(self.tickets.len())..));
        for (at, ask) in asks.iter().enumerate().take(last + 1) {
            let (cell, waits) = (&mut cells[at], at == last);
            match self.tickets.get(at).map(|ticket| ticket.id) {
                None => {
                    let waiter = Waiter { many: ask.many, due_us, waits, woken: false, waker: waker.clone() };
                    let id = cell.line.push(owner, waiter);
                    self.tickets.push(Ticket { of: Arc::clone(ask.of), owner, id });
                }
                Some(id) => {
                    if let Some(waiter) = cell.line.get_mut(owner, id) {
                        (waiter.many, waiter.due_us) = (ask.many, due_us);
                        (waiter.waits, waiter.woken) = (waits, false);
                    }
                    if !waits {
                        // The next may have its turn too.
                        wakes.extend(cell.wake_first(now_us));
                    }
                }
            }
        }
        self.due_us = due_us;
        Ok(due_us)
    }

    /// Its turn has come and it keeps it, while it waits for something else.
    pub fn keep(&mut self) {
        self.due_us = 0;
        self.tickets.iter().for_each(Ticket::keep);
    }

    /// Stands nowhere any more.
    pub fn leave(&mut self) {
        self.tickets.clear();
    }

    /// The last line to stand in, and until when; `None` where all have room. A place is needed in each line up to that.
    fn place(
        &self,
        cells: &Cells<'_>,
        turns: &[Result<u128, u64>],
        patience: Patience,
    ) -> Result<Option<(usize, u64)>, (usize, u64)> {
        let (Some(narrowest), Some(latest)) = (late(turns).next(), latest(late(turns))) else { return Ok(None) };
        let full = || (self.tickets.len()..=narrowest.0).any(|at| cells[at].line.len() >= patience.max_waiting);
        if latest.1 > patience.until_us || full() {
            return Err(latest);
        }
        Ok(Some(narrowest))
    }

    fn turns(&self, cells: &Cells<'_>, asks: &[Ask<'_>], owner: u64, now_us: u64) -> SmallVec<[Result<u128, u64>; 2]> {
        let turn =
            |(at, cell): (usize, &MutexGuard<'_, Cell>)| cell.turn(owner, self.id(at, asks), asks[at].many, now_us);
        cells.iter().enumerate().map(turn).collect()
    }

    fn id(&self, at: usize, asks: &[Ask<'_>]) -> Option<u64> {
        self.tickets.get(at).filter(|ticket| Arc::ptr_eq(&ticket.of, asks[at].of)).map(|ticket| ticket.id)
    }
}

type Cells<'a> = SmallVec<[MutexGuard<'a, Cell>; 2]>;

fn lock_all<'a>(asks: &[Ask<'a>]) -> Cells<'a> {
    asks.iter().map(|ask| lock(&ask.of.cell)).collect()
}

/// Those that cannot be taken now, the narrowest first, and from when on each can.
fn late(turns: &[Result<u128, u64>]) -> impl Iterator<Item = (usize, u64)> + '_ {
    turns.iter().enumerate().filter_map(|(at, turn)| Some((at, turn.err()?)))
}

/// Before that one has its turn, coming back is of no use; of two the wider.
fn latest(late: impl Iterator<Item = (usize, u64)>) -> Option<(usize, u64)> {
    late.max_by_key(|(_, at_us)| *at_us)
}

/// A place in one line. Dropping it leaves: those behind come sooner.
#[derive(Debug)]
struct Ticket {
    of: Arc<Rate>,
    owner: u64,
    id: u64,
}

impl Ticket {
    fn is_woken(&self) -> bool {
        lock(&self.of.cell).line.get_mut(self.owner, self.id).is_some_and(|waiter| waiter.woken)
    }

    fn keep(&self) {
        let mut cell = lock(&self.of.cell);
        if let Some(waiter) = cell.line.get_mut(self.owner, self.id) {
            (waiter.waits, waiter.woken) = (false, false);
        }
        let next = cell.wake_next();
        drop(cell);
        if let Some(waker) = next {
            waker.wake();
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut cell = lock(&self.of.cell);
        // Kept until the lock is free: a waker's destructor is foreign code.
        let left = cell.line.remove(self.owner, self.id);
        let next = left.as_ref().and_then(|_| cell.wake_next());
        drop(cell);
        if let Some(waker) = next {
            waker.wake();
        }
    }
}
