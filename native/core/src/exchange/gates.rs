//! What must let a request through before an upstream is asked: scope, rate, cache, places, budget, single flight.

use super::work::Job;
use super::{Exchange, Move, Phase, Step};
use crate::budget::{Answer, Pool, Reservation, Reserve};
use crate::cache::Entry;
use crate::clock::SECOND;
use crate::config::CacheMode;
use crate::dialects::neutral::Endpoint;
use crate::dialects::openai::count::Question;
use crate::error::{Code, Failure};
use crate::flight::{Follow, Follower, Join, Leader};
use crate::limit::{Acquire, Concurrency, Permit, Ticket};
use crate::metrics::{CacheResult, Limit};
use crate::route::Resolved;
use crate::sync::Arc;
use crate::tokens;

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
    place: Option<Permit>,
    key_place: Option<Permit>,
    waiting: Option<Waiting>,
    pub reservation: Option<Reservation>,
    ticket: Option<crate::budget::Ticket>,
    pub pool: Option<Arc<Pool>>,
    /// Output tokens that may be spent per choice, under a budget.
    pub cap: Option<u64>,
    exact_input: Option<u64>,
    pub leader: Option<Leader<Entry>>,
    follower: Option<Follower<Entry>>,
}

/// A place in a queue, and how long it is worth holding.
pub(super) struct Waiting {
    ticket: Ticket,
    until_us: u64,
}

/// How asking for a place went.
enum Place {
    Held(Permit),
    Wait(u64),
    Full,
}

impl Holds {
    /// Everything but the bytes and the reservation, which settle by themselves.
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
        match gate {
            Gate::Scope => self.pass_scope(),
            Gate::KeyRate => self.pass_key_rate(),
            Gate::Cache => self.pass_cache(),
            Gate::Place => self.pass_place(),
            Gate::KeyPlace => self.pass_key_place(),
            Gate::Budget => self.pass_budget(),
            Gate::Count => Move::Wait(None),
            Gate::Flight => self.pass_flight(),
        }
    }

    fn go(&mut self, gate: Gate) -> Move {
        self.phase = Phase::Gates(gate);
        Move::Again
    }

    fn refuse(&mut self, failure: Failure) -> Move {
        self.fail(failure);
        Move::Again
    }

    fn pass_scope(&mut self) -> Move {
        let model = &self.facts().model;
        let candidates = match self.snap.routes.resolve(model) {
            Resolved::Candidates(candidates) => candidates,
            Resolved::Unknown { nearest } => {
                let mut words = format!("No provider serves the model '{model}'.");
                // A key with a scope is not told of models outside it.
                if let Some(near) =
                    nearest.filter(|_| self.call().holder.key.as_ref().is_none_or(|k| k.models.is_empty()))
                {
                    words.push_str(&format!(" Did you mean '{near}'?"));
                }
                words.push_str(" GET /v1/models lists what there is.");
                return self.refuse(Failure::new(Code::UnknownModel, words).param("model"));
            }
        };
        let holder = &self.call().holder;
        if !candidates.iter().any(|c| holder.allows(&c.model, &self.snap.upstreams[c.provider as usize])) {
            let words = format!("This key may not use the model '{model}'.");
            return self.refuse(Failure::new(Code::ModelForbidden, words).param("model"));
        }
        self.choice.turn = self.snap.routes.turn(model);
        self.choice.candidates = Some(candidates);
        if self.is_child() {
            // Its parent passed the other gates and gave it of what it holds.
            self.phase = Phase::Choose;
            return Move::Again;
        }
        self.go(Gate::KeyRate)
    }

    fn pass_key_rate(&mut self) -> Move {
        let holder = &self.call().holder;
        if holder.rated {
            if let Err(at_us) = holder.live.rate.take(self.now.mono_us) {
                self.account.limited = Some(Limit::KeyRate);
                let words = "This key has used its requests for the minute. Slow down, or raise its rate_limit_rpm.";
                let wait = seconds_until(at_us, self.now.mono_us);
                return self.refuse(Failure::new(Code::RateLimited, words).retry_after(wait));
            }
        }
        self.go(Gate::Cache)
    }

    fn pass_cache(&mut self) -> Move {
        let Some(cache) = &self.snap.cache else { return self.go(Gate::Place) };
        let Some(key) = self.cache_key() else {
            self.account.cache = Some(CacheResult::Bypass);
            return self.go(Gate::Place);
        };
        if let Some(entry) = cache.get(&key, self.now.mono_us) {
            self.serve(&entry, CacheResult::Hit);
            return Move::Again;
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

    fn pass_place(&mut self) -> Move {
        let Some(concurrency) = self.snap.concurrency.clone() else { return self.go(Gate::KeyPlace) };
        match self.ask_place(&concurrency) {
            Place::Held(permit) => {
                self.holds.place = Some(permit);
                self.go(Gate::KeyPlace)
            }
            Place::Wait(until) => Move::Wait(Some(until)),
            Place::Full => {
                let words = "The gateway is answering as many requests as it may. Ask again, or raise [limits] max_concurrency.";
                self.refuse_place(Limit::GatewayConcurrency, words)
            }
        }
    }

    fn pass_key_place(&mut self) -> Move {
        let holder = self.call().holder.clone();
        if !holder.bounded {
            return self.go(Gate::Budget);
        }
        match self.ask_place(&holder.live.concurrency) {
            Place::Held(permit) => {
                self.holds.key_place = Some(permit);
                self.go(Gate::Budget)
            }
            Place::Wait(until) => Move::Wait(Some(until)),
            Place::Full => {
                let words = "This key has as many requests in progress as it may. Wait for one to end, or raise its max_concurrency.";
                self.refuse_place(Limit::KeyConcurrency, words)
            }
        }
    }

    fn refuse_place(&mut self, limit: Limit, words: &str) -> Move {
        self.account.limited = Some(limit);
        self.refuse(Failure::new(Code::ConcurrencyLimited, words).retry_after(1))
    }

    /// Takes a place, or waits for one as long as configured. Asked again after each wake.
    fn ask_place(&mut self, concurrency: &Arc<Concurrency>) -> Place {
        if let Some(waiting) = &mut self.holds.waiting {
            if let Some(permit) = waiting.ticket.poll() {
                self.holds.waiting = None;
                return Place::Held(permit);
            }
            if self.now.mono_us < waiting.until_us {
                return Place::Wait(waiting.until_us);
            }
            self.holds.waiting = None;
            return Place::Full;
        }
        match concurrency.acquire(self.call().holder.owner, &self.waker) {
            Acquire::Held(permit) => Place::Held(permit),
            Acquire::Refused => Place::Full,
            Acquire::Waiting(ticket) => {
                let until_us = self.wait_limit_us();
                self.holds.waiting = Some(Waiting { ticket, until_us });
                Place::Wait(until_us)
            }
        }
    }

    /// When waiting for a place, begun now, is given up.
    pub(super) fn wait_limit_us(&self) -> u64 {
        self.now.mono_us.saturating_add(self.snap.config.limits.wait_secs.saturating_mul(SECOND))
    }

    fn pass_budget(&mut self) -> Move {
        if self.holds.ticket.is_some() {
            return self.poll_budget();
        }
        if self.holds.pool.is_none() {
            match self.find_budget() {
                Err(failure) => return self.refuse(failure),
                Ok(None) => return self.go(Gate::Flight),
                Ok(Some(pool)) => self.holds.pool = Some(pool),
            }
        }
        if let Some(part) = self.facts().unbounded {
            let words = format!("A message holds a part ({part}) whose tokens cannot be bounded, and this request is charged to a budget.");
            return self.refuse(Failure::new(Code::UnboundedInput, words).param("messages"));
        }
        let (min, want) = self.tokens_wanted();
        let Some(pool) = &self.holds.pool else { return self.go(Gate::Flight) };
        match pool.reserve(min, want, &self.waker) {
            Reserve::Granted(reservation) => self.take_reservation(reservation),
            Reserve::Waiting(ticket) => {
                self.holds.ticket = Some(ticket);
                Move::Wait(None)
            }
            Reserve::Refused { available } => self.refuse_budget(available),
        }
    }

    fn poll_budget(&mut self) -> Move {
        let answer = self.holds.ticket.as_mut().map_or(Answer::Unavailable, |ticket| ticket.poll());
        if !matches!(answer, Answer::Waiting) {
            self.holds.ticket = None;
        }
        match answer {
            Answer::Waiting => Move::Wait(None),
            Answer::Granted(reservation) => self.take_reservation(reservation),
            Answer::Refused { available } => self.refuse_budget(available),
            Answer::Unavailable => {
                let words = "The store that holds the budget does not answer. Ask again.";
                self.refuse(Failure::new(Code::BudgetUnavailable, words).retry_after(1))
            }
        }
    }

    /// The budget that pays: the key's own, else the one that the request names, else `default`.
    fn find_budget(&self) -> Result<Option<Arc<Pool>>, Failure> {
        let call = self.call();
        let named = self.facts().budget.as_deref().or(call.budget.as_deref());
        let bound = call.holder.key.as_ref().and_then(|key| key.budget.as_deref());
        if let (Some(bound), Some(named)) = (bound, named) {
            if bound != named {
                let words = format!("This key charges the budget '{bound}' and no other.");
                return Err(Failure::new(Code::BudgetForbidden, words).param("pool"));
            }
        }
        let Some(name) = bound.or(named) else { return Ok(self.snap.budget("default").cloned()) };
        match self.snap.budget(name) {
            Some(pool) => Ok(Some(pool.clone())),
            None => {
                let words = "There is no such budget. See [[budgets]] in the configuration.";
                Err(Failure::new(Code::UnknownBudget, words).param("pool"))
            }
        }
    }

    /// The least that makes sense (the input and one token of each choice) and what is wanted.
    fn tokens_wanted(&self) -> (u64, u64) {
        let facts = self.facts();
        let input = self.input_bound();
        if self.endpoint() == Endpoint::Embeddings {
            let whole = input.saturating_add(self.children.slices.overhead());
            return (whole, whole);
        }
        let output = facts.output_cap.unwrap_or(self.snap.config.limits.reserve_output).max(1);
        (input.saturating_add(facts.choices), input.saturating_add(output.saturating_mul(facts.choices)))
    }

    pub(super) fn input_bound(&self) -> u64 {
        self.holds.exact_input.unwrap_or(self.facts().input_bound)
    }

    fn take_reservation(&mut self, reservation: Reservation) -> Move {
        if self.endpoint() != Endpoint::Embeddings {
            let output = reservation.tokens().saturating_sub(self.input_bound());
            self.holds.cap = Some((output / self.facts().choices).max(1));
        }
        self.holds.reservation = Some(reservation);
        self.go(Gate::Flight)
    }

    /// The bound by bytes is four times the truth or so. Before a request is refused for it, its text is counted, if
    /// the model's tokenizer is known: counts of other models would not be a bound.
    fn refuse_budget(&mut self, available: u64) -> Move {
        let facts = self.facts();
        if self.holds.exact_input.is_none() && tokens::encoding_for_model(&facts.model).is_some() {
            let question = Question::of(facts, self.endpoint());
            let images = facts.input_bound.saturating_sub(facts.body.len() as u64);
            let job = Job::new(move || question.bound().saturating_add(images));
            self.steps.push_back(Step::Work { job });
            return self.go(Gate::Count);
        }
        self.account.limited = Some(Limit::Budget);
        let (needed, _) = self.tokens_wanted();
        let words = format!("The budget has {available} tokens left; this request may need {needed}. Ask for less, or raise its capacity.");
        self.refuse(Failure::new(Code::BudgetExceeded, words))
    }

    pub(super) fn take_exact_input(&mut self, counted: Option<u64>) {
        let bound = self.facts().input_bound;
        self.holds.exact_input = Some(counted.map_or(bound, |counted| counted.min(bound)));
        self.phase = Phase::Gates(Gate::Budget);
    }

    fn pass_flight(&mut self) -> Move {
        if let Some(follower) = &mut self.holds.follower {
            match follower.poll() {
                Follow::Waiting => return Move::Wait(None),
                Follow::Landed(entry) => {
                    self.serve(&entry, CacheResult::Shared);
                    return Move::Again;
                }
                Follow::Promoted(leader) => {
                    self.holds.follower = None;
                    self.holds.leader = Some(leader);
                }
            }
        } else if self.holds.leader.is_none() {
            if let Some(key) = self.cache_key() {
                match self.snap.flights.join(key, &self.waker) {
                    Join::Leader(leader) => self.holds.leader = Some(leader),
                    Join::Follower(follower) => {
                        self.holds.follower = Some(follower);
                        return Move::Again;
                    }
                }
            }
        }
        self.phase = if self.children.slices.len() > 0 { Phase::Children } else { Phase::Choose };
        Move::Again
    }
}

/// Whole seconds from now until `at_us`, at least 1.
pub(super) fn seconds_until(at_us: u64, now_us: u64) -> u64 {
    at_us.saturating_sub(now_us).div_ceil(SECOND).max(1)
}
