//! Token pools against a store and simple sums. Threads are in `shuttle.rs`. "Faults" names what was planted, one line at a
//! time, and made that test fail.
#![cfg(not(feature = "shuttle"))]

mod model;
mod runs;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use hoosh_core::budget::{Answer, Pool, PoolState, Reservation, Reserve, Settled, Ticket};
use hoosh_core::wake::{NoWake, Wake, Waker};

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
