//! Requests and tokens a minute, taken or refused at once.

use std::sync::Arc;

use hoosh_core::limit::{Rate, TokenCharge};
use proptest::prelude::*;

use super::{one, tokens};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Faults: burst counted one too many; `empty_at.max(now)` without the `max`; the waiting time rounded down.
    #[test]
    fn rate_is_an_exact_token_bucket(
        per_minute in 1..2_000u32,
        burst in 1..20u32,
        steps in prop::collection::vec(prop_oneof![Just(0u64), 1..1_000u64, 0..90_000_000u64], 1..100),
    ) {
        const COST: u128 = 60_000_000;
        let rate = Arc::new(Rate::new(per_minute, burst));
        let full = u128::from(burst) * COST;
        let (mut now, mut level) = (0u64, full);
        for step in steps {
            now += step;
            level = full.min(level + u128::from(step) * u128::from(per_minute));
            match one(&rate, now) {
                Ok(()) => {
                    prop_assert!(level >= COST);
                    level -= COST;
                }
                Err(free_at) => {
                    prop_assert!(level < COST);
                    prop_assert!(rate.peek(0, 1, free_at - 1).is_err() && rate.peek(0, 1, free_at).is_ok());
                }
            }
        }
    }
}

proptest! {
    /// Faults: those behind a corrected one not moved; all that was unused given back, drained or not.
    #[test]
    fn what_is_used_keeps_to_the_bound_in_every_span(
        per_minute in 1..3_000u32,
        burst in 1..200u32,
        ops in prop::collection::vec((0..20_000_000u64, 1..200u64, prop::option::of((0..8usize, 0..=100u64))), 1..60),
    ) {
        const COST: u128 = 60_000_000;
        let rate = Arc::new(Rate::new(per_minute, burst));
        let mut now = 0u64;
        // When, how many count against the bound, and what was taken if that is not known yet.
        let mut all: Vec<(u64, u64, u64, Option<Arc<TokenCharge>>)> = Vec::new();
        for (step, many, corrected) in ops {
            now += step / many;
            match tokens(std::slice::from_ref(&rate), many, now).map_err(|(_, until_us)| until_us) {
                Ok(taken) => all.push((now, many, many, Some(taken))),
                Err(u64::MAX) => prop_assert!(many > u64::from(burst)),
                Err(free_at) => {
                    prop_assert!(rate.peek(0, many, free_at - 1).is_err() && rate.peek(0, many, free_at).is_ok());
                }
            }
            if let Some((at, percent)) = corrected {
                if let Some((_, used, many, taken)) = all.iter_mut().rev().nth(at) {
                    if let Some(taken) = taken.take() {
                        *used = *many * percent / 100;
                        taken.add_used(*used);
                    }
                }
            }
            for from in 0..all.len() {
                let span = u128::from(now - all[from].0);
                let used: u64 = all[from..].iter().map(|one| one.1).sum();
                let most = u128::from(burst) * COST + span * u128::from(per_minute);
                prop_assert!(u128::from(used) * COST <= most, "{} in {} µs", used, span);
            }
        }
    }
}

#[test]
fn tokens_are_taken_of_all_rates_or_of_none_and_come_back_when_they_were_not_used() {
    let rates = [Arc::new(Rate::new(600, 600)), Arc::new(Rate::new(100, 100))];
    let refused = tokens(&rates, 200, 0).unwrap_err();
    assert_eq!(refused, (1, u64::MAX), "more than a minute's of the second");
    let charge = tokens(&rates, 80, 0).unwrap();
    let standings = || (rates[0].standing(0).remaining, rates[1].standing(0).remaining);
    assert_eq!(standings(), (520, 20));
    assert_eq!(tokens(&rates, 80, 0).unwrap_err(), (1, 36_000_000));
    assert_eq!(standings(), (520, 20), "the first took nothing for a request that the second refused");
    let child = charge.clone();
    charge.add_used(10);
    drop(charge);
    assert_eq!(standings(), (520, 20), "a part of it is still at work");
    child.add_used(20);
    drop(child);
    assert_eq!(standings(), (570, 70));
    assert_eq!(rates[1].standing(0).reset_us, 18_000_000);
    let charge = tokens(&rates, 10, 0).unwrap();
    charge.add_used(1_000);
    drop(charge);
    assert_eq!(standings(), (0, 0), "what was used beyond the bound is owed");
    assert!(rates[1].peek(0, 1, 60_000_000).is_err());
}

#[test]
fn seven_a_minute_is_seven_a_minute() {
    let (rate, hour) = (Arc::new(Rate::new(7, 2)), 60 * 60_000_000);
    let (mut now, mut taken) = (0, 0);
    while now <= hour {
        match one(&rate, now) {
            Ok(()) => taken += 1,
            Err(free_at) => {
                assert!(free_at > now);
                now = free_at;
            }
        }
    }
    assert_eq!(taken, 2 + 7 * 60, "the burst, and then the rate, the last one at the full hour");
}

#[test]
fn a_refund_makes_room_and_never_more_than_the_burst() {
    let rate = Arc::new(Rate::new(60, 2));
    let charge = tokens(std::slice::from_ref(&rate), 2, 0).unwrap();
    assert_eq!(one(&rate, 0), Err(1_000_000));
    drop(charge);
    let charges = [(); 2].map(|()| tokens(std::slice::from_ref(&rate), 1, 0).unwrap());
    assert_eq!(one(&rate, 5_000_000), Ok(()));
    drop(charges);
    assert_eq!([one(&rate, 5_000_000), one(&rate, 5_000_000)], [Ok(()), Err(6_000_000)]);
}

#[test]
fn a_new_rate_keeps_the_backlog_in_requests() {
    let rate = Arc::new(Rate::new(1, 1));
    one(&rate, 0).unwrap();
    assert_eq!(rate.peek(0, 1, 0), Err(60_000_000));
    rate.set_rate(60, 1, 0);
    assert_eq!(rate.peek(0, 1, 0), Err(1_000_000));
    rate.set_rate(60, 5, 0);
    (0..4).for_each(|_| one(&rate, 0).unwrap());
    rate.set_rate(60, 1, 0);
    assert_eq!(rate.peek(0, 1, 0), Err(1_000_000), "a backlog above the new burst is forgiven");
}

#[test]
fn odd_rates_and_times() {
    assert_eq!(Rate::new(0, 5).peek(0, 1, 7), Err(u64::MAX));
    let rate = Arc::new(Rate::new(u32::MAX, 0));
    assert_eq!(one(&rate, u64::MAX), Ok(()));
    rate.set_rate(1, 1, u64::MAX);
    assert!(one(&rate, u64::MAX).is_err(), "never, as far as the clock goes");
}
