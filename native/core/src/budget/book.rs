//! The arithmetic of a pool, behind its lock: no locks, no waking, no guards.

mod runs;

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::{LeaseAsk, PoolState};
use crate::store::Earlier;
use crate::wake::{Waker, Wakes};

pub(super) struct Book {
    capacity: u64,
    slice: u64,
    leased: u64,
    reserved: u64,
    used: u64,
    overrun: u64,
    /// What earlier runs took of the capacity.
    earlier: Earlier,
    /// Whether `earlier` is known, or asked for. Until it is known nothing is leased.
    earlier_known: bool,
    earlier_asked: bool,
    /// The store lent less than it was asked for.
    store_empty: bool,
    /// The store's last answer was a failure. Until a better one, nobody waits who can be served by what is here.
    store_down: bool,
    /// The question that the store has not answered.
    asked: Option<LeaseAsk>,
    /// In the order of arrival.
    waiters: BTreeMap<u64, Waiter>,
    /// What became of waiters whose ticket has not looked yet. Granted tokens are in `reserved`.
    verdicts: HashMap<u64, Verdict, FixedState>,
    /// Numbers reservations, tickets and questions.
    last_id: u64,
    loop_waker: Option<Waker>,
    /// The budget is not in the configuration: the loop is wanted for what comes free.
    retired: bool,
}

pub(super) struct Waiter {
    min: u64,
    want: u64,
    waker: Waker,
}

#[derive(Clone, Copy)]
pub(super) enum Verdict {
    Granted(u64),
    Refused(u64),
    Unavailable,
}

pub(super) enum Took {
    Granted { id: u64, tokens: u64 },
    Waiting { id: u64 },
    Refused { available: u64 },
}

impl Book {
    pub(super) fn new(capacity: u64, slice: u64, earlier_known: bool) -> Self {
        Book {
            capacity,
            slice: slice.max(1),
            leased: 0,
            reserved: 0,
            used: 0,
            overrun: 0,
            earlier: Earlier::default(),
            earlier_known,
            earlier_asked: false,
            store_empty: false,
            store_down: false,
            asked: None,
            waiters: BTreeMap::new(),
            verdicts: HashMap::with_hasher(FixedState::with_seed(0x0062_7564_6765_7473)),
            last_id: 0,
            loop_waker: None,
            retired: false,
        }
    }

    fn committed(&self) -> u64 {
        self.reserved.saturating_add(self.used)
    }

    /// What may still be granted. An overrun or a lowered capacity can leave nothing for a while.
    fn free(&self) -> u64 {
        self.leased.min(self.ceiling()).saturating_sub(self.committed())
    }

    /// Nothing more can be leased. All leases of all processes stay within the capacity, so ours alone may show it.
    fn exhausted(&self) -> bool {
        self.store_empty || self.leased >= self.ceiling()
    }

    /// Leased, and neither used nor reserved.
    fn unspent(&self) -> u64 {
        self.leased.saturating_sub(self.committed())
    }

    /// Whether there is something to ask the store.
    pub(super) fn needs_loop(&self) -> bool {
        if self.retired {
            self.unspent() > 0
        } else {
            self.earlier_needed() || self.lease_needed()
        }
    }

    fn lease_needed(&self) -> bool {
        self.earlier_known
            && self.asked.is_none()
            && !self.exhausted()
            && (!self.waiters.is_empty() || self.free() < self.slice / 2)
    }

    pub(super) fn number(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// How much of a request what is here covers, given whether more may come.
    fn cover(&self, min: u64, want: u64) -> Option<u64> {
        let free = self.free();
        let enough = if self.exhausted() || self.store_down { min } else { want };
        (free >= enough).then_some(free.min(want))
    }

    /// A request that fits is served although others wait for the store: they wait because they are larger than the
    /// slice, and a silent store must not hold up what the slice can still pay for. They are not starved, because the
    /// question to the store covers all of them whole ([`Self::ask`]).
    pub(super) fn reserve(&mut self, min: u64, want: u64, waker: &Waker) -> Took {
        if let Some(tokens) = self.cover(min, want) {
            self.reserved += tokens;
            return Took::Granted { id: self.number(), tokens };
        }
        if let Err(available) = self.quote(min, want) {
            return Took::Refused { available };
        }
        let id = self.number();
        self.waiters.insert(id, Waiter { min, want, waker: waker.clone() });
        Took::Waiting { id }
    }

    /// What a request would be granted once the store gave what is left there, or what there is where that is too little.
    pub(super) fn quote(&self, min: u64, want: u64) -> Result<u64, u64> {
        // Where no lease can help, nothing is drawn away from other processes only to learn that.
        let available = if self.exhausted() { self.free() } else { self.capacity.saturating_sub(self.committed()) };
        if min > available {
            return Err(available);
        }
        Ok(want.min(available))
    }

    /// Answers waiters in the order of arrival, up to the first that must go on waiting.
    pub(super) fn serve(&mut self, wakes: &mut Wakes) {
        while let Some((&id, waiter)) = self.waiters.first_key_value() {
            let verdict = match self.cover(waiter.min, waiter.want) {
                Some(tokens) => Verdict::Granted(tokens),
                None if self.exhausted() => Verdict::Refused(self.free()),
                None => return,
            };
            self.resolve(id, verdict, wakes);
        }
    }

    fn resolve(&mut self, id: u64, verdict: Verdict, wakes: &mut Wakes) {
        if let Verdict::Granted(tokens) = verdict {
            self.reserved += tokens;
        }
        self.verdicts.insert(id, verdict);
        wakes.extend(self.waiters.remove(&id).map(|waiter| waiter.waker));
    }

    /// A ticket looks: its verdict, handed over once.
    pub(super) fn fetch(&mut self, ticket: u64) -> Option<Verdict> {
        self.verdicts.remove(&ticket)
    }

    /// A ticket leaves. What it was granted is free again; the waiter goes back to be dropped outside the lock.
    pub(super) fn leave(&mut self, ticket: u64) -> Option<Waiter> {
        if let Some(Verdict::Granted(tokens)) = self.fetch(ticket) {
            self.reserved -= tokens;
        }
        self.waiters.remove(&ticket)
    }

    pub(super) fn extend(&mut self, more: u64) -> bool {
        let fits = self.free() >= more;
        if fits {
            self.reserved += more;
        }
        fits
    }

    /// Ends a reservation of `tokens`; the result is what was used beyond it.
    pub(super) fn settle(&mut self, tokens: u64, used: u64) -> u64 {
        let overrun = used.saturating_sub(tokens);
        self.reserved -= tokens;
        self.used = self.used.saturating_add(used);
        self.overrun = self.overrun.saturating_add(overrun);
        overrun
    }

    /// Asks for what is overdrawn, all that is waited for and a slice on top, within the capacity. Counting the waiters
    /// whole, whatever is free now, makes one full answer serve them all.
    pub(super) fn ask(&mut self) -> Option<LeaseAsk> {
        if !self.lease_needed() {
            return None;
        }
        let overdrawn = self.committed().saturating_sub(self.leased);
        let wants = self.waiters.values().fold(overdrawn, |sum, waiter| sum.saturating_add(waiter.want));
        let tokens = wants.saturating_add(self.slice).min(self.ceiling() - self.leased);
        let ask = LeaseAsk { id: self.number(), tokens, capacity: self.capacity };
        self.asked = Some(ask);
        Some(ask)
    }

    pub(super) fn answer(&mut self, id: u64, tokens: u64) -> bool {
        let Some(ask) = self.asked.take_if(|ask| ask.id == id) else { return false };
        self.leased += tokens.min(ask.tokens);
        self.store_down = false;
        // A capacity that was raised while the question was out is not exhausted by an answer to the old one.
        self.store_empty = tokens < ask.tokens && ask.capacity == self.capacity;
        true
    }

    /// Whether the question was open. What is here goes to those for whom it is enough, the others are told.
    pub(super) fn fail(&mut self, id: u64, wakes: &mut Wakes) -> bool {
        if self.asked.take_if(|ask| ask.id == id).is_none() {
            return false;
        }
        self.down(wakes);
        true
    }

    /// The store failed: what is here goes to those for whom it is enough, the others are told.
    fn down(&mut self, wakes: &mut Wakes) {
        self.store_down = true;
        while let Some((&id, waiter)) = self.waiters.first_key_value() {
            let verdict = self.cover(waiter.min, waiter.want).map_or(Verdict::Unavailable, Verdict::Granted);
            self.resolve(id, verdict, wakes);
        }
    }

    pub(super) fn set_capacity(&mut self, capacity: u64) {
        self.capacity = capacity;
        self.store_empty = false;
        self.retired = false;
    }

    pub(super) fn set_slice(&mut self, slice: u64) {
        self.slice = slice.max(1);
    }

    pub(super) fn retire(&mut self) {
        self.capacity = 0;
        self.retired = true;
    }

    pub(super) fn is_retired(&self) -> bool {
        self.retired
    }

    pub(super) fn reopen(&mut self) {
        self.store_empty = false;
    }

    pub(super) fn give_back(&mut self) -> u64 {
        let unspent = self.unspent();
        self.leased -= unspent;
        if unspent > 0 {
            self.store_empty = false;
        }
        unspent
    }

    pub(super) fn set_loop_waker(&mut self, waker: Waker) -> Option<Waker> {
        self.loop_waker.replace(waker)
    }

    pub(super) fn loop_waker(&self) -> Option<Waker> {
        self.loop_waker.clone()
    }

    pub(super) fn state(&self) -> PoolState {
        PoolState {
            capacity: self.capacity,
            leased: self.leased,
            reserved: self.reserved,
            earlier: self.earlier.used,
            lost: self.earlier.lost,
            used: self.earlier.used.saturating_add(self.used),
            overrun: self.overrun,
            waiting: self.waiters.len(),
            exhausted: self.exhausted(),
        }
    }
}
