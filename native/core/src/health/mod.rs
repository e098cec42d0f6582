//! Health: a breaker that asks whose fault a failure was, benches for 429 and bad credentials, and latency. Each upstream
//! has one, and each of its credentials ([`Credentials`]).
//!
//! Three rules shape it. Only consecutive failures of the *upstream* open the breaker: a caller's own 4xx never does,
//! and a 429 benches for the time that the upstream named without counting as a failure. An attempt may report only
//! about the breaker state it began under, so that a slow answer from before an outage cannot end the outage, and a
//! slow failure cannot begin it again. And every attempt is a guard: one that is dropped without a word says nothing,
//! and hands back the place of a half-open probe.
//!
//! The usual path takes no lock: one word holds the generation and whether anything at all is the matter.

mod benches;
mod breaker;
mod credentials;

use crate::clock::SECOND;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{lock, Arc, Mutex, OnceLock};
use crate::wake::Waker;
pub use benches::{Bench, Benches};
use breaker::Breaker;
pub use credentials::{Admission, CredentialHealth, Credentials, Refused};

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
    /// The operator's: what the credential may spend is spent (402, `insufficient_quota`). Benched, as for a 429 but for
    /// longer.
    Quota {
        /// As of `Throttled`.
        until_us: Option<u64>,
    },
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
    /// Upstream failures since the last success.
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
        /// `throttled`, `failing`, `credential_rejected`, `quota_exhausted` or `probing`.
        reason: &'static str,
    },
}

/// [`Admit::No`]'s reason while a 429 keeps an upstream on the bench.
pub const THROTTLED: &str = "throttled";

/// [`Admit::No`]'s reason while a credential is not accepted.
pub const CREDENTIAL: &str = "credential_rejected";

/// [`Admit::No`]'s reason while what a credential may spend is spent.
pub const QUOTA: &str = "quota_exhausted";

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
    breaker: Mutex<Breaker>,
    watcher: Watcher,
}

/// Who is told of changes.
#[derive(Default)]
struct Watcher(OnceLock<Waker>);

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Watcher").field(&self.0.get().is_some()).finish()
    }
}

impl Health {
    /// Closed, unmeasured.
    pub fn new(settings: Settings) -> Self {
        Health {
            settings,
            word: AtomicU64::new(0),
            latency: AtomicU64::new(0),
            breaker: Mutex::new(Breaker::new()),
            watcher: Watcher::default(),
        }
    }

    /// Has `watcher` called whenever what [`Health::is_closed`] or [`Health::probe_due_us`] says may have changed, but for the
    /// time. It is set once.
    pub fn on_change(&self, watcher: Waker) {
        let _ = self.watcher.0.set(watcher);
    }

    /// Asks leave for one attempt.
    pub fn admit(self: &Arc<Self>, now_us: u64) -> Admit {
        let word = self.word.load(Ordering::Acquire);
        if word & 1 == 0 {
            return Admit::Yes(self.attempt(word >> 1, false));
        }
        self.under_lock(|breaker| {
            if let Some((until_us, reason)) = breaker.refused(now_us) {
                return Admit::No { until_us, reason };
            }
            breaker.benched_until_us = 0;
            if breaker.state == State::Closed {
                Admit::Yes(self.attempt(breaker.generation, false))
            } else if breaker.probe(now_us) {
                Admit::Probe(self.attempt(breaker.generation, true))
            } else {
                Admit::No { until_us: now_us.saturating_add(PROBE_WAIT_US), reason: "probing" }
            }
        })
    }

    /// Until when [`Health::admit`] would refuse, and why, if it would. Takes no probe's place.
    pub fn refused(&self, now_us: u64) -> Option<(u64, &'static str)> {
        if self.word.load(Ordering::Acquire) & 1 == 0 {
            return None;
        }
        let breaker = lock(&self.breaker);
        let probing = breaker.probing.then(|| (now_us.saturating_add(PROBE_WAIT_US), "probing"));
        breaker.refused(now_us).or(probing)
    }

    /// For the gateway's loop: a probe of its own, if the breaker is due for one and none is out.
    pub fn probe_wanted(self: &Arc<Self>, now_us: u64) -> Option<Attempt> {
        self.under_lock(|breaker| breaker.probe(now_us).then(|| self.attempt(breaker.generation, true)))
    }

    /// When [`Health::probe_wanted`] will next have one, monotonic microseconds; `None` while closed or probed already.
    pub fn probe_due_us(&self) -> Option<u64> {
        let breaker = lock(&self.breaker);
        let due = breaker.state != State::Closed && !breaker.probing;
        due.then(|| breaker.refused(0).map_or(0, |(until_us, _)| until_us))
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
        let breaker = lock(&self.breaker);
        let (until_us, reason) = breaker.refused(0).unwrap_or((0, breaker.reason));
        HealthState {
            state: breaker.state,
            failures: breaker.failures,
            reason,
            since_us: breaker.since_us,
            until_us,
            latency_us: self.latency_us(),
        }
    }

    /// Whether its breaker is closed; a bench does not open it.
    pub fn is_closed(&self) -> bool {
        self.word.load(Ordering::Acquire) & 1 == 0 || lock(&self.breaker).state == State::Closed
    }

    /// Another took the place of what this is about: nothing is known of it, and attempts in progress say nothing of it.
    pub fn renew(&self, now_us: u64) {
        self.under_lock(|breaker| breaker.renew(now_us));
    }

    /// How often its breaker came to each state, since the start.
    pub fn transitions(&self) -> [(State, u64); 3] {
        let changes = lock(&self.breaker).changes;
        [State::Closed, State::Open, State::HalfOpen].map(|state| (state, changes[state as usize]))
    }

    fn attempt(self: &Arc<Self>, generation: u64, probe: bool) -> Attempt {
        Attempt { health: Arc::clone(self), generation, probe, told: false }
    }

    /// Every change goes through here, so that none forgets to publish the word.
    fn under_lock<T>(&self, change: impl FnOnce(&mut Breaker) -> T) -> T {
        let mut breaker = lock(&self.breaker);
        let seen = |breaker: &Breaker| (breaker.generation, breaker.probing, breaker.benched_until_us);
        let before = seen(&breaker);
        let result = change(&mut breaker);
        self.word.store(breaker.word(), Ordering::Release);
        let is_news = seen(&breaker) != before;
        drop(breaker);
        if is_news {
            self.watcher.0.get().into_iter().for_each(|watcher| watcher.wake());
        }
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
        self.under_lock(|breaker| breaker.succeeded(generation, now_us));
    }

    fn failed(&self, generation: u64, now_us: u64, blame: Blame) {
        self.under_lock(|breaker| breaker.failed(generation, now_us, blame, &self.settings));
    }

    fn gave_back(&self, generation: u64) {
        self.under_lock(|breaker| breaker.gave_back(generation));
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

    /// It found out nothing: the same again soon, unless things changed since it began.
    pub fn inconclusive(self, now_us: u64) {
        if self.health.word.load(Ordering::Acquire) >> 1 == self.generation {
            self.failure(now_us, Blame::Throttled { until_us: None });
        }
    }

    /// The upstream answered well. `first_byte_latency_us` is the time from the request to the answer's first byte.
    pub fn success(self, now_us: u64, first_byte_latency_us: u64) {
        self.health.measure(first_byte_latency_us);
        self.success_unmeasured(now_us);
    }

    /// The upstream answered well something whose latency says nothing of other answers.
    pub fn success_unmeasured(mut self, now_us: u64) {
        self.told = true;
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
