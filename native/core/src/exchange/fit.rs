//! Whom a request can be put to: candidates whose model cannot do what it needs are left out, each for a reason that the
//! caller is told if nobody is left. Only where `[[models]]`, or an engine of this process, says anything.

use super::gates::Gate;
use super::work::Job;
use super::{Exchange, Move, Phase, Step};
use crate::dialects::neutral::Endpoint;
use crate::dialects::openai::count::Question;
use crate::error::{Code, Failure};
use crate::route::{Candidate, Lack, Needs};

/// Reasons that are told.
const MOST_REASONS: usize = 8;

impl Exchange {
    /// Takes those out of the candidates that cannot do it.
    pub(super) fn pass_fit(&mut self) -> Move {
        let Some(candidates) = self.choice.candidates.clone() else { return self.go(Gate::Rate) };
        if self.may_overflow(&candidates) {
            return self.measure();
        }
        match self.keep_fit(&candidates, &self.lacks(&candidates)) {
            Ok(()) => self.leave_scope(),
            Err(failure) => self.refuse(failure),
        }
    }

    /// Goes on with those who lack nothing, if the key may ask one of them.
    pub(super) fn keep_fit(&mut self, candidates: &[Candidate], lacks: &[Option<Lack>]) -> Result<(), Failure> {
        let fit: Vec<Candidate> =
            candidates.iter().zip(lacks).filter(|(_, lack)| lack.is_none()).map(|(c, _)| c.clone()).collect();
        self.choice.candidates = Some(fit.into());
        if self.may_ask_somebody() {
            return Ok(());
        }
        Err(self.unfit(candidates, lacks))
    }

    /// Of each candidate, why its model cannot do it, if it cannot.
    pub(super) fn lacks(&self, candidates: &[Candidate]) -> Vec<Option<Lack>> {
        let needs = self.needs();
        candidates.iter().map(|candidate| candidate.bounds.as_ref().and_then(|bounds| bounds.lacks(&needs))).collect()
    }

    /// Whether the input must be counted to know, of one that could be asked otherwise.
    pub(super) fn may_overflow(&self, candidates: &[Candidate]) -> bool {
        let needs = self.needs();
        let one = |candidate: &Candidate| {
            candidate
                .bounds
                .as_ref()
                .is_some_and(|bounds| bounds.lacks(&needs).is_none() && bounds.may_overflow(&needs))
        };
        candidates.iter().any(one)
    }

    /// The bound by bytes is several times the truth: before anybody is left out for it, the input is counted.
    fn measure(&mut self) -> Move {
        let question = Question::of(self.facts(), self.endpoint());
        self.steps.push_back(Step::Work { job: Job::new(move || question.longest_input()) });
        self.phase = Phase::Gates(Gate::Measure);
        Move::Again
    }

    pub(super) fn take_measure(&mut self, counted: Option<u64>) {
        // Without a count its provider will say.
        self.holds.counted_input = Some(counted.unwrap_or(0));
        self.phase = Phase::Gates(Gate::Fit);
    }

    fn needs(&self) -> Needs {
        let facts = self.facts();
        let bound = self.holds.counted_input.unwrap_or(facts.input_bound);
        let [tools, images, audio] = facts.abilities();
        let embeddings = self.endpoint() == Endpoint::Embeddings;
        Needs {
            tools,
            images,
            audio,
            chat: !embeddings,
            embeddings,
            structured_output: facts.wants_schema(),
            input_tokens: bound,
            is_counted: self.holds.counted_input.is_some(),
        }
    }

    /// What the caller is told if nobody is left.
    pub(super) fn unfit(&self, candidates: &[Candidate], lacks: &[Option<Lack>]) -> Failure {
        // Of those that the key may not use it is not told.
        let usable = candidates.iter().zip(lacks).filter(|(candidate, _)| self.may_use(candidate));
        let reasons: Vec<(&Candidate, Lack)> = usable.filter_map(|(c, lack)| Some((c, (*lack)?))).collect();
        let told = reasons.iter().take(MOST_REASONS).map(|(candidate, lack)| {
            let provider = &self.snap.upstreams[candidate.provider as usize].name;
            format!("{provider}/{} {lack}", candidate.model)
        });
        let told: Vec<String> = told.collect();
        let asked = &self.facts().model;
        let too_long = !reasons.is_empty() && reasons.iter().all(|(_, lack)| matches!(lack, Lack::Context { .. }));
        let (code, ask) = match too_long {
            true => (Code::ContextExceeded, "Send less, or ask a model that holds more"),
            false => (Code::UnsupportedByModel, "Ask another model, or leave out what it cannot do"),
        };
        let words = format!("'{asked}' cannot answer this request: {}. {ask}.", told.join("; "));
        let param = match reasons.first() {
            Some((_, Lack::Tools)) => "tools",
            Some((_, Lack::Schema)) => "response_format",
            Some((_, Lack::Chat | Lack::Embeddings)) => "model",
            _ => self.input_field(),
        };
        Failure::new(code, words).param(param)
    }

    fn input_field(&self) -> &'static str {
        match self.endpoint() {
            Endpoint::Chat => "messages",
            Endpoint::Completions => "prompt",
            Endpoint::Embeddings => "input",
        }
    }
}
