//! Upstream health: a breaker that asks whose fault a failure was, benches for 429 and bad credentials, and latency.
//!
//! Three rules shape it. Only consecutive failures of the *upstream* open the breaker: a caller's own 4xx never does,
//! and a 429 benches for the time that the upstream named without counting as a failure. An attempt may report only
//! about the breaker state it began under, so that a slow answer from before an outage cannot end the outage, and a
//! slow failure cannot begin it again. And every attempt is a guard: one that is dropped without a word says nothing,
//! and hands back the place of a half-open probe.
//!
//! The usual path takes no lock: one word holds the generation and whether anything at all is the matter.

use crate::clock::SECOND;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{lock, Arc, Mutex};

/// How patient a breaker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Consecutive upstream failures that open it; 0 counts as 1. Default 5.
    pub failures_to_open: u32,
    /// How long it stays open the first time, microseconds. Default 10 s; it doubles with each failed probe.
    pub open_us: u64,
    /// Where the doubling ends, microseconds. Default 60 s.
    pub max_open_us: u64,
    /// Bench for a 429 that names no time, microseconds. Default 1 s.
    pub throttle_us: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { failures_to_open: 5, open_us: 10 * SECOND, max_open_us: 60 * SECOND, throttle_us: SECOND }
    }
}

/// Whose fault a failed attempt was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The upstream: unreachable, 5xx, timeout, reset, malformed, truncated.
    Upstream,
    /// Nobody's: it is busy (429). Benched, without counting towards opening.
    Throttled {
        /// Monotonic microseconds, from `Retry-After`; `None` if it named no time.
        until_us: Option<u64>,
    },
    /// The operator's: it refused our credential (401, 403). Opens the breaker at once.
    Credential,
    /// The caller's (another 4xx): the upstream is well, and proved it.
    Nobody,
}

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Attempts pass.
    Closed,
    /// None pass until a time.
    Open,
    /// One at a time passes, to find out.
    HalfOpen,
}

impl State {
    /// The word used in answers, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Closed => "closed",
            State::Open => "open",
            State::HalfOpen => "half_open",
        }
    }
}

/// What an operator may see of one upstream's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthState {
    /// The breaker. A bench for 429 does not change it: see `until_us`.
    pub state: State,
    /// Consecutive upstream failures while closed.
    pub failures: u32,
    /// Why attempts are refused or probed, as in [`Admit::No`]; empty while they pass.
    pub reason: &'static str,
    /// Monotonic microseconds of the last change of `state`.
    pub since_us: u64,
    /// Monotonic microseconds until which attempts are refused, perhaps past already; 0 if they are not.
    pub until_us: u64,
    /// See [`Health::latency_us`].
    pub latency_us: Option<u64>,
}

/// Whether an upstream may be asked now.
#[derive(Debug)]
pub enum Admit {
    /// It may.
    Yes(Attempt),
    /// It may, and everybody else waits for what this attempt says.
    Probe(Attempt),
    /// It may not.
    No {
        /// Monotonic microseconds: worth asking again then.
        until_us: u64,
        /// `throttled`, `failing`, `credential_rejected` or `probing`.
        reason: &'static str,
    },
}

/// How soon to ask again while somebody else's probe is out. Its end cannot be foreseen.
const PROBE_WAIT_US: u64 = SECOND;

/// The health of one upstream, shared by all threads. Time is monotonic microseconds.
#[derive(Debug)]
pub struct Health {
    settings: Settings,
    /// Generation × 2, plus 1 if an attempt or its success must look under the lock. Written under the lock only.
    word: AtomicU64,
    /// Moving average of the first byte's latency, microseconds; 0 before the first measurement.
    latency: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: State,
    /// Moves with each change of `state`.
    generation: u64,
    failures: u32,
    /// How often in a row it opened, without a success between: the exponent of the doubling.
    opened: u32,
    /// Why it opened; empty while closed.
    reason: &'static str,
    since_us: u64,
    /// End of the open state.
    open_until_us: u64,
    /// End of the bench for 429; 0 if there is none.
    benched_until_us: u64,
    probing: bool,
}

impl Inner {
    fn change(&mut self, state: State, now_us: u64) {
        self.state = state;
        self.since_us = now_us;
        self.generation += 1;
        self.probing = false;
    }

    fn close(&mut self, now_us: u64) {
        self.failures = 0;
        self.opened = 0;
        self.reason = "";
        self.change(State::Closed, now_us);
    }

    fn open(&mut self, now_us: u64, reason: &'static str, settings: &Settings) {
        let doubled = settings.open_us.saturating_mul(1_u64 << self.opened.min(32));
        self.open_until_us = now_us.saturating_add(doubled.min(settings.max_open_us));
        self.opened = self.opened.saturating_add(1);
        self.reason = reason;
        self.change(State::Open, now_us);
    }

    fn bench(&mut self, until_us: u64) {
        self.benched_until_us = self.benched_until_us.max(until_us);
    }

    /// When this upstream may be asked again and why not before, if not at `now_us`.
    fn refused(&self, now_us: u64) -> Option<(u64, &'static str)> {
        let open_until_us = if self.state == State::Open { self.open_until_us } else { 0 };
        let refused = if self.benched_until_us > open_until_us {
            (self.benched_until_us, "throttled")
        } else {
            (open_until_us, self.reason)
        };
        (refused.0 > now_us).then_some(refused)
    }

    /// Takes the probe's place if the breaker is due for one.
    fn probe(&mut self, now_us: u64) -> bool {
        if self.state == State::Closed || self.probing || self.refused(now_us).is_some() {
            return false;
        }
        if self.state == State::Open {
            self.change(State::HalfOpen, now_us);
        }
        self.probing = true;
        true
    }

    fn word(&self) -> u64 {
        let trouble = self.state != State::Closed || self.failures > 0 || self.benched_until_us > 0;
        self.generation << 1 | trouble as u64
    }
}

impl Health {
    /// Closed, unmeasured.
    pub fn new(settings: Settings) -> Self {
        let inner = Inner {
            state: State::Closed,
            generation: 0,
            failures: 0,
            opened: 0,
            reason: "",
            since_us: 0,
            open_until_us: 0,
            benched_until_us: 0,
            probing: false,
        };
        Health { settings, word: AtomicU64::new(0), latency: AtomicU64::new(0), inner: Mutex::new(inner) }
    }

    /// Asks leave for one attempt.
    pub fn admit(self: &Arc<Self>, now_us: u64) -> Admit {
        let word = self.word.load(Ordering::Acquire);
        if word & 1 == 0 {
            return Admit::Yes(self.attempt(word >> 1, false));
        }
        self.under_lock(|inner| {
            if let Some((until_us, reason)) = inner.refused(now_us) {
                return Admit::No { until_us, reason };
            }
            inner.benched_until_us = 0;
            if inner.state == State::Closed {
                Admit::Yes(self.attempt(inner.generation, false))
            } else if inner.probe(now_us) {
                Admit::Probe(self.attempt(inner.generation, true))
            } else {
                Admit::No { until_us: now_us.saturating_add(PROBE_WAIT_US), reason: "probing" }
            }
        })
    }

    /// For the gateway's loop: a probe of its own, if the breaker is due for one and none is out.
    pub fn probe_wanted(self: &Arc<Self>, now_us: u64) -> Option<Attempt> {
        self.under_lock(|inner| inner.probe(now_us).then(|| self.attempt(inner.generation, true)))
    }

    /// When [`Health::probe_wanted`] will next have one, monotonic microseconds; `None` while closed or probed already.
    pub fn probe_due_us(&self) -> Option<u64> {
        let inner = lock(&self.inner);
        let due = inner.state != State::Closed && !inner.probing;
        due.then(|| inner.refused(0).map_or(0, |(until_us, _)| until_us))
    }

    /// Moving average of first-byte latency, microseconds: 7/8 of the old and 1/8 of the new with every measured
    /// attempt, streams too. `None` before the first.
    pub fn latency_us(&self) -> Option<u64> {
        match self.latency.load(Ordering::Relaxed) {
            0 => None,
            latency => Some(latency),
        }
    }

    /// What an operator may see.
    pub fn state(&self) -> HealthState {
        let inner = lock(&self.inner);
        let (until_us, reason) = inner.refused(0).unwrap_or((0, inner.reason));
        HealthState {
            state: inner.state,
            failures: inner.failures,
            reason,
            since_us: inner.since_us,
            until_us,
            latency_us: self.latency_us(),
        }
    }

    fn attempt(self: &Arc<Self>, generation: u64, probe: bool) -> Attempt {
        Attempt { health: Arc::clone(self), generation, probe, told: false }
    }

    /// Every change goes through here, so that none forgets to publish the word.
    fn under_lock<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = lock(&self.inner);
        let result = change(&mut inner);
        self.word.store(inner.word(), Ordering::Release);
        result
    }

    fn measure(&self, sample_us: u64) {
        // 0 means unmeasured, and a bound keeps 7 × old from overflowing.
        let sample = sample_us.clamp(1, 1 << 48);
        let average = |old: u64| Some(if old == 0 { sample } else { ((7 * old + sample) / 8).max(1) });
        // The closure always has a value, so this always writes.
        let _ = self.latency.fetch_update(Ordering::Relaxed, Ordering::Relaxed, average);
    }

    fn succeeded(&self, generation: u64, now_us: u64) {
        if self.word.load(Ordering::Acquire) == generation << 1 {
            return;
        }
        self.under_lock(|inner| match inner.state {
            _ if inner.generation != generation => {}
            State::Closed => inner.failures = 0,
            State::HalfOpen => inner.close(now_us),
            State::Open => {}
        });
    }

    fn failed(&self, generation: u64, now_us: u64, blame: Blame) {
        let settings = &self.settings;
        self.under_lock(|inner| {
            let current = inner.generation == generation;
            match blame {
                // A bench is a fact about the upstream's clock, whatever the breaker did since.
                Blame::Throttled { until_us } => {
                    inner.bench(until_us.unwrap_or(now_us.saturating_add(settings.throttle_us)));
                    inner.probing &= !(current && inner.state == State::HalfOpen);
                }
                _ if !current => {}
                Blame::Credential => inner.open(now_us, "credential_rejected", settings),
                Blame::Upstream => {
                    inner.failures = inner.failures.saturating_add(1);
                    if inner.state == State::HalfOpen || inner.failures >= settings.failures_to_open {
                        inner.open(now_us, "failing", settings);
                    }
                }
                Blame::Nobody => {}
            }
        });
    }

    fn gave_back(&self, generation: u64) {
        self.under_lock(|inner| inner.probing &= inner.generation != generation);
    }
}

/// Leave for one attempt. Tell it how the attempt ended; dropping it says nothing.
///
/// A probe keeps every other caller waiting until it speaks: say `success` with the first good byte of the answer.
#[derive(Debug)]
#[must_use = "dropping an attempt at once gives its place back"]
pub struct Attempt {
    health: Arc<Health>,
    generation: u64,
    probe: bool,
    told: bool,
}

impl Attempt {
    /// Whether this is the one attempt that a half-open breaker lets pass.
    pub fn is_probe(&self) -> bool {
        self.probe
    }

    /// The upstream answered well. `first_byte_latency_us` is the time from the request to the answer's first byte.
    pub fn success(mut self, now_us: u64, first_byte_latency_us: u64) {
        self.told = true;
        self.health.measure(first_byte_latency_us);
        self.health.succeeded(self.generation, now_us);
    }

    /// The attempt failed.
    pub fn failure(mut self, now_us: u64, blame: Blame) {
        self.told = true;
        match blame {
            Blame::Nobody => self.health.succeeded(self.generation, now_us),
            blame => self.health.failed(self.generation, now_us, blame),
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.probe && !self.told {
            self.health.gave_back(self.generation);
        }
    }
}
