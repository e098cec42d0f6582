//! Concurrency and rate limits against simple models. Threads are in `shuttle.rs`.
//!
//! "Faults" names what was planted, one line at a time, and made that test fail.
#![cfg(not(feature = "shuttle"))]

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use hoosh_core::limit::{
    Acquire, Ask, Concurrency, ConcurrencyState, Line, Patience, Permit, Rate, Room, Ticket, TokenCharge,
};
use hoosh_core::wake::{NoWake, Wake, Waker};
use proptest::prelude::*;

#[derive(Default)]
struct Calls(AtomicU32);

impl Wake for Calls {
    fn wake(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn nobody() -> Waker {
    Arc::new(NoWake)
}

/// One request of nobody in particular.
fn one(rate: &Arc<Rate>, now_us: u64) -> Result<(), u64> {
    Line::default().take(&[Ask::one(rate)], 0, now_us).map(|_| ()).map_err(|(_, at_us)| at_us)
}

fn tokens(rates: &[Arc<Rate>], many: u64, now_us: u64) -> Result<Arc<TokenCharge>, (usize, u64)> {
    let asks: Vec<_> = rates.iter().map(|rate| Ask::tokens(rate, many)).collect();
    Line::default().take(&asks, 0, now_us).map(|charge| charge.expect("tokens are corrected"))
}

fn held(answer: Acquire) -> Permit {
    match answer {
        Acquire::Held(permit) => permit,
        other => panic!("{other:?}"),
    }
}

fn waiting(answer: Acquire) -> Ticket {
    match answer {
        Acquire::Waiting(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

#[test]
fn places_then_queue_then_refusal() {
    let limit = Concurrency::new(1, 1);
    let permit = held(limit.acquire(1, &nobody()));
    let mut ticket = waiting(limit.acquire(1, &nobody()));
    assert!(matches!(limit.acquire(2, &nobody()), Acquire::Refused));
    assert!(ticket.poll().is_none());
    assert_eq!(limit.state(), ConcurrencyState { max: 1, held: 1, max_waiting: 1, waiting: 1, room: Room::Full });
    drop(permit);
    let permit = ticket.poll().expect("the place was handed over");
    assert!(ticket.poll().is_none(), "only once");
    drop((ticket, permit));
    assert_eq!(limit.state().held, 0);
}

/// Faults: the owner gets its old turn again (owner 1 drains first); the last of an owner first.
#[test]
fn owners_take_turns_and_each_is_first_come_first_served() {
    let limit = Concurrency::new(1, 10);
    let mut permit = Some(held(limit.acquire(0, &nobody())));
    let mut tickets: Vec<(&str, Ticket)> = [("a1", 1), ("a2", 1), ("a3", 1), ("b1", 2), ("c1", 3), ("b2", 2)]
        .into_iter()
        .map(|(name, owner)| (name, waiting(limit.acquire(owner, &nobody()))))
        .collect();
    let mut order = Vec::new();
    while permit.take().is_some() {
        permit = tickets.iter_mut().find_map(|(name, ticket)| {
            let permit = ticket.poll()?;
            order.push(*name);
            Some(permit)
        });
    }
    assert_eq!(order, ["a1", "b1", "c1", "a2", "b2", "a3"]);
}

#[test]
fn raising_lets_waiters_in_and_lowering_takes_nothing_away() {
    let limit = Concurrency::new(1, 10);
    let first = held(limit.acquire(0, &nobody()));
    let calls = Arc::new(Calls::default());
    let waker: Waker = calls.clone();
    let mut tickets: Vec<Ticket> = (0..3).map(|_| waiting(limit.acquire(0, &waker))).collect();
    limit.set_max(3);
    assert_eq!(calls.0.load(Ordering::SeqCst), 2);
    let second = tickets[0].poll().unwrap();
    limit.set_max(1);
    drop(first);
    drop(tickets.remove(1));
    assert!(tickets[1].poll().is_none(), "one held, one allowed");
    assert_eq!(limit.state().held, 1);
    drop(second);
    assert!(tickets[1].poll().is_some());
}

#[derive(Clone, Debug)]
enum Op {
    Acquire(u64),
    Release(usize),
    Poll(usize),
    Leave(usize),
    SetMax(u32),
    SetMaxWaiting(u32),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => (0..4u64).prop_map(Op::Acquire),
        3 => any::<usize>().prop_map(Op::Release),
        3 => any::<usize>().prop_map(Op::Poll),
        2 => any::<usize>().prop_map(Op::Leave),
        1 => (0..5u32).prop_map(Op::SetMax),
        1 => (0..8u32).prop_map(Op::SetMaxWaiting),
    ];
    prop::collection::vec(op, 0..120)
}

/// What the limit should do, said without trees and numbers: a list of owners in the order of their turns.
#[derive(Default)]
struct Model {
    max: u32,
    max_waiting: u32,
    held: u32,
    lanes: VecDeque<(u64, VecDeque<usize>)>,
    granted: Vec<usize>,
}

impl Model {
    fn waiting(&self) -> u32 {
        self.lanes.iter().map(|(_, lane)| lane.len() as u32).sum()
    }

    fn wait(&mut self, owner: u64, ticket: usize) {
        match self.lanes.iter_mut().find(|(o, _)| *o == owner) {
            Some((_, lane)) => lane.push_back(ticket),
            None => self.lanes.push_back((owner, [ticket].into())),
        }
    }

    fn admit(&mut self) {
        while self.held < self.max {
            let Some((owner, mut lane)) = self.lanes.pop_front() else { return };
            self.granted.extend(lane.pop_front());
            self.held += 1;
            if !lane.is_empty() {
                self.lanes.push_back((owner, lane));
            }
        }
    }

    fn leave(&mut self, ticket: usize) {
        if let Some(at) = self.granted.iter().position(|t| *t == ticket) {
            self.granted.remove(at);
            self.release();
        }
        self.lanes.iter_mut().for_each(|(_, lane)| lane.retain(|t| *t != ticket));
        self.lanes.retain(|(_, lane)| !lane.is_empty());
    }

    fn release(&mut self) {
        self.held -= 1;
        if self.held < self.max {
            self.admit();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Faults: `held < max` with `<=` in `acquire`, and in `admit`; no `release` for a granted ticket that is dropped;
    /// no `admit` after a release; `queue.remove` left out of a ticket's drop; `set_max` that admits one only; a release,
    /// a raise or a ticket's drop that wakes nobody; an owner who keeps its turn, or leaves its turn behind.
    #[test]
    fn concurrency_does_what_the_model_does(max in 0..4u32, max_waiting in 0..8u32, ops in ops()) {
        let limit = Concurrency::new(max, max_waiting);
        let mut model = Model { max, max_waiting, ..Model::default() };
        let mut permits: Vec<Permit> = Vec::new();
        let mut tickets: BTreeMap<usize, (Ticket, Arc<Calls>)> = BTreeMap::new();
        let mut next = 0;
        for op in ops {
            let pick = |i: usize, n: usize| if n == 0 { None } else { Some(i % n) };
            match op {
                Op::Acquire(owner) => {
                    let calls = Arc::new(Calls::default());
                    let waker: Waker = calls.clone();
                    match limit.acquire(owner, &waker) {
                        Acquire::Held(permit) => {
                            prop_assert!(model.held < model.max);
                            model.held += 1;
                            permits.push(permit);
                        }
                        Acquire::Waiting(ticket) => {
                            prop_assert!(model.held >= model.max && model.waiting() < model.max_waiting);
                            model.wait(owner, next);
                            tickets.insert(next, (ticket, calls));
                            next += 1;
                        }
                        Acquire::Refused => {
                            prop_assert!(model.held >= model.max && model.waiting() >= model.max_waiting);
                        }
                    }
                }
                Op::Release(i) => if let Some(i) = pick(i, permits.len()) {
                    drop(permits.swap_remove(i));
                    model.release();
                },
                Op::Poll(i) => if let Some(i) = pick(i, tickets.len()) {
                    let id = *tickets.keys().nth(i).unwrap();
                    let permit = tickets.get_mut(&id).unwrap().0.poll();
                    prop_assert_eq!(permit.is_some(), model.granted.contains(&id));
                    if let Some(permit) = permit {
                        model.granted.retain(|t| *t != id);
                        tickets.remove(&id);
                        permits.push(permit);
                    }
                },
                Op::Leave(i) => if let Some(i) = pick(i, tickets.len()) {
                    let id = *tickets.keys().nth(i).unwrap();
                    tickets.remove(&id);
                    model.leave(id);
                },
                Op::SetMax(max) => {
                    limit.set_max(max);
                    model.max = max;
                    model.admit();
                }
                Op::SetMaxWaiting(max_waiting) => {
                    limit.set_max_waiting(max_waiting);
                    model.max_waiting = max_waiting;
                }
            }
            let state = limit.state();
            prop_assert_eq!((state.held, state.waiting), (model.held, model.waiting()));
            prop_assert!(state.waiting == 0 || state.held >= state.max, "a place is free and somebody waits");
            for (id, (_, calls)) in &tickets {
                prop_assert_eq!(calls.0.load(Ordering::SeqCst), u32::from(model.granted.contains(id)), "woken once, when granted");
            }
        }
        drop((permits, tickets));
        prop_assert_eq!((limit.state().held, limit.state().waiting), (0, 0));
    }

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
