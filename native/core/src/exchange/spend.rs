//! The budget: what a request may cost at most is reserved before it is sent.

use super::gates::Gate;
use super::work::Job;
use super::{Exchange, Move, Phase, Step};
use crate::budget::{Answer, Pool, Reservation, Reserve};
use crate::dialects::neutral::Endpoint;
use crate::dialects::openai::count::Question;
use crate::dialects::openai::request::Unbounded;
use crate::error::{Code, Failure};
use crate::metrics::Limit;
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
    pub(super) fn tokens_wanted(&self) -> (u64, u64) {
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
        if let Some(count) = self.exact_count() {
            self.steps.push_back(Step::Work { job: Job::new(count) });
            return self.go(Gate::Count);
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

    pub(super) fn take_exact_input(&mut self, counted: Option<u64>) {
        let bound = self.facts().input_bound;
        self.holds.exact_input = Some(counted.map_or(bound, |counted| counted.min(bound)));
        self.phase = Phase::Gates(Gate::Budget);
    }
}
