//! The breaker against a model of it.

use hoosh_core::clock::SECOND;
use hoosh_core::health::{Admit, Attempt, Blame, State};
use proptest::prelude::*;

use super::health;

#[derive(Clone, Debug)]
enum Event {
    Later(u64),
    Ask,
    LoopProbe,
    /// Which of those held, and how it ends.
    Success(usize),
    Failure(usize, u8),
    Drop(usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0..20 * SECOND).prop_map(Event::Later),
        Just(Event::Ask),
        Just(Event::Ask),
        Just(Event::LoopProbe),
        any::<usize>().prop_map(Event::Success),
        (any::<usize>(), 0u8..8).prop_map(|(which, blame)| Event::Failure(which, blame)),
        (any::<usize>(), 0u8..8).prop_map(|(which, blame)| Event::Failure(which, blame)),
        any::<usize>().prop_map(Event::Drop),
    ]
}

/// The breaker again, written as one would explain it: every attempt remembers the epoch in which it began.
#[derive(Default)]
struct Model {
    epoch: u64,
    state: u8,
    failures: u32,
    opened: u32,
    open_until: u64,
    benched_until: u64,
    probe_out: bool,
}

impl Model {
    fn turn(&mut self, state: u8) {
        self.state = state;
        self.epoch += 1;
        self.probe_out = false;
    }
    fn open(&mut self, now: u64) {
        self.open_until = now + (10u64 << self.opened.min(3)).min(60) * SECOND;
        self.opened += 1;
        self.turn(1);
    }
    fn close(&mut self) {
        self.failures = 0;
        self.opened = 0;
        self.turn(0);
    }
    fn passes(&self, now: u64) -> bool {
        now >= self.benched_until && (self.state != 1 || now >= self.open_until)
    }
    /// 0 no, 1 yes, 2 probe.
    fn ask(&mut self, now: u64) -> u8 {
        match self.state {
            _ if !self.passes(now) => 0,
            0 => 1,
            _ if self.probe_out => 0,
            state => {
                if state == 1 {
                    self.turn(2);
                }
                self.probe_out = true;
                2
            }
        }
    }
    fn ended(&mut self, epoch: u64, now: u64, outcome: Option<Blame>) {
        let current = epoch == self.epoch;
        match outcome {
            Some(Blame::Throttled { until_us } | Blame::Quota { until_us }) => {
                self.benched_until = self.benched_until.max(until_us.unwrap_or(now + SECOND));
                self.probe_out &= !current;
            }
            _ if !current => {}
            None | Some(Blame::Nobody) if self.state == 2 => self.close(),
            None | Some(Blame::Nobody) => self.failures = 0,
            Some(Blame::Credential) => self.open(now),
            Some(Blame::Upstream) => {
                self.failures += 1;
                if self.state == 2 || self.failures >= 5 {
                    self.open(now);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn it_agrees_with_the_model_and_never_has_two_probes_out(events in prop::collection::vec(event(), 0..120)) {
        let health = health();
        let mut model = Model::default();
        let mut held: Vec<(u64, Attempt)> = Vec::new();
        let mut now = 0;
        for event in events {
            match event {
                Event::Later(by) => now += by,
                Event::Ask => {
                    let (admit, expected) = (health.admit(now), model.ask(now));
                    match admit {
                        Admit::No { until_us, .. } => {
                            prop_assert_eq!(expected, 0);
                            prop_assert!(until_us > now);
                        }
                        Admit::Yes(attempt) => {
                            prop_assert_eq!(expected, 1);
                            held.push((model.epoch, attempt));
                        }
                        Admit::Probe(attempt) => {
                            prop_assert_eq!(expected, 2);
                            held.push((model.epoch, attempt));
                        }
                    }
                }
                Event::LoopProbe => {
                    let expected = model.state != 0 && model.ask(now) == 2;
                    let probe = health.probe_wanted(now);
                    prop_assert_eq!(probe.is_some(), expected);
                    held.extend(probe.map(|attempt| (model.epoch, attempt)));
                }
                Event::Success(which) if !held.is_empty() => {
                    let (epoch, attempt) = held.remove(which % held.len());
                    attempt.success(now, 100);
                    model.ended(epoch, now, None);
                }
                Event::Failure(which, blame) if !held.is_empty() => {
                    let (epoch, attempt) = held.remove(which % held.len());
                    let blame = match blame {
                        0 => Blame::Credential,
                        1 => Blame::Nobody,
                        2 => Blame::Throttled { until_us: None },
                        3 => Blame::Throttled { until_us: Some(now + 7 * SECOND) },
                        _ => Blame::Upstream,
                    };
                    attempt.failure(now, blame);
                    model.ended(epoch, now, Some(blame));
                }
                Event::Drop(which) if !held.is_empty() => {
                    let (epoch, attempt) = held.remove(which % held.len());
                    model.probe_out &= !(attempt.is_probe() && epoch == model.epoch);
                    drop(attempt);
                }
                _ => {}
            }
            let current = |(epoch, attempt): &&(u64, Attempt)| attempt.is_probe() && *epoch == model.epoch;
            prop_assert!(held.iter().filter(current).count() <= 1);
            let state = [State::Closed, State::Open, State::HalfOpen][model.state as usize];
            prop_assert_eq!((health.state().state, health.state().failures), (state, model.failures));
        }
    }
}
