//! How many tokens a request has, for who only asks that: Anthropic's `count_tokens`, Gemini's `countTokens`.
//!
//! hoosh counts itself, as it does for limits and budgets, so that nothing is asked of a provider and nothing is spent.

use super::target::Target;
use super::{Exchange, Move, Phase};
use crate::dialects::openai::count::Question;
use crate::error::{Code, Failure};

impl Exchange {
    pub(super) fn is_count(&self) -> bool {
        matches!(self.call().target, Some(Target::Count(_)))
    }

    /// Who may ask the model may ask this.
    pub(super) fn count_asked(&mut self) -> Move {
        let allowed = self.resolved().and_then(|candidates| {
            self.take_candidates(candidates);
            self.in_scope()
        });
        if let Err(failure) = allowed {
            self.fail(failure);
            return Move::Again;
        }
        let question = Question::of(self.facts(), self.endpoint());
        let bytes = self.facts().body.len();
        self.work(Phase::Counted, bytes, move || question.longest_input());
        Move::Again
    }

    pub(super) fn take_counted(&mut self, counted: Option<u64>) {
        let Some(tokens) = counted else {
            return self.fail(Failure::new(Code::Internal, "A job came back without its result."));
        };
        let body = self.dialect().protocol().count_body(tokens);
        self.reply_json(200, body);
    }
}
