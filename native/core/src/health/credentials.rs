//! The health of one provider at its three levels, so that a fault costs no more than what it is about.
//!
//! | Fault | Benches |
//! | --- | --- |
//! | unreachable, 5xx, timeout, broken answer | the upstream, with every credential, after several in a row |
//! | 401, 403 | the credential, at once |
//! | 429, of requests or of money; 402 | the model under that credential |
//! | another 4xx | nobody |
//!
//! Credentials are asked in turn, not the first until it fails: quotas then add up, and a bad one shows at once. One on
//! the bench is left out. When none is left the provider is out, for the reason of whichever is free soonest by a time
//! that is known. A credential that may be accepted again is tried by a probe of the gateway's own loop; a request
//! is the probe only where every other credential is out too.

use super::benches::{Bench, Benches};
use super::{Admit, Attempt, Blame, Health, Settings, CREDENTIAL, QUOTA, THROTTLED};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::Arc;

/// What is known of one credential. Outlasts a reload that keeps it.
#[derive(Debug)]
pub struct CredentialHealth {
    /// Whether it is accepted.
    pub breaker: Arc<Health>,
    /// Models that it may not ask for yet.
    pub benches: Benches,
    /// How many texts it has had before this one.
    renewals: AtomicUsize,
}

/// A provider's credentials, at least one: who needs none has one that is empty.
#[derive(Debug)]
pub struct Credentials {
    all: Vec<Arc<CredentialHealth>>,
    turn: AtomicUsize,
}

/// Until when (monotonic microseconds) a provider may not be asked, and why, as in [`Admit::No`].
pub type Refused = (u64, &'static str);

/// Leave for one attempt at one provider with one credential. Dropping it says nothing.
#[derive(Debug)]
#[must_use = "dropping an admission at once gives its places back"]
pub struct Admission {
    upstream: Attempt,
    accepted: Attempt,
    credential: Arc<CredentialHealth>,
    /// As the credential counted them when it was asked with.
    renewals: usize,
    model: Arc<str>,
    /// Which credential, from 0.
    pub n: u16,
}

impl CredentialHealth {
    /// Well, as far as is known.
    pub fn new(settings: Settings) -> Arc<Self> {
        let breaker = Arc::new(Health::new(settings));
        Arc::new(CredentialHealth { breaker, benches: Benches::new(), renewals: AtomicUsize::new(0) })
    }

    /// It has another text now, of which nothing is known.
    pub fn renew(&self, now_us: u64) {
        self.renewals.fetch_add(1, Ordering::Relaxed);
        self.breaker.renew(now_us);
        self.benches.clear();
    }

    fn refused(&self, model: &str, now_us: u64) -> Option<Refused> {
        // Also while a probe of it is out: nothing but a refusal opens this breaker.
        let refused = self.breaker.refused(now_us).map(|(until_us, _)| (until_us, CREDENTIAL));
        refused.or_else(|| self.benches.refused(model, now_us))
    }
}

impl Credentials {
    /// In the order of the configuration.
    pub fn new(all: Vec<Arc<CredentialHealth>>) -> Self {
        Credentials { all, turn: AtomicUsize::new(0) }
    }

    /// Each, in the order of the configuration.
    pub fn all(&self) -> &[Arc<CredentialHealth>] {
        &self.all
    }

    /// Until when nothing can be asked of `model`, and why, if nothing can be now. Takes nothing. `passed_over` says of
    /// each credential until when the request does without it, whatever its health.
    pub fn refused(&self, model: &str, now_us: u64, passed_over: impl Fn(u16) -> Option<u64>) -> Option<Refused> {
        let mut soonest = None;
        for (n, credential) in (0u16..).zip(&self.all) {
            let refused = match passed_over(n) {
                Some(until_us) => done_without(until_us),
                None => credential.refused(model, now_us)?,
            };
            soonest = Some(sooner(soonest, refused));
        }
        soonest
    }

    /// Leave to ask `model` of the provider whose own breaker is `upstream`. `passed_over` as in
    /// [`Self::refused`].
    pub fn admit(
        &self,
        upstream: &Arc<Health>,
        model: &Arc<str>,
        now_us: u64,
        passed_over: impl Fn(u16) -> Option<u64>,
    ) -> Result<Admission, Refused> {
        let alone = self.all.len() == 1;
        let first = if alone { 0 } else { self.turn.fetch_add(1, Ordering::Relaxed) };
        let mut soonest = None;
        // Those that are well, in turn; then those that may be again.
        for closed in [true, false] {
            for step in 0..self.all.len() {
                let at = first.wrapping_add(step) % self.all.len();
                let (n, credential) = (at as u16, &self.all[at]);
                if !alone && credential.breaker.is_closed() != closed {
                    continue;
                }
                let refused = match passed_over(n).map(done_without).or_else(|| credential.refused(model, now_us)) {
                    Some(refused) => refused,
                    None => match credential.breaker.admit(now_us) {
                        Admit::Yes(accepted) | Admit::Probe(accepted) => {
                            return self.with(upstream, accepted, n, model, now_us);
                        }
                        Admit::No { until_us, .. } => (until_us, CREDENTIAL),
                    },
                };
                soonest = Some(sooner(soonest, refused));
            }
            if alone {
                break;
            }
        }
        Err(soonest.unwrap_or((now_us, THROTTLED)))
    }

    fn with(
        &self,
        upstream: &Arc<Health>,
        accepted: Attempt,
        n: u16,
        model: &Arc<str>,
        now_us: u64,
    ) -> Result<Admission, Refused> {
        match upstream.admit(now_us) {
            Admit::Yes(upstream) | Admit::Probe(upstream) => {
                let credential = self.all[usize::from(n)].clone();
                let renewals = credential.renewals.load(Ordering::Relaxed);
                Ok(Admission { upstream, accepted, credential, renewals, model: model.clone(), n })
            }
            Admit::No { until_us, reason } => Err((until_us, reason)),
        }
    }
}

fn done_without(until_us: u64) -> Refused {
    (until_us, if until_us == u64::MAX { CREDENTIAL } else { THROTTLED })
}

/// Of two refusals the one to go by. A throttle ends at its time; whether a credential is accepted again then, nobody
/// knows.
fn sooner(known: Option<Refused>, refused: Refused) -> Refused {
    let rank = |refused: &Refused| (refused.1 != THROTTLED, refused.0);
    known.filter(|known| rank(known) <= rank(&refused)).unwrap_or(refused)
}

impl Admission {
    /// Whether somebody waits for what this attempt finds out.
    pub fn is_probe(&self) -> bool {
        self.upstream.is_probe() || self.accepted.is_probe()
    }

    /// It answered well. `first_byte_latency_us` as in [`Attempt::success`].
    pub fn success(self, now_us: u64, first_byte_latency_us: u64) {
        self.upstream.success(now_us, first_byte_latency_us);
        self.accepted.success_unmeasured(now_us);
    }

    /// It failed. What is not the upstream's fault shows that the upstream is well; a 429 shows neither.
    pub fn failure(self, now_us: u64, blame: Blame) {
        match blame {
            Blame::Upstream | Blame::Nobody => self.upstream.failure(now_us, blame),
            Blame::Credential => {
                self.upstream.failure(now_us, Blame::Nobody);
                self.accepted.failure(now_us, blame);
            }
            Blame::Throttled { until_us } => {
                let wait_us = self.credential.breaker.settings.throttle_us;
                self.bench(until_us, wait_us, THROTTLED, now_us);
            }
            Blame::Quota { until_us } => self.bench(until_us, self.credential.breaker.settings.open_us, QUOTA, now_us),
        }
    }

    fn bench(&self, until_us: Option<u64>, wait_us: u64, reason: &'static str, now_us: u64) {
        if self.credential.renewals.load(Ordering::Relaxed) != self.renewals {
            // The quota of the text before; that of this one is another.
            return;
        }
        let until_us = until_us.unwrap_or(now_us.saturating_add(wait_us));
        self.credential.benches.add(Bench { model: self.model.clone(), until_us, reason }, now_us);
    }
}
