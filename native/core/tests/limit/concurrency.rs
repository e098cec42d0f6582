//! Places: how many at once, and who waits for one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::Arc;

use hoosh_core::limit::{Acquire, Concurrency, ConcurrencyState, Permit, Room, Ticket};
use hoosh_core::wake::Waker;
use proptest::prelude::*;

use super::{nobody, Calls};

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
}
