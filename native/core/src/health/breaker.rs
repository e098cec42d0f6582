//! The breaker's state under its lock.

use super::{Blame, Settings, State, CREDENTIAL, THROTTLED};

#[derive(Debug)]
pub(super) struct Breaker {
    pub(super) state: State,
    /// Moves with each change of `state`.
    pub(super) generation: u64,
    pub(super) failures: u32,
    /// How often in a row it opened, without a success between: the exponent of the doubling.
    opened: u32,
    /// Why it opened; empty while closed.
    pub(super) reason: &'static str,
    pub(super) since_us: u64,
    /// End of the open state.
    open_until_us: u64,
    /// End of the bench for 429; 0 if there is none.
    pub(super) benched_until_us: u64,
    pub(super) probing: bool,
    /// How often it came to be closed, open, half-open.
    pub(super) changes: [u64; 3],
}

impl Breaker {
    pub(super) fn new() -> Self {
        Breaker {
            state: State::Closed,
            generation: 0,
            failures: 0,
            opened: 0,
            reason: "",
            since_us: 0,
            open_until_us: 0,
            benched_until_us: 0,
            probing: false,
            changes: [0; 3],
        }
    }

    /// An attempt of `generation` found the upstream well.
    pub(super) fn succeeded(&mut self, generation: u64, now_us: u64) {
        match self.state {
            _ if self.generation != generation => {}
            State::Closed => self.failures = 0,
            State::HalfOpen => self.close(now_us),
            State::Open => {}
        }
    }

    /// An attempt of `generation` failed.
    pub(super) fn failed(&mut self, generation: u64, now_us: u64, blame: Blame, settings: &Settings) {
        let current = self.generation == generation;
        match blame {
            // A bench is a fact about the upstream's clock, whatever the breaker did since.
            Blame::Throttled { until_us } | Blame::Quota { until_us } => {
                self.bench(until_us.unwrap_or(now_us.saturating_add(settings.throttle_us)));
                self.gave_back(generation);
            }
            _ if !current => {}
            Blame::Credential => self.open(now_us, CREDENTIAL, settings),
            Blame::Upstream => {
                self.failures = self.failures.saturating_add(1);
                if self.state == State::HalfOpen || self.failures >= settings.failures_to_open {
                    self.open(now_us, "failing", settings);
                }
            }
            Blame::Nobody => self.succeeded(generation, now_us),
        }
    }

    /// An attempt of `generation` ended without news. Only a probe can be of a half-open generation.
    pub(super) fn gave_back(&mut self, generation: u64) {
        self.probing &= self.generation != generation;
    }

    fn change(&mut self, state: State, now_us: u64) {
        self.state = state;
        self.changes[state as usize] += 1;
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

    /// Another took the place of what this is about.
    pub(super) fn renew(&mut self, now_us: u64) {
        self.benched_until_us = 0;
        if self.state == State::Closed {
            self.failures = 0;
            self.generation += 1;
        } else {
            self.close(now_us);
        }
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
    pub(super) fn refused(&self, now_us: u64) -> Option<(u64, &'static str)> {
        let open_until_us = if self.state == State::Open { self.open_until_us } else { 0 };
        let refused = if self.benched_until_us > open_until_us {
            (self.benched_until_us, THROTTLED)
        } else {
            (open_until_us, self.reason)
        };
        (refused.0 > now_us).then_some(refused)
    }

    /// Takes the probe's place if the breaker is due for one.
    pub(super) fn probe(&mut self, now_us: u64) -> bool {
        if self.state == State::Closed || self.probing || self.refused(now_us).is_some() {
            return false;
        }
        if self.state == State::Open {
            self.change(State::HalfOpen, now_us);
        }
        self.probing = true;
        true
    }

    pub(super) fn word(&self) -> u64 {
        let trouble = self.state != State::Closed || self.failures > 0 || self.benched_until_us > 0;
        self.generation << 1 | trouble as u64
    }
}
