//! What earlier runs took of a budget, as the store tells it.

use hoosh_core::budget::{Answer, Pool, Reserve};
use hoosh_core::store::Earlier;

use super::{granted, leased, nobody};

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
