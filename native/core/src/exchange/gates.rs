//! What must let a request through before an upstream is asked: scope, rate, cache, places, budget, single flight.

use super::places::Waiting;
use super::{Exchange, Move, Phase};
use crate::budget::{Pool, Reservation};
use crate::cache::Entry;
use crate::clock::SECOND;
use crate::config::CacheMode;
use crate::error::{Code, Failure};
use crate::flight::{Follow, Follower, Join, Leader};
use crate::limit::Permit;
use crate::metrics::{CacheResult, Limit};
use crate::route::{Candidate, Resolved};
use crate::sync::Arc;

/// The gates, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// Does anybody serve the model, and may this key ask there?
    Scope,
    /// Requests a minute of the key.
    KeyRate,
    /// Is the answer known?
    Cache,
    /// A place in the gateway.
    Place,
    /// A place of the key.
    KeyPlace,
    /// Tokens.
    Budget,
    /// The cheap bound does not fit the budget: a job counts the input.
    Count,
    /// Is an equal request in flight?
    Flight,
}

/// What an exchange holds of what all share. Dropping gives it back.
#[derive(Default)]
pub(super) struct Holds {
    pub place: Option<Permit>,
    pub key_place: Option<Permit>,
    pub waiting: Option<Waiting>,
    pub reservation: Option<Reservation>,
    pub ticket: Option<crate::budget::Ticket>,
    pub pool: Option<Arc<Pool>>,
    /// Output tokens that may be spent per choice, under a budget.
    pub cap: Option<u64>,
    pub exact_input: Option<u64>,
    pub leader: Option<Leader<Entry>>,
    follower: Option<Follower<Entry>>,
    /// Its leader's answer was not to be shared: it asks alone.
    alone: bool,
    /// Time passed at a gate, and with it what the cache said of it may have changed.
    waited: bool,
}

impl Holds {
    /// Everything but the reservation and its pool, which `book` settles.
    pub fn free(&mut self) {
        self.place = None;
        self.key_place = None;
        self.waiting = None;
        self.ticket = None;
        self.leader = None;
        self.follower = None;
    }
}

impl Exchange {
    pub(super) fn pass(&mut self, gate: Gate) -> Move {
        let moved = match gate {
            Gate::Scope => self.pass_scope(),
            Gate::KeyRate => self.pass_key_rate(),
            Gate::Cache => self.pass_cache(),
            Gate::Place => self.pass_place(),
            Gate::KeyPlace => self.pass_key_place(),
            Gate::Budget => self.pass_budget(),
            Gate::Count => Move::Wait(None),
            Gate::Flight => self.pass_flight(),
        };
        self.holds.waited |= matches!(moved, Move::Wait(_));
        moved
    }

    pub(super) fn go(&mut self, gate: Gate) -> Move {
        self.phase = Phase::Gates(gate);
        Move::Again
    }

    /// Ends the exchange; after a failed attempt with what that one said, which is why there was a retry to refuse.
    pub(super) fn refuse(&mut self, failure: Failure) -> Move {
        let last = self.choice.last();
        self.fail(last.unwrap_or(failure));
        Move::Again
    }

    fn pass_scope(&mut self) -> Move {
        let candidates = match self.resolved() {
            Ok(candidates) => candidates,
            Err(failure) => return self.refuse(failure),
        };
        self.choice.turn = self.snap.routes.turn(&self.facts().model);
        self.choice.candidates = Some(candidates);
        if let Err(failure) = self.in_scope() {
            return self.refuse(failure);
        }
        if self.is_child() {
            // Its parent passed the other gates and gave it of what it holds.
            self.phase = Phase::Choose;
            return Move::Again;
        }
        // Before the cache is asked: a wrong name is wrong whether or not the answer is known.
        match self.find_budget() {
            Ok(pool) => self.holds.pool = pool,
            Err(failure) => return self.refuse(failure),
        }
        self.go(Gate::KeyRate)
    }

    /// Who serves the model.
    pub(super) fn resolved(&self) -> Result<Arc<[Candidate]>, Failure> {
        let model = &self.facts().model;
        match self.snap.routes.resolve(model) {
            Resolved::Candidates(candidates) => Ok(candidates),
            Resolved::Unknown { nearest } => {
                let mut words = format!("No provider serves the model '{model}'.");
                // A key with a scope is not told of models outside it.
                if let Some(near) =
                    nearest.filter(|_| self.call().holder.key.as_ref().is_none_or(|k| k.models.is_empty()))
                {
                    words.push_str(&format!(" Did you mean '{near}'?"));
                }
                words.push_str(" GET /v1/models lists what there is.");
                Err(Failure::new(Code::UnknownModel, words).param("model"))
            }
        }
    }

    /// Whether the key may ask one of the candidates.
    pub(super) fn in_scope(&self) -> Result<(), Failure> {
        if self.may_ask_somebody() {
            return Ok(());
        }
        let words = format!("This key may not use the model '{}'.", self.facts().model);
        Err(Failure::new(Code::ModelForbidden, words).param("model"))
    }

    fn pass_key_rate(&mut self) -> Move {
        let holder = &self.call().holder;
        if holder.rated {
            if let Err(at_us) = holder.live.rate.take(self.now.mono_us) {
                self.account.limited = Some(Limit::KeyRate);
                let failure = self.key_rate_failure(at_us);
                return self.refuse(failure);
            }
        }
        self.go(Gate::Cache)
    }

    pub(super) fn key_rate_failure(&self, at_us: u64) -> Failure {
        let words = "This key has used its requests for the minute. Slow down, or raise its rate_limit_rpm.";
        Failure::new(Code::RateLimited, words).retry_after(seconds_until(at_us, self.now.mono_us))
    }

    fn pass_cache(&mut self) -> Move {
        let Some(cache) = &self.snap.cache else { return self.go(Gate::Place) };
        let Some(key) = self.cache_key() else {
            self.account.cache = Some(CacheResult::Bypass);
            return self.go(Gate::Place);
        };
        if let Some(entry) = cache.get(&key, self.now.mono_us) {
            return self.share(&entry, CacheResult::Hit);
        }
        self.account.cache = Some(CacheResult::Miss);
        self.go(Gate::Place)
    }

    /// The key under which this answer is looked up and shared, if it may be.
    pub(super) fn cache_key(&self) -> Option<[u8; 32]> {
        self.snap.cache.as_ref()?;
        let (facts, call) = (self.facts.as_ref()?, self.call());
        let wanted = facts.deterministic || self.snap.config.cache.mode == CacheMode::Always;
        facts.key.filter(|_| wanted && !call.no_cache)
    }

    fn pass_flight(&mut self) -> Move {
        if let Some(follower) = &mut self.holds.follower {
            match follower.poll() {
                Follow::Waiting => return Move::Wait(None),
                Follow::Landed(entry) => return self.share(&entry, CacheResult::Shared),
                Follow::Promoted(leader) => {
                    self.holds.follower = None;
                    return self.lead(leader);
                }
                Follow::Parted => {
                    self.holds.follower = None;
                    self.holds.alone = true;
                }
            }
        }
        let joins = self.holds.leader.is_none() && !self.holds.alone;
        let Some(key) = self.cache_key().filter(|_| joins) else { return self.ask_upstream() };
        match self.snap.flights.join(key, &self.waker) {
            Join::Leader(leader) => self.lead(leader),
            Join::Follower(follower) => {
                self.holds.follower = Some(follower);
                Move::Again
            }
        }
    }

    /// Nobody equal is at it. An answer may have been kept since the cache was asked.
    fn lead(&mut self, leader: Leader<Entry>) -> Move {
        if let (true, Some(cache), Some(key)) = (self.holds.waited, &self.snap.cache, self.cache_key()) {
            if let Some(entry) = cache.get(&key, self.now.mono_us) {
                leader.land(entry.clone());
                return self.share(&entry, CacheResult::Hit);
            }
        }
        self.holds.leader = Some(leader);
        self.ask_upstream()
    }

    /// Gives a kept answer, unless the right to it was lost while the request waited.
    fn share(&mut self, entry: &Entry, result: CacheResult) -> Move {
        if !self.may_ask_somebody() {
            let words = "The model was withdrawn, or this key lost its right to it, while the request waited.";
            return self.refuse(Failure::new(Code::ModelForbidden, words).param("model"));
        }
        self.serve(entry, result);
        Move::Again
    }

    /// Whether the key may still use a candidate: keys and providers are withdrawn at once.
    fn may_ask_somebody(&self) -> bool {
        let holder = &self.call().holder;
        let candidates = self.choice.candidates.iter().flat_map(|all| all.iter());
        candidates.into_iter().any(|c| holder.allows(&c.model, &self.snap.upstreams[c.provider as usize]))
    }

    fn ask_upstream(&mut self) -> Move {
        self.phase = if self.children.slices.len() > 0 { Phase::Children } else { Phase::Choose };
        Move::Again
    }
}

/// Whole seconds from now until `at_us`, at least 1.
pub(super) fn seconds_until(at_us: u64, now_us: u64) -> u64 {
    at_us.saturating_sub(now_us).div_ceil(SECOND).max(1)
}
