//! What callers of a [`Pool`] hold: guards that settle or leave exactly once, at the latest in their destructor.

use super::book::Verdict;
use super::Pool;
use crate::sync::Arc;

/// What [`Pool::reserve`] answered.
#[derive(Debug)]
pub enum Reserve {
    /// Tokens, until settled or dropped.
    Granted(Reservation),
    /// The store is asked for more: wait to be woken, then ask the ticket.
    Waiting(Ticket),
    /// The budget has less left than the least that was asked for.
    Refused {
        /// What is left, as far as this process knows.
        available: u64,
    },
}

/// What [`Ticket::poll`] answered.
#[derive(Debug)]
pub enum Answer {
    /// The store has not answered yet; the waker will be called.
    Waiting,
    /// Tokens, until settled or dropped.
    Granted(Reservation),
    /// The budget has less left than the least that was asked for.
    Refused {
        /// What was left, as far as this process knew.
        available: u64,
    },
    /// The store failed and what is here is not enough. Nobody knows whether the budget has more.
    Unavailable,
}

/// A place among those who wait for the store. Dropping it leaves, and frees what was granted meanwhile.
#[derive(Debug)]
pub struct Ticket {
    pool: Arc<Pool>,
    id: u64,
    spent: bool,
}

impl Ticket {
    pub(super) fn new(pool: Arc<Pool>, id: u64) -> Self {
        Ticket { pool, id, spent: false }
    }

    /// The answer, once. After any but [`Answer::Waiting`] the ticket is spent and says `Waiting` for ever.
    pub fn poll(&mut self) -> Answer {
        if self.spent {
            return Answer::Waiting;
        }
        let Some(verdict) = self.pool.change(|book, _| book.fetch(self.id)).0 else { return Answer::Waiting };
        self.spent = true;
        match verdict {
            Verdict::Granted(tokens) => Answer::Granted(Reservation::new(self.pool.clone(), self.id, tokens)),
            Verdict::Refused(available) => Answer::Refused { available },
            Verdict::Unavailable => Answer::Unavailable,
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.spent {
            drop(self.pool.change(|book, _| book.leave(self.id)));
        }
    }
}

/// Tokens that a call may use. Dropped without [`Reservation::settle`], nothing counts as used.
#[derive(Debug)]
#[must_use = "dropping a reservation releases it"]
pub struct Reservation {
    pool: Arc<Pool>,
    id: u64,
    tokens: u64,
    open: bool,
}

/// How a reservation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// What was used beyond the reservation. It is booked all the same.
    pub overrun: u64,
}

impl Reservation {
    pub(super) fn new(pool: Arc<Pool>, id: u64, tokens: u64) -> Self {
        Reservation { pool, id, tokens, open: true }
    }

    /// The budget that pays.
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Unique within the pool.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// What is held.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// Holds `more`, all or nothing, and never waits: false if the slice has not so much left.
    pub fn extend(&mut self, more: u64) -> bool {
        let extended = self.pool.change(|book, _| book.extend(more)).0;
        if extended {
            self.tokens += more;
        }
        extended
    }

    /// Splits `tokens` off for a child exchange, which settles them by itself; `None` if this holds less.
    pub fn carve(&mut self, tokens: u64) -> Option<Reservation> {
        self.tokens = self.tokens.checked_sub(tokens)?;
        let id = self.pool.change(|book, _| book.number()).0;
        Some(Reservation::new(self.pool.clone(), id, tokens))
    }

    /// Books what was used and frees the rest.
    pub fn settle(mut self, used: u64) -> Settled {
        Settled { overrun: self.close(used) }
    }

    fn close(&mut self, used: u64) -> u64 {
        if !std::mem::take(&mut self.open) {
            return 0;
        }
        self.pool.change(|book, _| book.settle(self.tokens, used)).0
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.close(0);
    }
}
