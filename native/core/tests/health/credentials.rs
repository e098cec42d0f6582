//! Credentials of one provider: whose fault is whose, and which is asked with next.

use std::sync::Arc;

use hoosh_core::clock::SECOND;
use hoosh_core::health::{Admission, Blame, CredentialHealth, Credentials, Health, Settings, State};

use super::{health, probe, refusal, yes};

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
