//! What responses cost that are made in the background: their upstream says it to whoever asks for them, and perhaps nobody
//! does. Until then what each may cost at most stays reserved; after a day, or when the run ends, that is what it cost.

use std::collections::{BTreeSet, HashMap};

use foldhash::fast::FixedState;

use super::Gateway;
use crate::budget::Reservation;
use crate::clock::{Now, SECOND};
use crate::history::ResponseKey;
use crate::homes::Known;
use crate::ledger::Row;
use crate::metrics::Slot;
use crate::sync::{lock, Mutex};

/// How long a response may be asked for until it is booked unseen.
const PATIENCE_US: u64 = 86_400 * SECOND;
/// Responses that are waited for. Beyond it the one that was made first is booked.
const MOST: usize = 65_536;

#[derive(Default)]
pub(crate) struct Debts(Mutex<Book>);

#[derive(Default)]
struct Book {
    debts: HashMap<ResponseKey, Debt, FixedState>,
    /// When each is booked.
    due: BTreeSet<(u64, ResponseKey)>,
}

/// What is owed for one response.
pub(crate) struct Debt {
    pub key: ResponseKey,
    /// Of the budget that pays, if one does.
    pub reservation: Option<Reservation>,
    /// As it is booked if nobody asks.
    pub row: Row,
    /// The provider.
    pub slot: Slot,
    pub due_us: u64,
}

impl Debts {
    /// Nobody asked for it yet. The one that it takes the place of, the one that there is no room for, and whether nothing is due
    /// before it.
    fn add(&self, debt: Debt) -> (Option<Debt>, Option<Debt>, bool) {
        let (mut book, key) = (lock(&self.0), debt.key);
        let before = book.take(&key);
        let first = book.due.first().copied().filter(|_| book.debts.len() >= MOST);
        let oldest = first.and_then(|(_, oldest)| book.take(&oldest));
        let due_us = debt.due_us;
        book.due.insert((due_us, key));
        book.debts.insert(key, debt);
        (before, oldest, book.due.first() == Some(&(due_us, key)))
    }

    /// Those whose time has come, and when the next one's does; `all`: every one.
    fn due(&self, now_us: u64, all: bool) -> (Vec<Debt>, Option<u64>) {
        let (mut book, mut out) = (lock(&self.0), Vec::new());
        while let Some((at_us, key)) = book.due.first().copied() {
            if at_us > now_us && !all {
                return (out, Some(at_us));
            }
            out.extend(book.take(&key));
        }
        (out, None)
    }
}

impl Book {
    fn take(&mut self, key: &ResponseKey) -> Option<Debt> {
        let debt = self.debts.remove(key)?;
        self.due.remove(&(debt.due_us, *key));
        Some(debt)
    }
}

impl Gateway {
    /// A response is being made, and what it costs is not known before somebody asks for it.
    pub(crate) fn owe(&self, mut debt: Debt, now: Now) {
        debt.due_us = now.mono_us.saturating_add(PATIENCE_US);
        let (before, oldest, is_first) = self.debts.add(debt);
        // Servers that number their responses from 1 give one number twice: of the first nobody can ask any more.
        before.into_iter().for_each(|debt| self.book_unseen(debt, now));
        oldest.into_iter().for_each(|debt| self.give_up(debt, now));
        if is_first {
            self.wake_loop();
        }
    }

    /// Somebody was told what it cost: it is theirs to book, and to settle what is reserved for it. `None`: that is done.
    pub(crate) fn pay(&self, key: ResponseKey) -> Option<Option<Reservation>> {
        let debt = || lock(&self.debts.0).take(&key);
        self.settle_home(key).then(|| debt().and_then(|debt| debt.reservation))
    }

    /// Books what nobody asked for in time, and when the run ends all that nobody asked for. Returns when the next is due.
    pub(super) fn collect_debts(&self, all: bool, now: Now) -> Option<u64> {
        let (due, next_us) = self.debts.due(now.mono_us, all);
        due.into_iter().for_each(|debt| self.give_up(debt, now));
        next_us
    }

    /// Nobody is waited for any more.
    fn give_up(&self, debt: Debt, now: Now) {
        // Whoever is told in this moment books it. What is forgotten nobody can ask for.
        let is_owed = self.settle_home(debt.key);
        if is_owed || !matches!(self.homes.find(&debt.key), Known::Own(_)) {
            self.book_unseen(debt, now);
        }
    }

    fn book_unseen(&self, debt: Debt, now: Now) {
        let Debt { reservation, mut row, slot, .. } = debt;
        if let Some(reservation) = reservation {
            reservation.settle(row.usage.total());
        }
        self.metrics.lane(0).spent(slot, &row.usage, row.cost_nano_usd);
        row.at_us = now.wall_us;
        self.book(row, 0);
    }
}
