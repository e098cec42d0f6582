//! The line of those who wait for their turn at a rate.

use std::sync::atomic::Ordering;
use std::sync::Arc;

use hoosh_core::limit::{Ask, Line, Patience, Rate, TokenCharge};
use hoosh_core::wake::Waker;

use super::{nobody, one, tokens, Calls};

/// What a waiter is told, and whether it was woken.
struct Stander {
    line: Line,
    owner: u64,
    many: u64,
    calls: Arc<Calls>,
    due_us: u64,
}

const PATIENT: Patience = Patience { until_us: u64::MAX - 1, max_waiting: 100 };

impl Stander {
    fn new(rate: &Arc<Rate>, owner: u64, many: u64, now_us: u64) -> Stander {
        let mut one = Stander { line: Line::default(), owner, many, calls: Arc::default(), due_us: 0 };
        assert!(one.look(rate, now_us).is_none(), "it was let in");
        one
    }

    /// As an exchange looks: `Some` once it is let in.
    fn look(&mut self, rate: &Arc<Rate>, now_us: u64) -> Option<Arc<TokenCharge>> {
        let asks = [Ask::tokens(rate, self.many)];
        if self.line.rest_us(now_us).is_some() {
            return None;
        }
        if let Ok(charge) = self.line.take(&asks, self.owner, now_us) {
            return charge;
        }
        let waker: Waker = self.calls.clone();
        self.due_us = self.line.wait(&asks, self.owner, &waker, PATIENT, now_us).unwrap();
        None
    }

    fn was_woken(&self) -> bool {
        self.calls.0.load(Ordering::SeqCst) > 0
    }
}

/// Faults: an owner that keeps its turn after it was served; `ahead` that counts a lane to its end.
#[test]
fn owners_take_turns_at_a_rate_and_each_knows_its_time() {
    let rate = Arc::new(Rate::new(60, 60));
    let _all = tokens(std::slice::from_ref(&rate), 60, 0).unwrap();
    let names = [("a1", 1), ("a2", 1), ("a3", 1), ("b1", 2), ("c1", 3), ("b2", 2)];
    let mut all: Vec<_> = names.map(|(name, owner)| (name, Stander::new(&rate, owner, 1, 0))).into();
    let mut order = Vec::new();
    let mut now = 0;
    while !all.is_empty() {
        now = all.iter().map(|(_, one)| one.due_us).min().unwrap();
        let before = order.len();
        all.retain_mut(|(name, one)| match one.look(&rate, now) {
            Some(charge) => {
                charge.add_used(1);
                order.push((*name, now / 1_000_000));
                false
            }
            None => true,
        });
        assert!(order.len() > before, "a time came, and nobody's turn with it");
    }
    assert_eq!(order, [("a1", 1), ("b1", 2), ("c1", 3), ("a2", 4), ("b2", 5), ("a3", 6)]);
    assert_eq!((now, rate.waiting()), (6_000_000, 0));
}

#[test]
fn whoever_leaves_or_gives_back_wakes_the_first_and_that_one_the_next() {
    let rate = Arc::new(Rate::new(60, 60));
    let charge = tokens(std::slice::from_ref(&rate), 60, 0).unwrap();
    let mut all: Vec<_> = (0..3).map(|_| Stander::new(&rate, 1, 20, 0)).collect();
    assert_eq!(all.iter().map(|one| one.due_us / 1_000_000).collect::<Vec<_>>(), [20, 40, 60]);
    all.remove(0);
    assert!(all[0].was_woken() && !all[1].was_woken());
    assert!(all[0].look(&rate, 0).is_none() && all[0].due_us == 20_000_000);
    assert!(all[1].look(&rate, 0).is_none() && all[1].due_us == 60_000_000, "it rests until it is woken");
    all[0].calls.0.store(0, Ordering::SeqCst);
    charge.add_used(10);
    drop(charge);
    assert!(all[0].was_woken());
    let first = all[0].look(&rate, 1);
    assert!(first.is_some() && all[1].was_woken(), "there is room for it too");
    assert!(all[1].look(&rate, 1).is_some());
}

#[test]
fn whoever_is_slow_to_take_its_turn_delays_nobody_and_loses_nothing() {
    let rate = Arc::new(Rate::new(60, 60));
    let _all = tokens(std::slice::from_ref(&rate), 60, 0).unwrap();
    let mut all: Vec<_> = (0..2).map(|_| Stander::new(&rate, 1, 5, 0)).collect();
    let second = all[1].look(&rate, 10_000_000);
    assert!(second.is_some(), "there is room for it and for the one before it");
    assert!(tokens(std::slice::from_ref(&rate), 1, 10_000_000).is_err(), "for a third there is none");
    assert!(all[0].look(&rate, 10_000_000).is_some());
}

#[test]
fn a_full_line_a_far_turn_and_more_than_a_minutes_are_not_waited_for() {
    let rate = Arc::new(Rate::new(60, 60));
    let _all = tokens(std::slice::from_ref(&rate), 60, 0).unwrap();
    let asked = |many, until_us, max_waiting| {
        let patience = Patience { until_us, max_waiting };
        let (mut line, asks) = (Line::default(), [Ask::tokens(&rate, many)]);
        let looked = Line::look(&asks, 1, patience, 0);
        let told = line.wait(&asks, 1, &nobody(), patience, 0);
        assert_eq!(looked, told);
        told.map(|due_us| (line, due_us))
    };
    let (_stands, due_us) = asked(5, 5_000_000, 1).unwrap();
    assert_eq!((due_us, rate.waiting()), (5_000_000, 1));
    assert_eq!(asked(5, 60_000_000, 1).unwrap_err(), (0, 10_000_000), "the line is full");
    assert_eq!(asked(5, 9_999_999, 2).unwrap_err(), (0, 10_000_000), "it is too late");
    assert_eq!(asked(61, u64::MAX - 1, 2).unwrap_err(), (0, u64::MAX));
    assert_eq!(rate.waiting(), 1);
}

#[test]
fn a_backlog_stands_before_its_own_rate_and_only_there() {
    let (key, gateway) = (Arc::new(Rate::new(60, 1)), Arc::new(Rate::new(600, 1)));
    let asks = [Ask::one(&key), Ask::one(&gateway)];
    let mut first = Line::default();
    first.take(&asks, 1, 0).unwrap();
    let mut lines: Vec<Line> = (0..5).map(|_| Line::default()).collect();
    let wait = |line: &mut Line, now_us| line.wait(&asks, 1, &nobody(), PATIENT, now_us).unwrap();
    let due: Vec<u64> = lines.iter_mut().map(|line| wait(line, 0) / 1_000_000).collect();
    assert_eq!((due, key.waiting(), gateway.waiting()), (vec![1, 2, 3, 4, 5], 5, 0));
    // Somebody else takes what the gateway has just then: the key's turn is kept, and the gateway's waited for.
    one(&gateway, 1_000_000).unwrap();
    assert_eq!(lines[0].take(&asks, 1, 1_000_000).unwrap_err(), (1, 1_100_000));
    assert_eq!(wait(&mut lines[0], 1_000_000), 1_100_000);
    assert_eq!((key.waiting(), gateway.waiting()), (4, 1));
    assert_eq!(key.peek(1, 1, 1_100_000), Err(6_100_000), "its turn at the key is still its own");
    lines[0].take(&asks, 1, 1_100_000).unwrap();
    drop(lines);
    assert_eq!((key.waiting(), gateway.waiting()), (0, 0));
    assert!(key.peek(1, 1, 2_100_000).is_ok() && key.has_room(1));
}

#[test]
fn of_several_rates_the_one_whose_turn_comes_last_refuses() {
    let (slow, fast, never) = (Arc::new(Rate::new(6, 1)), Arc::new(Rate::new(60, 1)), Arc::new(Rate::new(1, 1)));
    let both = [Ask::one(&slow), Ask::one(&fast)];
    let mut line = Line::default();
    line.take(&both, 1, 0).unwrap();
    assert_eq!(line.peek(&both, 1, 0), Err((0, 10_000_000)));
    assert_eq!(line.take(&both, 1, 0).unwrap_err(), (0, 10_000_000));
    let patience = Patience { until_us: 5_000_000, max_waiting: 9 };
    assert_eq!(Line::look(&both, 1, patience, 0), Err((0, 10_000_000)));
    assert_eq!(line.wait(&both, 1, &nobody(), patience, 0), Err((0, 10_000_000)));
    assert_eq!(Line::look(&both, 1, Patience::NONE, 10_000_000), Ok(10_000_000), "all of them have room");
    let large = [Ask::tokens(&never, 2), Ask::one(&fast)];
    assert_eq!(line.take(&large, 1, 0).unwrap_err(), (0, u64::MAX), "no turn comes");
}

#[test]
fn a_new_rate_wakes_all_who_wait() {
    let rate = Arc::new(Rate::new(60, 60));
    let _all = tokens(std::slice::from_ref(&rate), 60, 0).unwrap();
    let mut all: Vec<_> = (0..3).map(|_| Stander::new(&rate, 1, 10, 0)).collect();
    drop(rate.set_rate(600, 600, 0));
    assert!(all.iter().all(Stander::was_woken));
    assert!(all.iter_mut().all(|one| one.look(&rate, 0).is_some()));
}
