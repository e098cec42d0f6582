//! Token pools with guards, spent from leases.
//!
//! A [`Pool`] is this process's part of one budget. The store lends it slices of the capacity; within what is leased,
//! exchanges reserve before a call and settle with what was used, in memory, behind one short lock. The store is asked
//! ahead of need (less than half a slice left), so a request waits for it only when it is larger than what is left.
//!
//! ```text
//!   capacity ─┬ earlier            used by runs before this one, or lost when they crashed
//!             └ leased ─┬─ used       settled
//!                       ├─ reserved   guards out there: Reservation, or a grant that its Ticket has not fetched yet
//!                       └─ free       what may still be granted; never more than min(leased, capacity − earlier) − the others
//! ```
//!
//! What the gateway's loop does: look at [`Pool::lease_wanted`] when woken ([`Pool::on_lease_wanted`]), put the question
//! to the store, and bring back its answer with [`Pool::leased`] or [`Pool::lease_failed`]. A store that answers twice,
//! late or never cannot double a lease: each question has a number, and one answer.

mod book;
mod guard;

pub use guard::{Answer, Reservation, Reserve, Settled, Ticket};

use crate::store::Earlier;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{lock, Arc, Mutex};
use crate::wake::{Waker, Wakes};
use book::{Book, Took};

/// This process's part of one budget. All amounts are tokens.
pub struct Pool {
    name: Arc<str>,
    book: Mutex<Book>,
    /// Whether the loop was told that it is wanted and has not come yet. Written under the lock.
    wanted: AtomicBool,
}

/// A question for the store: [`crate::store::Op::Lease`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseAsk {
    /// Goes back with the answer.
    pub id: u64,
    /// How many tokens are asked for; at least 1.
    pub tokens: u64,
    /// The budget's capacity when this was asked.
    pub capacity: u64,
}

/// For metrics, the budget endpoints and tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolState {
    /// In force now.
    pub capacity: u64,
    /// What the store lent to this process so far.
    pub leased: u64,
    /// Held by reservations.
    pub reserved: u64,
    /// Settled, in this run and those before it.
    pub used: u64,
    /// Of [`Self::used`], what runs before this one settled.
    pub earlier: u64,
    /// What earlier runs had leased when they crashed, and nobody can account for: taken, and spent on nothing known.
    pub lost: u64,
    /// Of what this process used, what was used beyond its reservation.
    pub overrun: u64,
    /// Requests that wait for the store.
    pub waiting: usize,
    /// The store has no more to lend, so what does not fit is refused without asking.
    pub exhausted: bool,
}

impl PoolState {
    /// What nobody used, holds or lost, as far as this process knows.
    pub const fn available(&self) -> u64 {
        self.capacity.saturating_sub(self.used.saturating_add(self.reserved).saturating_add(self.lost))
    }
}

impl Pool {
    /// A pool with nothing leased yet. It wants its first `slice` (at least 1) at once.
    pub fn new(name: impl Into<Arc<str>>, capacity: u64, slice: u64) -> Arc<Self> {
        Self::with(name.into(), Book::new(capacity, slice, true))
    }

    /// The same, and the store is asked first what earlier runs took: see [`Self::restore_wanted`].
    pub fn unrestored(name: impl Into<Arc<str>>, capacity: u64, slice: u64) -> Arc<Self> {
        Self::with(name.into(), Book::new(capacity, slice, false))
    }

    fn with(name: Arc<str>, book: Book) -> Arc<Self> {
        let wanted = AtomicBool::new(book.needs_loop());
        Arc::new(Pool { name, book: Mutex::new(book), wanted })
    }

    /// The budget's name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Reserves `want`, or where the budget is nearly spent (or the store is down) what is left, if that is at least
    /// `min`. Waits for the store when the slice is too small for `want` and there may be more; `waker` is then called
    /// once, when the ticket has an answer.
    pub fn reserve(self: &Arc<Self>, min: u64, want: u64, waker: &Waker) -> Reserve {
        match self.change(|book, _| book.reserve(min.min(want), want, waker)).0 {
            Took::Granted { id, tokens } => Reserve::Granted(Reservation::new(self.clone(), id, tokens)),
            Took::Waiting { id } => Reserve::Waiting(Ticket::new(self.clone(), id)),
            Took::Refused { available } => Reserve::Refused { available },
        }
    }

    /// Books what was used under a reservation that is gone: all of it is an overrun.
    pub fn book_late(&self, used: u64) {
        self.change(|book, _| book.settle(0, used));
    }

    /// For the loop: the next question for the store. `None` while none is needed or the last one is unanswered; the
    /// usual case costs one atomic load.
    pub fn lease_wanted(&self) -> Option<LeaseAsk> {
        if !self.wanted.load(Ordering::Acquire) {
            return None;
        }
        self.change(|book, _| book.ask()).0
    }

    /// The store answered question `id` with `tokens`. Less than was asked means that it has no more (until
    /// [`Self::set_capacity`] or [`Self::reopen`]). False, and without effect, if the question is not open: a second or
    /// late answer. Those tokens count as unspendable: better a slice unspent than one spent twice.
    pub fn leased(&self, id: u64, tokens: u64) -> bool {
        self.change(|book, _| book.answer(id, tokens)).0
    }

    /// The store could not answer question `id`. Who waits gets what is left, if that is enough, or
    /// [`Answer::Unavailable`]. The lease may still be wanted: the loop asks again after a pause of its choosing, and is
    /// not woken for it.
    pub fn lease_failed(&self, id: u64) {
        self.change(|book, wakes| {
            if book.fail(id, wakes) {
                self.wanted.store(true, Ordering::Release);
            }
        });
    }

    /// For the loop: whether the store must be asked what earlier runs took ([`crate::store::Op::Restore`]). True once,
    /// until [`Self::restore_failed`] or [`Self::end_run`]. Nothing is leased before the answer.
    pub fn restore_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire) && self.change(|book, _| book.ask_earlier()).0
    }

    /// What earlier runs took. A second answer has no effect.
    pub fn restored(&self, earlier: Earlier) {
        self.change(|book, _| book.restore(earlier));
    }

    /// The store could not say it. Who waits is told [`Answer::Unavailable`]; the loop asks again after a pause.
    pub fn restore_failed(&self) {
        self.change(|book, wakes| book.fail_restore(wakes));
    }

    /// The store was told that this run is over ([`crate::store::Op::End`]): another may begin.
    pub fn end_run(&self) {
        self.change(|book, _| book.end_run());
    }

    /// Changes the capacity (reload). It may lie below what is committed; then nothing more is granted. A retired pool is
    /// in the configuration again, and goes on from all that it knows. Who gets an answer by it is woken when the result
    /// is dropped.
    pub fn set_capacity(&self, capacity: u64) -> Wakes {
        self.change(|book, _| book.set_capacity(capacity)).1
    }

    /// Changes how much is leased at a time (reload). The loop, if that makes it wanted, is woken when the result is
    /// dropped.
    pub fn set_slice(&self, slice: u64) -> Wakes {
        self.change(|book, _| book.set_slice(slice)).1
    }

    /// The budget is gone from the configuration: nothing more is granted, and the loop is woken for whatever comes free,
    /// to give it back. Who waits is woken when the result is dropped.
    pub fn retire(&self) -> Wakes {
        self.change(|book, _| book.retire()).1
    }

    /// The store may have tokens again (another process gave some back): the next need asks it.
    pub fn reopen(&self) {
        self.change(|book, _| book.reopen());
    }

    /// Takes what is leased and neither used nor reserved out of the pool, to be given back to the store
    /// ([`crate::store::Op::Return`]) once the budget is removed.
    pub fn give_back(&self) -> u64 {
        self.change(|book, _| book.give_back()).0
    }

    /// The same of one that was removed ([`Self::retire`]); nothing of any other.
    pub fn give_back_retired(&self) -> u64 {
        self.change(|book, _| if book.is_retired() { book.give_back() } else { 0 }).0
    }

    /// Whether the loop was told that it is wanted, and is.
    pub fn is_wanting(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }

    /// Has the gateway's loop woken whenever a lease becomes wanted; if one is, when the result is dropped.
    pub fn on_lease_wanted(&self, waker: Waker) -> Wakes {
        let mut wakes = Wakes::default();
        let mut book = lock(&self.book);
        let before = book.set_loop_waker(waker.clone());
        wakes.extend(self.wanted.load(Ordering::Acquire).then_some(waker));
        drop(book);
        drop(before);
        wakes
    }

    /// What [`Self::reserve`] would come to, without taking anything: tokens granted, or else those there are.
    pub fn quote(&self, min: u64, want: u64) -> Result<u64, u64> {
        lock(&self.book).quote(min, want)
    }

    /// A snapshot.
    pub fn state(&self) -> PoolState {
        lock(&self.book).state()
    }

    /// Every change goes through here: edit the book, serve who waits, tell the loop, and only then, without the lock,
    /// wake.
    fn change<R>(&self, edit: impl FnOnce(&mut Book, &mut Wakes) -> R) -> (R, Wakes) {
        let mut wakes = Wakes::default();
        let mut book = lock(&self.book);
        let result = edit(&mut book, &mut wakes);
        book.serve(&mut wakes);
        let needed = book.needs_loop();
        if needed != self.wanted.load(Ordering::Relaxed) {
            self.wanted.store(needed, Ordering::Release);
            if needed {
                wakes.extend(book.loop_waker());
            }
        }
        drop(book);
        (result, wakes)
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("name", &self.name).finish_non_exhaustive()
    }
}
