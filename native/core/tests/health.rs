//! The breaker: what opens it, what closes it, and that it never lets two probes out.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use hoosh_core::clock::SECOND;
use hoosh_core::health::{Admission, Admit, Attempt, Blame, CredentialHealth, Credentials, Health, Settings, State};
use proptest::prelude::*;

fn health() -> Arc<Health> {
    Arc::new(Health::new(Settings::default()))
}

fn yes(health: &Arc<Health>, now: u64) -> Attempt {
    assert_eq!(health.refused(now), None);
    match health.admit(now) {
        Admit::Yes(attempt) => attempt,
        other => panic!("expected Yes, got {other:?}"),
    }
}

fn probe(health: &Arc<Health>, now: u64) -> Attempt {
    assert_eq!(health.refused(now), None);
    match health.admit(now) {
        Admit::Probe(attempt) => attempt,
        other => panic!("expected Probe, got {other:?}"),
    }
}

fn refusal(health: &Arc<Health>, now: u64) -> (u64, &'static str) {
    match health.admit(now) {
        Admit::No { until_us, reason } => {
            assert_eq!(health.refused(now), Some((until_us, reason)));
            (until_us, reason)
        }
        other => panic!("expected No, got {other:?}"),
    }
}

fn open(health: &Arc<Health>, now: u64) {
    for _ in 0..5 {
        yes(health, now).failure(now, Blame::Upstream);
    }
}

#[test]
fn five_consecutive_failures_open_it_and_not_four() {
    let health = health();
    for now in 0..4 {
        yes(&health, now).failure(now, Blame::Upstream);
    }
    yes(&health, 4).success(4, 10);
    for now in 5..9 {
        yes(&health, now).failure(now, Blame::Upstream);
    }
    assert_eq!((health.state().state, health.state().failures), (State::Closed, 4));
    yes(&health, 9).failure(9, Blame::Upstream);
    assert_eq!(refusal(&health, 10), (9 + 10 * SECOND, "failing"));
    let state = health.state();
    assert_eq!((state.state, state.reason, state.since_us), (State::Open, "failing", 9));
}

#[test]
fn the_callers_fault_and_a_429_never_open_it() {
    let health = health();
    for now in 0..100 {
        yes(&health, now).failure(now, Blame::Nobody);
        yes(&health, now).failure(now, Blame::Throttled { until_us: Some(now) });
    }
    assert_eq!((health.state().state, health.state().failures), (State::Closed, 0));
    for now in 100..104 {
        yes(&health, now).failure(now, Blame::Upstream);
    }
    yes(&health, 104).failure(104, Blame::Nobody);
    assert_eq!(health.state().failures, 0, "an upstream that answers a 4xx is alive");
}

#[test]
fn a_429_benches_until_its_time_and_no_longer() {
    let health = health();
    let before = yes(&health, 0);
    yes(&health, 0).failure(0, Blame::Throttled { until_us: Some(3 * SECOND) });
    yes_is_refused_until(&health, 1, 3 * SECOND);
    before.success(2, 5);
    yes_is_refused_until(&health, 3, 3 * SECOND);
    // A shorter bench does not end a longer one; none named means the default.
    drop(yes(&health, 3 * SECOND));
    yes(&health, 3 * SECOND).failure(3 * SECOND, Blame::Throttled { until_us: None });
    yes_is_refused_until(&health, 3 * SECOND, 4 * SECOND);
    drop(yes(&health, 4 * SECOND));
    assert_eq!(health.state().reason, "");
}

fn yes_is_refused_until(health: &Arc<Health>, now: u64, until: u64) {
    assert_eq!(refusal(health, now), (until, "throttled"));
}

#[test]
fn a_refused_credential_benches_at_once() {
    let health = health();
    yes(&health, 7).failure(7, Blame::Credential);
    assert_eq!(refusal(&health, 8), (7 + 10 * SECOND, "credential_rejected"));
    probe(&health, 7 + 10 * SECOND).success(7 + 11 * SECOND, 1);
    drop(yes(&health, 7 + 11 * SECOND));
}

#[test]
fn a_failed_probe_doubles_the_time_to_sixty_seconds_and_a_good_one_starts_over() {
    let health = health();
    let mut now = 0;
    open(&health, now);
    for seconds in [10, 20, 40, 60, 60] {
        assert_eq!(refusal(&health, now + seconds * SECOND - 1).0, now + seconds * SECOND);
        now += seconds * SECOND;
        probe(&health, now).failure(now, Blame::Upstream);
    }
    now += 60 * SECOND;
    probe(&health, now).success(now, 1);
    open(&health, now);
    assert_eq!(refusal(&health, now).0, now + 10 * SECOND);
}

#[test]
fn a_success_without_a_sample_closes_it_and_leaves_the_latency() {
    let health = health();
    yes(&health, 0).success_unmeasured(0);
    assert_eq!(health.latency_us(), None);
    yes(&health, 0).success(0, 800);
    open(&health, 0);
    probe(&health, 10 * SECOND).success_unmeasured(10 * SECOND);
    assert_eq!((health.state().state, health.latency_us()), (State::Closed, Some(800)));
}

#[test]
fn one_probe_at_a_time_and_a_dropped_one_gives_its_place_back() {
    let health = health();
    open(&health, 0);
    assert_eq!(health.probe_due_us(), Some(10 * SECOND));
    assert!(health.probe_wanted(10 * SECOND - 1).is_none());
    let first = probe(&health, 10 * SECOND);
    assert!(first.is_probe());
    assert_eq!(refusal(&health, 10 * SECOND), (11 * SECOND, "probing"));
    assert!(health.probe_wanted(10 * SECOND).is_none());
    assert_eq!(health.probe_due_us(), None);
    drop(first);
    let second = health.probe_wanted(10 * SECOND).expect("the place is free again");
    assert_eq!(refusal(&health, 10 * SECOND).1, "probing");
    second.success(10 * SECOND, 1);
    drop(yes(&health, 10 * SECOND));
    assert_eq!(health.probe_due_us(), None);
}

#[test]
fn a_throttled_probe_gives_its_place_back_and_waits() {
    let health = health();
    open(&health, 0);
    probe(&health, 10 * SECOND).failure(10 * SECOND, Blame::Throttled { until_us: Some(15 * SECOND) });
    yes_is_refused_until(&health, 12 * SECOND, 15 * SECOND);
    assert_eq!(health.probe_due_us(), Some(15 * SECOND));
    probe(&health, 15 * SECOND).success(15 * SECOND, 1);
}

#[test]
fn late_news_from_before_the_breaker_opened_changes_nothing() {
    let health = health();
    let (slow_success, slow_failure, slower_success) = (yes(&health, 0), yes(&health, 0), yes(&health, 0));
    open(&health, 1);
    slow_success.success(2, 1);
    assert_eq!(health.state().state, State::Open);
    let out = probe(&health, 20 * SECOND);
    slower_success.success(20 * SECOND, 1);
    assert_eq!(health.state().state, State::HalfOpen);
    out.success(21 * SECOND, 1);
    slow_failure.failure(22 * SECOND, Blame::Upstream);
    assert_eq!((health.state().state, health.state().failures), (State::Closed, 0));
}

#[test]
fn latency_is_an_integer_moving_average() {
    let health = health();
    assert_eq!(health.latency_us(), None);
    yes(&health, 0).success(0, 800);
    assert_eq!(health.latency_us(), Some(800));
    yes(&health, 0).success(0, 1_600);
    assert_eq!(health.latency_us(), Some(900));
    yes(&health, 0).failure(0, Blame::Upstream);
    assert_eq!(health.latency_us(), Some(900), "a failure measures nothing");
    yes(&health, 0).success(0, u64::MAX);
    yes(&health, 0).success(0, 0);
    assert!(health.latency_us().is_some());
}

#[test]
fn threads_that_race_for_the_probe_get_one() {
    for _ in 0..200 {
        let health = health();
        open(&health, 0);
        let probes = AtomicUsize::new(0);
        let held: Vec<Admit> = std::thread::scope(|scope| {
            let ask = || {
                let admit = health.admit(10 * SECOND);
                probes.fetch_add(matches!(admit, Admit::Probe(_)) as usize, Ordering::Relaxed);
                assert!(!matches!(admit, Admit::Yes(_)));
                admit
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(probes.into_inner(), 1);
        drop(held);
    }
}

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

/// `cargo test --release -- --ignored --nocapture cost`
#[test]
#[ignore = "prints figures"]
fn cost() {
    let health = health();
    let rounds = 10_000_000u64;
    let begun = std::time::Instant::now();
    for now in 0..rounds {
        std::hint::black_box(yes(&health, now)).success(now, 100);
    }
    println!("health admit + success: {:.1} ns", begun.elapsed().as_nanos() as f64 / rounds as f64);
    yes(&health, 0).failure(0, Blame::Throttled { until_us: Some(u64::MAX) });
    let begun = std::time::Instant::now();
    for now in 0..rounds {
        let _ = std::hint::black_box(health.admit(now));
    }
    println!("health admit, refused:  {:.1} ns", begun.elapsed().as_nanos() as f64 / rounds as f64);
}

/// A provider with so many credentials.
struct Provider {
    upstream: Arc<Health>,
    credentials: Credentials,
}

impl Provider {
    fn new(credentials: usize) -> Provider {
        let all = (0..credentials).map(|_| CredentialHealth::new(Settings::default())).collect();
        Provider { upstream: health(), credentials: Credentials::new(all) }
    }

    fn admit(&self, model: &str, now: u64) -> Result<Admission, (u64, &'static str)> {
        self.credentials.admit(&self.upstream, &Arc::from(model), now, |_| None)
    }

    /// Asks in turn until credential `n` is asked with; the others say nothing.
    fn with(&self, n: u16, model: &str, now: u64) -> Admission {
        (0..10).find_map(|_| self.admit(model, now).ok().filter(|leave| leave.n == n)).expect("its turn never comes")
    }

    fn turns(&self, model: &str, now: u64) -> Vec<u16> {
        (0..6).map(|_| self.admit(model, now).map_or(99, |leave| leave.n)).collect()
    }
}

#[test]
fn credentials_are_asked_in_turn_and_a_refused_one_is_left_out() {
    let provider = Provider::new(3);
    assert_eq!(provider.turns("m", 0), [0, 1, 2, 0, 1, 2]);
    provider.with(1, "m", 0).failure(0, Blame::Credential);
    assert!(provider.turns("m", 0).iter().all(|n| [0, 2].contains(n)));
    assert!(provider.turns("other", 0).iter().all(|n| [0, 2].contains(n)), "it is refused for every model");
    assert_eq!(provider.upstream.state().state, State::Closed, "an upstream that refuses a credential is well");
    provider.with(0, "m", 0).failure(0, Blame::Credential);
    provider.with(2, "m", 5).failure(5, Blame::Credential);
    assert_eq!(provider.admit("m", 6).unwrap_err(), (10 * SECOND, "credential_rejected"));
    assert_eq!(provider.credentials.refused("m", 6, |_| None), Some((10 * SECOND, "credential_rejected")));
}

#[test]
fn a_request_probes_a_credential_only_where_no_other_is_well() {
    let provider = Provider::new(2);
    provider.with(0, "m", 0).failure(0, Blame::Credential);
    let later = 11 * SECOND;
    assert_eq!(provider.turns("m", later), [1; 6], "the loop probes the other");
    provider.with(1, "m", later).failure(later, Blame::Credential);
    let probe = provider.admit("m", later).unwrap();
    assert!(probe.is_probe() && probe.n == 0);
    assert!(provider.admit("m", later).is_err(), "one at a time");
    probe.success(later, 5);
    assert_eq!(provider.turns("m", later), [0; 6]);
}

#[test]
fn a_429_benches_the_model_under_its_credential_and_nothing_else() {
    let provider = Provider::new(2);
    provider.with(0, "m", 0).failure(0, Blame::Throttled { until_us: Some(30 * SECOND) });
    assert_eq!(provider.turns("m", 1), [1; 6]);
    assert!(provider.turns("other", 1).contains(&0));
    provider.with(1, "m", 1).failure(1, Blame::Throttled { until_us: None });
    assert_eq!(provider.admit("m", 2).unwrap_err(), (SECOND + 1, "throttled"), "whichever is free first");
    assert_eq!(provider.turns("m", SECOND + 1), [1; 6]);
    assert!(provider.turns("m", 30 * SECOND).contains(&0));
    assert_eq!((provider.upstream.state().state, provider.upstream.state().failures), (State::Closed, 0));
}

#[test]
fn spent_money_benches_like_a_429_and_is_told_apart() {
    let provider = Provider::new(1);
    provider.with(0, "m", 0).failure(0, Blame::Quota { until_us: None });
    assert_eq!(provider.admit("m", 1).unwrap_err(), (10 * SECOND, "quota_exhausted"));
    assert!(provider.admit("other", 1).is_ok());
    assert!(provider.admit("m", 10 * SECOND).is_ok());
}

#[test]
fn of_two_refusals_a_throttle_is_gone_by_whose_end_is_known() {
    let provider = Provider::new(2);
    provider.with(0, "m", 0).failure(0, Blame::Credential);
    provider.with(1, "m", 0).failure(0, Blame::Throttled { until_us: Some(20 * SECOND) });
    assert_eq!(provider.admit("m", 1).unwrap_err(), (20 * SECOND, "throttled"));
    let passed_over = |n| (n == 1).then_some(u64::MAX);
    assert_eq!(provider.credentials.refused("m", 1, passed_over), Some((10 * SECOND, "credential_rejected")));
}

#[test]
fn an_upstream_that_fails_is_out_with_every_credential() {
    let provider = Provider::new(2);
    (0..5).for_each(|now| provider.admit("m", now).unwrap().failure(now, Blame::Upstream));
    assert_eq!(provider.admit("m", 5).unwrap_err(), (4 + 10 * SECOND, "failing"));
    for n in 0..2 {
        assert!(provider.credentials.all()[n].breaker.is_closed(), "its credentials are not to blame");
    }
    let probe = provider.admit("m", 11 * SECOND).unwrap();
    assert!(probe.is_probe() && provider.admit("m", 11 * SECOND).is_err());
    probe.failure(11 * SECOND, Blame::Throttled { until_us: None });
    let probe = provider.admit("other", 11 * SECOND).unwrap();
    assert!(probe.is_probe(), "a 429 says nothing of it, and the next may find out");
    probe.failure(11 * SECOND, Blame::Credential);
    assert_eq!(provider.upstream.state().state, State::Closed, "whoever refuses a credential is there");
}

#[test]
fn the_memory_of_throttled_models_is_bounded() {
    let provider = Provider::new(1);
    for at in 0..2_000u64 {
        let until_us = Some(100 * SECOND + at);
        provider.admit(&format!("m{at}"), at).unwrap().failure(at, Blame::Throttled { until_us });
    }
    let benched = provider.credentials.all()[0].benches.list(2_000);
    assert_eq!(benched.len(), 256);
    assert!(provider.admit("m1999", 2_000).is_err(), "the one that ends first is forgotten");
    assert!(provider.admit("m0", 2_000).is_ok());
    assert!(provider.admit("m1999", 200 * SECOND).is_ok());
    assert!(provider.credentials.all()[0].benches.list(200 * SECOND).is_empty());
}

#[test]
fn what_takes_the_place_of_another_is_not_judged_by_it() {
    let health = health();
    let early = yes(&health, 0);
    // Replaced while it is well: an attempt of before says nothing.
    health.renew(SECOND);
    early.failure(2 * SECOND, Blame::Credential);
    assert!(health.is_closed());
    yes(&health, 2 * SECOND).failure(2 * SECOND, Blame::Credential);
    assert_eq!(refusal(&health, 3 * SECOND).1, "credential_rejected");
    // And while it is out, with a probe under way.
    let found = probe(&health, 12 * SECOND);
    health.renew(13 * SECOND);
    found.inconclusive(14 * SECOND);
    assert_eq!(health.refused(14 * SECOND), None);
    assert_eq!(health.probe_due_us(), None);
    assert_eq!(health.transitions().map(|(_, times)| times), [1, 1, 1]);
    // Without that it is asked again soon.
    yes(&health, 15 * SECOND).failure(15 * SECOND, Blame::Credential);
    probe(&health, 25 * SECOND).inconclusive(25 * SECOND);
    assert_eq!(health.probe_due_us(), Some(26 * SECOND));
}
