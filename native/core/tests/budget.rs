//! Token pools against a store and simple sums. Threads are in `shuttle.rs`. "Faults" names what was planted, one line at a
//! time, and made that test fail.
#![cfg(not(feature = "shuttle"))]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use hoosh_core::budget::{Answer, LeaseAsk, Pool, PoolState, Reservation, Reserve, Settled, Ticket};
use hoosh_core::store::Earlier;
use hoosh_core::wake::{NoWake, Wake, Waker};
use proptest::prelude::*;

#[derive(Default)]
struct Calls(AtomicU32);

impl Calls {
    fn take(&self) -> u32 {
        self.0.swap(0, Ordering::SeqCst)
    }

    fn any(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}

impl Wake for Calls {
    fn wake(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn nobody() -> Waker {
    Arc::new(NoWake)
}

fn granted(answer: Reserve) -> Reservation {
    match answer {
        Reserve::Granted(reservation) => reservation,
        other => panic!("{other:?}"),
    }
}

fn waiting(answer: Reserve) -> Ticket {
    match answer {
        Reserve::Waiting(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

/// A pool that has its first slice.
fn leased(capacity: u64, slice: u64) -> Arc<Pool> {
    let pool = Pool::new("test", capacity, slice);
    let ask = pool.lease_wanted().unwrap();
    assert!(pool.leased(ask.id, ask.tokens));
    pool
}

#[test]
fn reserve_settle_and_drop() {
    let pool = leased(1_000, 1_000);
    let one = granted(pool.reserve(300, 300, &nobody()));
    let two = granted(pool.reserve(300, 300, &nobody()));
    assert_ne!(one.id(), two.id());
    assert_eq!(one.settle(120), Settled { overrun: 0 });
    drop(two);
    let three = granted(pool.reserve(100, 100, &nobody()));
    assert_eq!(three.settle(150), Settled { overrun: 50 });
    let expected = PoolState {
        capacity: 1_000,
        leased: 1_000,
        reserved: 0,
        used: 270,
        earlier: 0,
        lost: 0,
        overrun: 50,
        waiting: 0,
        exhausted: true,
    };
    assert_eq!(pool.state(), expected);
    let rest = granted(pool.reserve(1, 5_000, &nobody()));
    assert_eq!(rest.tokens(), 730, "what is left, as that is more than the least");
    assert!(matches!(pool.reserve(1, 1, &nobody()), Reserve::Refused { available: 0 }));
}

#[test]
fn extend_and_carve() {
    let pool = leased(100, 100);
    let mut parent = granted(pool.reserve(40, 40, &nobody()));
    assert!(parent.extend(60));
    assert!(!parent.extend(1));
    let child = parent.carve(30).unwrap();
    assert!(parent.carve(71).is_none());
    assert_eq!((parent.tokens(), child.tokens(), pool.state().reserved), (70, 30, 100));
    assert_eq!(child.settle(10), Settled { overrun: 0 });
    assert_eq!((pool.state().reserved, pool.state().used), (70, 10));
    drop(parent);
    assert_eq!((pool.state().reserved, pool.state().used), (0, 10));
}

#[test]
fn leases_are_asked_for_ahead_of_need() {
    let told = Arc::new(Calls::default());
    let pool = Pool::new("test", 10_000, 1_000);
    pool.on_lease_wanted(told.clone());
    assert_eq!(told.take(), 1, "the first slice, before anybody comes");
    let ask = pool.lease_wanted().unwrap();
    assert_eq!((ask.tokens, ask.capacity), (1_000, 10_000));
    assert_eq!(pool.lease_wanted(), None, "one question at a time");
    assert!(pool.leased(ask.id, 1_000));
    let one = granted(pool.reserve(500, 500, &nobody()));
    assert_eq!((told.take(), pool.lease_wanted()), (0, None));
    let two = granted(pool.reserve(1, 1, &nobody()));
    assert_eq!(told.take(), 1, "less than half a slice is left");
    assert!(pool.lease_wanted().is_some());
    drop((one, two));
}

#[test]
fn who_does_not_fit_waits_for_the_store_and_one_answer_serves_all_who_wait() {
    let pool = leased(10_000, 100);
    let calls = Arc::new(Calls::default());
    let waker: Waker = calls.clone();
    let mut one = waiting(pool.reserve(10, 400, &waker));
    let mut two = waiting(pool.reserve(10, 300, &waker));
    let small = granted(pool.reserve(50, 50, &nobody()));
    assert!(matches!(one.poll(), Answer::Waiting));
    let ask = pool.lease_wanted().unwrap();
    assert_eq!(ask.tokens, 800, "both and a slice");
    assert!(pool.leased(ask.id, ask.tokens));
    assert_eq!(calls.take(), 2);
    assert!(matches!((one.poll(), two.poll()), (Answer::Granted(_), Answer::Granted(_))));
    drop(small);
}

/// Fault: `answer` that does not check the id.
#[test]
fn a_second_or_late_answer_changes_nothing() {
    let pool = Pool::new("test", 10_000, 1_000);
    let ask = pool.lease_wanted().unwrap();
    assert!(!pool.leased(ask.id + 1, 1_000));
    assert!(pool.leased(ask.id, 5_000), "more than asked for is not believed");
    assert!(!pool.leased(ask.id, 1_000));
    pool.lease_failed(ask.id);
    assert_eq!(pool.state().leased, 1_000);
    let rest = granted(pool.reserve(900, 900, &nobody()));
    let next = pool.lease_wanted().unwrap();
    assert!(!pool.leased(ask.id, 1_000));
    pool.lease_failed(next.id);
    assert!(!pool.leased(next.id, 1_000), "given up");
    assert_eq!(pool.state().leased, 1_000);
    drop(rest);
}

#[test]
fn an_exhausted_store_grants_the_rest_or_refuses_until_the_capacity_changes() {
    let pool = leased(1_000, 100);
    let mut enough = waiting(pool.reserve(150, 500, &nobody()));
    let mut too_much = waiting(pool.reserve(300, 500, &nobody()));
    let ask = pool.lease_wanted().unwrap();
    assert!(pool.leased(ask.id, 60), "another process has the rest");
    let Answer::Granted(rest) = enough.poll() else { panic!() };
    assert_eq!(rest.tokens(), 160);
    assert!(matches!(too_much.poll(), Answer::Refused { available: 0 }));
    assert!(matches!(too_much.poll(), Answer::Waiting), "spent");
    assert!(matches!(pool.reserve(1, 1, &nobody()), Reserve::Refused { available: 0 }));
    assert_eq!(pool.lease_wanted(), None, "there is no more to ask for");
    pool.set_capacity(2_000);
    assert!(pool.lease_wanted().is_some());
    drop(rest);
}

/// Fault: `store_empty` without the comparison of capacities.
#[test]
fn an_answer_to_the_old_capacity_does_not_exhaust_the_new_one() {
    let pool = Pool::new("test", 100, 1_000);
    let ask = pool.lease_wanted().unwrap();
    assert_eq!(ask.tokens, 100, "no more than there is");
    pool.set_capacity(10_000);
    assert!(pool.leased(ask.id, 50));
    assert!(!pool.state().exhausted);
    assert!(pool.lease_wanted().is_some());
}

/// Faults: those who wait are not told; the loop is woken to ask again at once; the store counts as down for ever.
#[test]
fn a_failing_store_leaves_the_slice_to_be_spent() {
    let told = Arc::new(Calls::default());
    let pool = leased(10_000, 100);
    pool.on_lease_wanted(told.clone());
    let mut some = waiting(pool.reserve(10, 400, &nobody()));
    let mut all = waiting(pool.reserve(400, 400, &nobody()));
    let ask = pool.lease_wanted().unwrap();
    told.take();
    pool.lease_failed(ask.id);
    let Answer::Granted(some) = some.poll() else { panic!() };
    assert_eq!(some.tokens(), 100);
    assert!(matches!(all.poll(), Answer::Unavailable));
    assert!(!told.any(), "the loop knows, and decides when to try again");
    some.settle(50);
    assert_eq!(granted(pool.reserve(10, 400, &nobody())).tokens(), 50, "no waiting for a store that is down");
    let _all = waiting(pool.reserve(400, 400, &nobody()));
    let ask = pool.lease_wanted().expect("still wanted");
    assert!(pool.leased(ask.id, ask.tokens));
    assert_eq!(granted(pool.reserve(10, 100, &nobody())).tokens(), 100);
    drop(waiting(pool.reserve(10, 1_000, &nobody())));
}

#[test]
fn a_lowered_capacity_grants_nothing_more_and_forgets_nothing() {
    let pool = leased(1_000, 1_000);
    let one = granted(pool.reserve(600, 600, &nobody()));
    pool.set_capacity(500);
    assert!(matches!(pool.reserve(0, 1, &nobody()), Reserve::Granted(r) if r.tokens() == 0));
    assert!(matches!(pool.reserve(1, 1, &nobody()), Reserve::Refused { available: 0 }));
    one.settle(450);
    assert_eq!(granted(pool.reserve(1, 100, &nobody())).tokens(), 50);
    pool.set_capacity(1_000);
    assert_eq!(granted(pool.reserve(1, 1_000, &nobody())).tokens(), 550);
}

#[test]
fn what_no_lease_can_cover_is_refused_without_asking() {
    let pool = leased(1_000, 100);
    assert!(matches!(pool.reserve(1_001, 1_001, &nobody()), Reserve::Refused { available: 1_000 }));
    assert_eq!(pool.lease_wanted(), None);
}

#[test]
fn what_is_unspent_can_be_given_back() {
    let pool = leased(1_000, 200);
    let one = granted(pool.reserve(120, 120, &nobody()));
    assert_eq!((pool.give_back(), pool.state().leased), (80, 120));
    one.settle(20);
    assert_eq!((pool.give_back(), pool.give_back(), pool.state().leased), (100, 0, 20));
}

#[test]
fn a_later_lease_first_covers_what_was_overdrawn() {
    let pool = leased(1_000, 100);
    granted(pool.reserve(10, 10, &nobody())).settle(300);
    assert_eq!(pool.lease_wanted().unwrap().tokens, 300);
}

#[test]
fn extreme_amounts_do_not_wrap() {
    let pool = Pool::new("test", u64::MAX, u64::MAX);
    let ticket = waiting(pool.reserve(u64::MAX, u64::MAX, &nobody()));
    let ask = pool.lease_wanted().unwrap();
    assert!(pool.leased(ask.id, u64::MAX));
    drop(ticket);
    granted(pool.reserve(1, 1, &nobody())).settle(u64::MAX);
    granted(pool.reserve(0, 0, &nobody())).settle(u64::MAX);
    assert_eq!(pool.state().used, u64::MAX);
    assert!(matches!(pool.reserve(1, 1, &nobody()), Reserve::Refused { available: 0 }));
}

#[derive(Clone, Debug)]
enum Op {
    Reserve(u64, u64),
    Poll(usize),
    Leave(usize),
    Extend(usize, u64),
    Carve(usize, u64),
    Settle(usize, u64),
    Drop(usize),
    Ask,
    /// Full, or a share of 8, of what the store still has.
    Store(u64),
    StoreTwice(usize, u64),
    Fail,
    SetCapacity(u64),
    SetSlice(u64),
    Reopen,
    GiveBack,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let any = any::<usize>;
    let op = prop_oneof![
        6 => (0..200u64, 0..300u64).prop_map(|(min, want)| Op::Reserve(min, want)),
        4 => any().prop_map(Op::Poll),
        2 => any().prop_map(Op::Leave),
        2 => (any(), 0..100u64).prop_map(|(i, n)| Op::Extend(i, n)),
        2 => (any(), 0..100u64).prop_map(|(i, n)| Op::Carve(i, n)),
        4 => (any(), 0..300u64).prop_map(|(i, n)| Op::Settle(i, n)),
        2 => any().prop_map(Op::Drop),
        4 => Just(Op::Ask),
        4 => (0..16u64).prop_map(Op::Store),
        1 => (any(), 0..1_000u64).prop_map(|(i, n)| Op::StoreTwice(i, n)),
        1 => Just(Op::Fail),
        1 => (0..3_000u64).prop_map(Op::SetCapacity),
        1 => (0..300u64).prop_map(Op::SetSlice),
        1 => Just(Op::Reopen),
        1 => Just(Op::GiveBack),
    ];
    prop::collection::vec(op, 0..150)
}

/// A pool, its store, its callers, and what they know without looking into it.
struct World {
    pool: Arc<Pool>,
    told: Arc<Calls>,
    /// The loop owes another look after a failure.
    retry: bool,
    ask: Option<LeaseAsk>,
    /// Questions that were answered or given up.
    old: Vec<u64>,
    lent: u64,
    slice: u64,
    held: Vec<Reservation>,
    tickets: Vec<(Ticket, Arc<Calls>, u64, u64)>,
    used: u64,
    overrun: u64,
}

impl World {
    fn new(capacity: u64, slice: u64) -> Self {
        let pool = Pool::new("test", capacity, slice);
        let told = Arc::new(Calls::default());
        pool.on_lease_wanted(told.clone());
        World {
            pool,
            told,
            retry: false,
            ask: None,
            old: vec![],
            lent: 0,
            slice,
            held: vec![],
            tickets: vec![],
            used: 0,
            overrun: 0,
        }
    }

    fn ask(&mut self) {
        let must = (self.told.take() > 0 || self.retry) && self.ask.is_none();
        self.retry = false;
        let asked = self.pool.lease_wanted();
        assert!(asked.is_none() || must, "the loop was not told");
        if let Some(ask) = asked {
            assert!(ask.tokens > 0);
            self.ask = Some(ask);
        }
    }

    fn store(&mut self, share: u64) {
        let Some(ask) = self.ask.take() else { return };
        let rest = ask.tokens.min(ask.capacity.saturating_sub(self.lent));
        let tokens = if share > 8 { rest } else { rest * share / 8 };
        self.lent += tokens;
        assert!(self.pool.leased(ask.id, tokens));
        self.old.push(ask.id);
    }

    fn settle(&mut self, reservation: Reservation, used: u64) -> u64 {
        let tokens = reservation.tokens();
        self.used += used;
        self.overrun += used.saturating_sub(tokens);
        assert_eq!(reservation.settle(used).overrun, used.saturating_sub(tokens));
        tokens
    }

    /// Performs one operation; the result is how many tokens it certainly took out of `reserved`.
    fn perform(&mut self, op: Op) -> u64 {
        let i = |i: usize, n: usize| i % n.max(1);
        let (reservations, tickets) = (self.held.len(), self.tickets.len());
        match op {
            Op::Reserve(min, want) => self.reserve(min, want),
            Op::Poll(at) if tickets > 0 => self.poll(i(at, tickets)),
            Op::Leave(at) if tickets > 0 => drop(self.tickets.swap_remove(i(at, tickets))),
            Op::Extend(at, more) if reservations > 0 => {
                let state = self.pool.state();
                let fits = state.reserved + state.used + more <= state.leased.min(state.capacity);
                let one = &mut self.held[i(at, reservations)];
                let before = one.tokens();
                let extended = one.extend(more);
                assert_eq!(extended, fits || more == 0);
                assert_eq!(one.tokens(), before + if extended { more } else { 0 });
            }
            Op::Carve(at, tokens) if reservations > 0 => {
                let child = self.held[i(at, reservations)].carve(tokens);
                self.held.extend(child);
            }
            Op::Settle(at, used) if reservations > 0 => {
                let one = self.held.swap_remove(i(at, reservations));
                return self.settle(one, used);
            }
            Op::Drop(at) if reservations > 0 => return self.held.swap_remove(i(at, reservations)).tokens(),
            Op::Ask => self.ask(),
            Op::Store(share) => self.store(share),
            Op::StoreTwice(at, tokens) if !self.old.is_empty() => {
                let id = self.old[at % self.old.len()];
                if tokens % 2 == 0 {
                    self.pool.lease_failed(id);
                } else {
                    assert!(!self.pool.leased(id, tokens));
                }
            }
            Op::Fail => {
                if let Some(ask) = self.ask.take() {
                    self.pool.lease_failed(ask.id);
                    self.old.push(ask.id);
                    self.retry = true;
                }
            }
            Op::SetCapacity(capacity) => drop(self.pool.set_capacity(capacity)),
            Op::SetSlice(slice) => {
                self.slice = slice;
                self.pool.set_slice(slice);
            }
            Op::Reopen => self.pool.reopen(),
            Op::GiveBack => self.lent -= self.pool.give_back(),
            _ => {}
        }
        0
    }

    fn reserve(&mut self, min: u64, want: u64) {
        let calls = Arc::new(Calls::default());
        let waker: Waker = calls.clone();
        let min = min.min(want);
        match self.pool.reserve(min, want, &waker) {
            Reserve::Granted(one) => {
                assert!(min <= one.tokens() && one.tokens() <= want);
                self.held.push(one);
            }
            Reserve::Waiting(ticket) => self.tickets.push((ticket, calls, min, want)),
            Reserve::Refused { available } => assert!(available < min),
        }
    }

    fn poll(&mut self, at: usize) {
        let (ticket, calls, min, want) = &mut self.tickets[at];
        let answer = ticket.poll();
        assert_eq!(!matches!(answer, Answer::Waiting), calls.any(), "woken exactly when there is an answer");
        match answer {
            Answer::Waiting => return,
            Answer::Granted(one) => {
                assert!(*min <= one.tokens() && one.tokens() <= *want);
                self.held.push(one);
            }
            Answer::Refused { available } => assert!(available < *min),
            Answer::Unavailable => {}
        }
        self.tickets.swap_remove(at);
    }

    fn check(&self, before: PoolState, released: u64) {
        let state = self.pool.state();
        assert_eq!((state.used, state.overrun), (self.used, self.overrun));
        assert_eq!(state.leased, self.lent);
        let held: u64 = self.held.iter().map(Reservation::tokens).sum();
        let answered = self.tickets.iter().filter(|(_, calls, ..)| calls.any()).count();
        assert!(state.reserved >= held);
        assert!(state.reserved == held || answered > 0, "tokens that nobody holds");
        assert_eq!(state.waiting, self.tickets.len() - answered);
        if state.reserved + released > before.reserved {
            assert!(state.reserved + state.used <= state.leased.min(state.capacity), "granted beyond the lease");
        }
        let free = state.leased.min(state.capacity).saturating_sub(state.reserved + state.used);
        if !state.exhausted && (state.waiting > 0 || free < self.slice / 2) {
            assert!(self.ask.is_some() || self.told.any() || self.retry, "nobody will ask the store");
        }
        assert!(!state.exhausted || state.waiting == 0, "waits for nothing");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// Faults: `free` without the capacity, or without `used`; a settle that keeps the reservation; a drop after settle
    /// that settles again; a ticket's drop that forgets its grant; no `serve` after a change; no wake of a waiter; no
    /// wake of the loop; `carve` that keeps its tokens; `overrun` not added; a second answer believed; two questions at
    /// once; `extend` without a look at `free`; `give_back` that keeps the lease.
    #[test]
    fn the_books_balance(capacity in 0..3_000u64, slice in 0..300u64, ops in ops()) {
        let mut world = World::new(capacity, slice);
        for op in ops {
            let before = world.pool.state();
            let released = world.perform(op);
            world.check(before, released);
        }
        world.tickets.clear();
        world.held.clear();
        let state = world.pool.state();
        prop_assert_eq!((state.reserved, state.waiting), (0, 0));
    }
}

#[test]
fn what_earlier_runs_took_is_not_lent_again() {
    let pool = Pool::unrestored("test", 1_000, 400);
    assert!(pool.restore_wanted());
    assert!(!pool.restore_wanted(), "it is asked once");
    assert_eq!(pool.lease_wanted(), None, "nothing is leased before it is known");
    pool.restored(Earlier { used: 300, lost: 200, lost_by_last: 0 });
    pool.restored(Earlier { used: 0, lost: 0, lost_by_last: 0 });
    let ask = pool.lease_wanted().unwrap();
    assert_eq!((ask.tokens, ask.capacity), (400, 1_000));
    pool.leased(ask.id, 400);
    granted(pool.reserve(400, 400, &nobody())).settle(450);
    let ask = pool.lease_wanted().unwrap();
    assert_eq!(ask.tokens, 100, "no more than is left");
    pool.leased(ask.id, 100);
    assert!(matches!(pool.reserve(51, 51, &nobody()), Reserve::Refused { available: 50 }));
    let state = pool.state();
    assert_eq!((state.used, state.earlier, state.lost), (750, 300, 200));
}

#[test]
fn a_store_that_cannot_say_what_was_is_asked_again() {
    let pool = Pool::unrestored("test", 1_000, 400);
    let Reserve::Waiting(mut ticket) = pool.reserve(1, 10, &nobody()) else { panic!("nothing is leased") };
    assert!(pool.restore_wanted());
    pool.restore_failed();
    assert!(matches!(ticket.poll(), Answer::Unavailable));
    assert!(pool.restore_wanted());
    pool.restored(Earlier { used: 1_000, lost: 0, lost_by_last: 0 });
    assert_eq!(pool.lease_wanted(), None);
    assert!(matches!(pool.reserve(1, 10, &nobody()), Reserve::Refused { available: 0 }));
}

#[test]
fn a_run_that_ended_is_an_earlier_one() {
    let pool = leased(1_000, 1_000);
    granted(pool.reserve(100, 100, &nobody())).settle(60);
    pool.end_run();
    assert!(pool.restore_wanted());
    pool.restored(Earlier { used: 60, lost: 0, lost_by_last: 0 });
    let state = pool.state();
    assert_eq!((state.leased, state.used, state.earlier), (0, 60, 60));
    assert_eq!(pool.lease_wanted().unwrap().tokens, 940);
}
