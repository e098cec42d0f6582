//! Single flight against a simple model. Threads are in `shuttle.rs`. "Faults" names what was planted, one line at a time,
//! and made that test fail.
#![cfg(not(feature = "shuttle"))]

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use hoosh_core::flight::{Flights, Follow, Follower, Join, Leader};
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

fn leader(join: Join<u32>) -> Leader<u32> {
    match join {
        Join::Leader(leader) => leader,
        other => panic!("{other:?}"),
    }
}

fn follower(join: Join<u32>) -> Follower<u32> {
    match join {
        Join::Follower(follower) => follower,
        other => panic!("{other:?}"),
    }
}

#[test]
fn followers_get_the_leaders_answer() {
    let flights = Flights::new();
    let lead = leader(flights.join([7; 32], &nobody()));
    let mut one = follower(flights.join([7; 32], &nobody()));
    let mut two = follower(flights.join([7; 32], &nobody()));
    let _other = leader(flights.join([8; 32], &nobody()));
    assert!(matches!(one.poll(), Follow::Waiting));
    lead.land(Arc::new(42));
    assert_eq!(flights.len(), 1, "only the other key");
    let _next = leader(flights.join([7; 32], &nobody()));
    for follower in [&mut one, &mut two] {
        assert!(matches!(follower.poll(), Follow::Landed(answer) if *answer == 42));
    }
}

#[test]
fn a_leader_that_fails_promotes_exactly_one() {
    let flights = Flights::new();
    let lead = leader(flights.join([7; 32], &nobody()));
    let mut one = follower(flights.join([7; 32], &nobody()));
    let mut two = follower(flights.join([7; 32], &nobody()));
    drop(lead);
    assert!(matches!(two.poll(), Follow::Waiting));
    let Follow::Promoted(lead) = one.poll() else { panic!() };
    assert!(matches!(one.poll(), Follow::Waiting), "spent");
    drop(one);
    drop(lead);
    assert!(matches!(two.poll(), Follow::Promoted(_)), "dropped again at once");
    drop(two);
    assert!(flights.is_empty());
}

#[test]
fn an_answer_that_is_not_to_be_shared_sends_all_on_their_own_ways() {
    let flights = Flights::new();
    let lead = leader(flights.join([7; 32], &nobody()));
    let mut one = follower(flights.join([7; 32], &nobody()));
    let mut two = follower(flights.join([7; 32], &nobody()));
    lead.part();
    assert!(flights.is_empty());
    let _next = leader(flights.join([7; 32], &nobody()));
    for follower in [&mut one, &mut two] {
        assert!(matches!(follower.poll(), Follow::Parted));
    }
}

#[test]
fn an_heir_who_leaves_before_looking_passes_the_lead_on() {
    let flights = Flights::new();
    let lead = leader(flights.join([7; 32], &nobody()));
    let one = follower(flights.join([7; 32], &nobody()));
    let mut two = follower(flights.join([7; 32], &nobody()));
    drop(lead);
    drop(one);
    assert!(matches!(two.poll(), Follow::Promoted(_)));
    drop(two);
    assert!(flights.is_empty());
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Landed,
    Parted,
    Failed,
}

#[derive(Clone, Debug)]
enum Op {
    Join(u8),
    Land(usize, End),
    Poll(usize),
    Leave(usize),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let end = prop_oneof![Just(End::Landed), Just(End::Parted), Just(End::Failed)];
    let op = prop_oneof![
        4 => (0..3u8).prop_map(Op::Join),
        2 => (any::<usize>(), end).prop_map(|(i, end)| Op::Land(i, end)),
        3 => any::<usize>().prop_map(Op::Poll),
        2 => any::<usize>().prop_map(Op::Leave),
    ];
    prop::collection::vec(op, 0..100)
}

/// One key in flight: who leads (by number), whether that one knows, and who waits, in order.
struct Air {
    lead: usize,
    knows: bool,
    waiting: VecDeque<usize>,
}

#[derive(Default)]
struct Model {
    air: BTreeMap<u8, Air>,
    landed: BTreeMap<usize, Option<u32>>,
    woken: BTreeMap<usize, u32>,
}

impl Model {
    fn wake(&mut self, who: usize) {
        *self.woken.entry(who).or_default() += 1;
    }

    fn pass_on(&mut self, key: u8) {
        let air = self.air.get_mut(&key).unwrap();
        match air.waiting.pop_front() {
            Some(heir) => {
                (air.lead, air.knows) = (heir, false);
                self.wake(heir);
            }
            None => drop(self.air.remove(&key)),
        }
    }

    fn land(&mut self, key: u8, answer: Option<u32>) {
        for who in self.air.remove(&key).unwrap().waiting {
            self.landed.insert(who, answer);
            self.wake(who);
        }
    }

    fn leave(&mut self, key: u8, who: usize) {
        let Some(air) = self.air.get_mut(&key) else { return };
        air.waiting.retain(|w| *w != who);
        if air.lead == who {
            self.pass_on(key);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Faults: `heir = None` left out of `poll` (two leaders); no `pass_on` in a follower's drop (nobody leads); the
    /// `landing` check left out of `poll`; `followers.remove` left out of the drop (a ghost inherits); the entry not
    /// removed by `pass_on`; `part` that only drops the leader; no wake in `land`, in a leader's drop, in a follower's drop.
    #[test]
    fn flights_do_what_the_model_does(ops in ops()) {
        let flights = Flights::<u32>::new();
        let mut model = Model::default();
        let mut leaders: Vec<(u8, usize, Leader<u32>)> = Vec::new();
        let mut followers: Vec<(u8, usize, Follower<u32>, Arc<Calls>)> = Vec::new();
        for (now, op) in ops.into_iter().enumerate() {
            match op {
                Op::Join(key) => {
                    let calls = Arc::new(Calls::default());
                    let waker: Waker = calls.clone();
                    match flights.join([key; 32], &waker) {
                        Join::Leader(leader) => {
                            prop_assert!(!model.air.contains_key(&key));
                            model.air.insert(key, Air { lead: now, knows: true, waiting: VecDeque::new() });
                            leaders.push((key, now, leader));
                        }
                        Join::Follower(follower) => {
                            model.air.get_mut(&key).expect("somebody leads").waiting.push_back(now);
                            followers.push((key, now, follower, calls));
                        }
                    }
                }
                Op::Land(i, end) if !leaders.is_empty() => {
                    let (key, _, leader) = leaders.swap_remove(i % leaders.len());
                    match end {
                        End::Landed => {
                            leader.land(Arc::new(now as u32));
                            model.land(key, Some(now as u32));
                        }
                        End::Parted => {
                            leader.part();
                            model.land(key, None);
                        }
                        End::Failed => {
                            drop(leader);
                            model.pass_on(key);
                        }
                    }
                }
                Op::Poll(i) if !followers.is_empty() => {
                    let i = i % followers.len();
                    let (key, who) = (followers[i].0, followers[i].1);
                    match followers[i].2.poll() {
                        Follow::Landed(answer) => prop_assert_eq!(Some(&Some(*answer)), model.landed.get(&who)),
                        Follow::Parted => prop_assert_eq!(Some(&None), model.landed.get(&who)),
                        Follow::Promoted(leader) => {
                            let air = model.air.get_mut(&key).unwrap();
                            prop_assert!(air.lead == who && !air.knows);
                            air.knows = true;
                            leaders.push((key, who, leader));
                            followers.remove(i);
                        }
                        Follow::Waiting => {
                            let air = &model.air[&key];
                            prop_assert!(air.waiting.contains(&who), "was told to wait and nobody will come");
                        }
                    }
                }
                Op::Leave(i) if !leaders.is_empty() || !followers.is_empty() => {
                    let i = i % (leaders.len() + followers.len());
                    let (key, who) = if i < leaders.len() {
                        let (key, who, _) = leaders.swap_remove(i);
                        (key, who)
                    } else {
                        let (key, who, ..) = followers.swap_remove(i - leaders.len());
                        (key, who)
                    };
                    model.leave(key, who);
                }
                _ => {}
            }
            prop_assert_eq!(flights.len(), model.air.len());
            for (_, who, _, calls) in &followers {
                prop_assert_eq!(calls.0.load(Ordering::SeqCst), model.woken.get(who).copied().unwrap_or(0));
            }
        }
        drop((leaders, followers));
        prop_assert!(flights.is_empty());
    }
}
