//! The breaker: what opens it, what closes it, and that it never lets two probes out.

mod credentials;
mod model;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use hoosh_core::clock::SECOND;
use hoosh_core::health::{Admit, Attempt, Blame, Health, Settings, State};

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
