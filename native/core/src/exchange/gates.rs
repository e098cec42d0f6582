//! What must let a request through before an upstream is asked: scope, what was answered before, rates, cache, places, budget,
//! single flight.

use super::places::Waiting;
use super::rates::Turns;
use super::reform::Reforming;
use super::tokens::Wanted;
use super::{Exchange, Move, Phase};
use crate::budget::{Pool, Reservation};
use crate::cache::Entry;
use crate::clock::{MILLISECOND, SECOND};
use crate::config::CacheMode;
use crate::dialects::passed::Service;
use crate::error::{Code, Failure};
use crate::flight::{Follow, Follower, Join, Leader};
use crate::idempotency::Claim;
use crate::limit::{Permit, TokenCharge};
use crate::metrics::CacheResult;
use crate::route::{Candidate, Resolved};
use crate::sync::Arc;

/// The gates, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// Does anybody serve the model, and may this key ask there?
    Scope,
    /// Can any of them do what the request needs?
    Fit,
    /// The cheap bound does not fit a model: a job counts the input.
    Measure,
    /// Was it answered before?
    Once,
    /// Requests a minute, of all callers and of the key.
    Rate,
    /// Is the answer known?
    Cache,
    /// Tokens a minute, of all callers and of the key.
    Tokens,
    /// The cheap bound does not fit a minute: a job counts the input.
    CountForRate,
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
    pub turns: Turns,
    /// What it took of tokens a minute.
    pub tokens: Option<Arc<TokenCharge>>,
    pub reservation: Option<Reservation>,
    pub ticket: Option<crate::budget::Ticket>,
    pub pool: Option<Arc<Pool>>,
    /// What a caller of `/v1/tokens/reserve` waits for.
    pub wanted: Option<Box<Wanted>>,
    /// Output tokens that may be spent per choice, under a budget.
    pub cap: Option<u64>,
    pub exact_input: Option<u64>,
    /// Tokens of the longest input, once they were counted to be held against models.
    pub counted_input: Option<u64>,
    pub leader: Option<Leader<Entry>>,
    /// Its answer is kept although it leads nobody: the caller wanted none that was kept.
    pub stores: bool,
    pub reforming: Option<Reforming>,
    /// To its idempotency key.
    pub claim: Option<Claim>,
    follower: Option<Follower<Entry>>,
    /// Its leader's answer was not to be shared: it asks alone.
    pub alone: bool,
    /// Time passed at a gate, and with it what the cache said of it may have changed.
    waited: bool,
}

impl Holds {
    /// Whether the answer is kept for others.
    pub fn keeps(&self) -> bool {
        self.leader.is_some() || self.stores
    }

    /// Follows nobody any more.
    pub fn leave_flight(&mut self) {
        self.follower = None;
    }

    /// Everything but the reservation and its pool, which `book` settles.
    pub fn free(&mut self) {
        self.place = None;
        self.key_place = None;
        self.waiting = None;
        self.turns = Turns::default();
        self.ticket = None;
        self.leader = None;
        self.claim = None;
        self.follower = None;
        self.reforming = None;
    }
}

impl Exchange {
    pub(super) fn pass(&mut self, gate: Gate) -> Move {
        let moved = match gate {
            Gate::Scope => self.pass_scope(),
            Gate::Fit => self.pass_fit(),
            Gate::Measure => Move::Wait(None),
            Gate::Once => self.pass_once(),
            Gate::Rate => self.pass_rate(),
            Gate::Cache => self.pass_cache(),
            Gate::Tokens => self.pass_tokens(),
            Gate::CountForRate => Move::Wait(None),
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
        let bounded = self.take_candidates(candidates);
        if let Err(failure) = self.in_scope() {
            return self.reroute().unwrap_or_else(|| self.refuse(failure));
        }
        if bounded {
            return self.go(Gate::Fit);
        }
        self.leave_scope()
    }

    /// Somebody may be asked who can answer.
    pub(super) fn leave_scope(&mut self) -> Move {
        if let Err(failure) = self.keep_carried() {
            return self.refuse(failure);
        }
        if self.is_child() {
            // Its parent passed the other gates and gave it of what it holds.
            self.phase = Phase::Choose;
            return Move::Again;
        }
        // Before the cache is asked: a wrong name is wrong whether or not the answer is known.
        if let Err(failure) = self.take_pool() {
            return self.refuse(failure);
        }
        self.go(if self.call().once.is_some() { Gate::Once } else { Gate::Rate })
    }

    /// Finds the budget that pays.
    pub(super) fn take_pool(&mut self) -> Result<(), Failure> {
        // Files cost no tokens.
        self.holds.pool =
            self.find_budget()?.filter(|_| !matches!(self.service(), Some(Service::Files | Service::ModelFiles)));
        Ok(())
    }

    /// Who serves the model, or offers what is asked for.
    pub(super) fn resolved(&self) -> Result<Arc<[Candidate]>, Failure> {
        if let Some(ask) = self.ask() {
            return self.offers(ask);
        }
        let model = &self.facts().model;
        match self.snap.routes.resolve(model) {
            Resolved::Candidates(candidates) => Ok(candidates),
            Resolved::Unknown { nearest } => Err(self.unknown_model(model, nearest)),
        }
    }

    /// Keeps them, with what the key is granted by the name that it used and what the route allows; whether something is
    /// known that one of them cannot do.
    pub(super) fn take_candidates(&mut self, candidates: Arc<[Candidate]>) -> bool {
        self.choice.granted = self.call().holder.grants(&self.facts().model, &self.snap.routes);
        let bounded = candidates.iter().any(|candidate| candidate.bounds.is_some());
        self.choice.candidates = Some(candidates);
        if !self.snap.config.routes.is_empty() {
            self.bound_by_model();
        }
        bounded
    }

    /// Whether the key may ask one of the candidates.
    pub(super) fn in_scope(&self) -> Result<(), Failure> {
        if self.may_ask_somebody() {
            return Ok(());
        }
        let words = match &*self.facts().model {
            "" => "This key is bound to models, and the request names none: 'provider/*' in its models allows that."
                .to_owned(),
            model => format!("This key may not use the model '{model}'."),
        };
        Err(Failure::new(Code::ModelForbidden, words).param("model"))
    }

    pub(super) fn unknown_model(&self, model: &str, nearest: Option<String>) -> Failure {
        let mut words = format!("No provider serves the model '{model}'.");
        // A key with a scope is not told of models outside it.
        if let Some(near) = nearest.filter(|_| self.call().holder.key.as_ref().is_none_or(|k| k.models.is_empty())) {
            words.push_str(&format!(" Did you mean '{near}'?"));
        }
        words.push_str(" GET /v1/models lists what there is.");
        Failure::new(Code::UnknownModel, words).param("model")
    }

    fn pass_cache(&mut self) -> Move {
        let Some(cache) = &self.snap.cache else { return self.go(Gate::Tokens) };
        let Some(key) = self.lookup_key() else {
            self.account.cache = Some(CacheResult::Bypass);
            return self.go(Gate::Tokens);
        };
        if let Some(entry) = self.fresh(cache.get(&key, self.now.mono_us)) {
            return self.share(entry, CacheResult::Hit, Gate::Tokens);
        }
        self.account.cache = Some(CacheResult::Miss);
        self.go(Gate::Tokens)
    }

    /// The key under which the answer is looked up, unless the caller wants none that was kept.
    pub(super) fn lookup_key(&self) -> Option<[u8; 32]> {
        self.cache_key().filter(|_| self.call().cache.max_age_us.is_some())
    }

    /// A kept answer, if it is not too old for the caller.
    pub(super) fn fresh(&self, entry: Option<Arc<Entry>>) -> Option<Arc<Entry>> {
        entry.filter(|entry| self.call().cache.allows(entry.stored_us, self.now.mono_us))
    }

    /// The key under which this answer is looked up, kept and shared, if it may be.
    pub(super) fn cache_key(&self) -> Option<[u8; 32]> {
        self.snap.cache.as_ref()?;
        let (facts, call) = (self.facts.as_ref()?, self.call());
        let wanted = facts.deterministic || self.snap.config.cache.mode == CacheMode::Always;
        let mut key = facts.key.filter(|_| wanted && call.cache.store)?;
        // What others take although it lost something is no answer to the strict.
        key[0] ^= u8::from(call.strict);
        Some(key)
    }

    fn pass_flight(&mut self) -> Move {
        if let Some(follower) = &mut self.holds.follower {
            match follower.poll() {
                Follow::Waiting => return Move::Wait(None),
                Follow::Landed(entry) => {
                    self.holds.follower = None;
                    return self.share(entry, CacheResult::Shared, Gate::Flight);
                }
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
        if self.call().cache.max_age_us.is_none() {
            // An answer in flight may be older than the request.
            self.holds.stores = true;
            return self.ask_upstream();
        }
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
            if let Some(entry) = self.fresh(cache.get(&key, self.now.mono_us)) {
                leader.land(entry.clone());
                return self.share(entry, CacheResult::Hit, Gate::Flight);
            }
        }
        self.holds.leader = Some(leader);
        self.ask_upstream()
    }

    /// Gives a kept answer, unless the right to it was lost while the request waited.
    fn share(&mut self, entry: Arc<Entry>, result: CacheResult, otherwise: Gate) -> Move {
        if !self.may_ask_somebody() {
            if let Some(moved) = self.reroute() {
                return moved;
            }
            let words = "The model was withdrawn, or this key lost its right to it, while the request waited.";
            return self.refuse(Failure::new(Code::ModelForbidden, words).param("model"));
        }
        self.give(entry, result, otherwise)
    }

    /// Whether the key may still use a candidate: keys and providers are withdrawn at once.
    pub(super) fn may_ask_somebody(&self) -> bool {
        self.choice.candidates.iter().flat_map(|all| all.iter()).any(|candidate| self.may_use(candidate))
    }

    fn ask_upstream(&mut self) -> Move {
        self.phase = if self.children.slices.len() > 0 { Phase::Children } else { Phase::Choose };
        Move::Again
    }
}

/// Tells when to come back: at `at_us`, but not sooner than in a millisecond.
pub(super) fn retry_at(failure: Failure, at_us: u64, now_us: u64) -> Failure {
    failure.retry_after_us(at_us.saturating_sub(now_us).max(MILLISECOND))
}

/// Whole seconds from now until `at_us`, at least 1.
pub(super) fn seconds_until(at_us: u64, now_us: u64) -> u64 {
    at_us.saturating_sub(now_us).div_ceil(SECOND).max(1)
}
