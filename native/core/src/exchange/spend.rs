//! The budget: what a request may cost at most is reserved before it is sent.

use super::gates::Gate;
use super::work::Job;
use super::{Exchange, Move, Phase, Step};
use crate::budget::{Answer, Pool, Reservation, Reserve};
use crate::dialects::neutral::Endpoint;
use crate::dialects::openai::count::Question;
use crate::dialects::openai::request::Unbounded;
use crate::dialects::passed::Service;
use crate::error::{Code, Failure};
use crate::gateway::Upstream;
use crate::metrics::Limit;
use crate::route::Candidate;
use crate::sync::Arc;
use crate::tokens;

impl Exchange {
    pub(super) fn pass_budget(&mut self) -> Move {
        if self.holds.ticket.is_some() {
            return self.poll_budget();
        }
        if self.holds.pool.is_none() {
            return self.go(Gate::Flight);
        }
        if let Err(failure) = self.bounded_input() {
            return self.refuse(failure);
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

    /// Whether the tokens of the input have a bound.
    pub(super) fn bounded_input(&self) -> Result<(), Failure> {
        let Some(Unbounded { param, what }) = self.facts().unbounded else { return Ok(()) };
        let words = format!("The request holds {what}, whose tokens cannot be bounded, and it is charged to a budget.");
        Err(Failure::new(Code::UnboundedInput, words).param(param))
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
    pub(super) fn find_budget(&self) -> Result<Option<Arc<Pool>>, Failure> {
        self.budget_named(self.facts().budget.as_deref())
    }

    /// The same where the body names `named`.
    pub(super) fn budget_named(&self, named: Option<&str>) -> Result<Option<Arc<Pool>>, Failure> {
        let call = self.call();
        let named = named.or(call.budget.as_deref());
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
    pub(super) fn tokens_wanted(&self) -> (u64, u64) {
        let facts = self.facts();
        let input = self.input_bound();
        if let Some(Service::Images | Service::Speech | Service::Transcriptions | Service::Translations) =
            self.service()
        {
            // What they make is tokens too, and no cap can be sent.
            let output = self.snap.config.limits.reserve_output.saturating_mul(facts.choices);
            let whole = input.saturating_add(output);
            return (whole, whole);
        }
        if self.endpoint() == Endpoint::Embeddings {
            let whole = input.saturating_add(self.children.slices.overhead());
            return (whole, whole);
        }
        let output = self.output_wanted();
        (input.saturating_add(facts.choices), input.saturating_add(output.saturating_mul(facts.choices)))
    }

    /// Output tokens of one choice, at most or as far as can be guessed.
    fn output_wanted(&self) -> u64 {
        let limit = self.call().holder.max_tokens_limit;
        let most = limit.unwrap_or(u64::MAX);
        let named = self.facts().output_cap;
        // Without a budget the key's limit is what is sent where the caller names nothing.
        let sent = limit.filter(|_| self.holds.pool.is_none());
        named.or(sent).unwrap_or(self.snap.config.limits.reserve_output).min(most).max(1)
    }

    /// The cap that `upstream` is sent, if it is sent one: the lowest of what was reserved, and what the key and the
    /// provider allow, and of what the model can, where there is one of these. What the caller names is lowered to it.
    pub(super) fn cap_at(&self, to: &Candidate, upstream: &Upstream) -> Option<u64> {
        if self.endpoint() == Endpoint::Embeddings {
            return None;
        }
        let limits = [self.holds.cap, self.call().holder.max_tokens_limit, upstream.max_tokens_limit];
        limits.into_iter().flatten().min().map(|cap| cap.min(to.most_output().unwrap_or(cap)))
    }

    /// The cap that the request to `upstream` has: its own, as far as that is not more than [`Self::cap_at`], or the model's.
    pub(super) fn told_cap(&self, to: &Candidate, upstream: &Upstream) -> Option<u64> {
        let named = self.facts().output_cap;
        let most = to.most_output().filter(|_| named.is_some());
        named.into_iter().chain(self.cap_at(to, upstream)).chain(most).min()
    }

    /// Tokens that asking `upstream` may use at most, or as far as can be guessed.
    pub(super) fn tokens_at(&self, to: &Candidate, upstream: &Upstream) -> u64 {
        let (facts, input) = (self.facts(), self.input_bound());
        if self.service().is_some() {
            return self.tokens_wanted().1;
        }
        if self.endpoint() == Endpoint::Embeddings {
            return input;
        }
        let named = self.told_cap(to, upstream).or(to.most_output());
        let output = named.unwrap_or(self.snap.config.limits.reserve_output).max(1);
        input.saturating_add(output.saturating_mul(facts.choices))
    }

    pub(super) fn input_bound(&self) -> u64 {
        self.holds.exact_input.unwrap_or(self.facts().input_bound)
    }

    fn take_reservation(&mut self, reservation: Reservation) -> Move {
        self.holds.cap = self.cap_of(reservation.tokens()).or(self.holds.cap);
        self.holds.reservation = Some(reservation);
        self.go(Gate::Flight)
    }

    /// Output tokens that a choice may have, of so many tokens granted.
    pub(super) fn cap_of(&self, granted: u64) -> Option<u64> {
        let output = granted.saturating_sub(self.input_bound());
        (self.endpoint() != Endpoint::Embeddings).then(|| (output / self.facts().choices).max(1))
    }

    /// The bound by bytes is four times the truth or so. Before a request is refused for it, its text is counted, if
    /// the model's tokenizer is known: counts of other models would not be a bound.
    fn refuse_budget(&mut self, available: u64) -> Move {
        if let Some(moved) = self.count_input(Gate::Count) {
            return moved;
        }
        self.account.limited = Some(Limit::Budget);
        let failure = self.budget_failure(available);
        self.refuse(failure)
    }

    /// How the input is counted, where that was not done yet and the model's tokenizer is known.
    pub(super) fn exact_count(&self) -> Option<impl FnOnce() -> u64 + Send + 'static> {
        let facts = self.facts();
        if self.holds.exact_input.is_some() || tokens::encoding_for_model(&facts.model).is_none() {
            return None;
        }
        let question = Question::of(facts, self.endpoint());
        let images = facts.input_bound.saturating_sub(facts.body.len() as u64);
        Some(move || question.bound().saturating_add(images))
    }

    pub(super) fn budget_failure(&self, available: u64) -> Failure {
        let (needed, _) = self.tokens_wanted();
        let words = format!("The budget has {available} tokens left; this request may need {needed}. Ask for less, or raise its capacity.");
        Failure::new(Code::BudgetExceeded, words)
    }

    /// Has the input counted at `gate`, unless it was or its tokenizer is not known.
    pub(super) fn count_input(&mut self, gate: Gate) -> Option<Move> {
        let job = Job::new(self.exact_count()?);
        self.steps.push_back(Step::Work { job });
        Some(self.go(gate))
    }

    /// The count came back to `gate`, and with it the request goes on from where it was too large.
    pub(super) fn take_exact_input(&mut self, gate: Gate, counted: Option<u64>) {
        let bound = self.facts().input_bound;
        self.holds.exact_input = Some(counted.map_or(bound, |counted| counted.min(bound)));
        self.phase = Phase::Gates(if gate == Gate::CountForRate { Gate::Tokens } else { Gate::Budget });
    }
}
