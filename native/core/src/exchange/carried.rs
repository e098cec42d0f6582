//! Whom a request can be carried to. A strict caller's goes to those to whom nothing of it is lost, and one that goes on
//! from a response that an upstream keeps to those that speak its dialect; the caller is told what stands against it only
//! if nobody is left.

use super::Exchange;
use crate::dialects::Loss;
use crate::error::{Code, Failure};
use crate::route::Candidate;

/// Of the fields that a refusal names, bytes.
const MAX_NAMED: usize = 512;

impl Exchange {
    /// Takes those out of the candidates to whom it cannot be carried.
    pub(super) fn keep_carried(&mut self) -> Result<(), Failure> {
        if !self.is_particular() {
            return Ok(());
        }
        let Some(candidates) = self.choice.candidates.clone() else { return Ok(()) };
        let (mut kept, mut first) = (Vec::with_capacity(candidates.len()), None);
        for candidate in candidates.iter().filter(|candidate| self.may_use(candidate)) {
            match self.carried(candidate) {
                Ok(()) => kept.push(candidate.clone()),
                Err(failure) => {
                    first.get_or_insert(failure);
                }
            }
        }
        match first {
            Some(failure) if kept.is_empty() => return Err(failure),
            Some(_) => self.choice.candidates = Some(kept.into()),
            None => {}
        }
        Ok(())
    }

    /// Whether it matters to the caller who is asked; to all others the order of the route does.
    fn is_particular(&self) -> bool {
        let goes_on = || self.facts().source.as_deref().is_some_and(|source| source.earlier.is_some());
        self.ask().is_none() && (self.call().strict || goes_on())
    }

    fn carried(&self, candidate: &Candidate) -> Result<(), Failure> {
        let upstream = &self.snap.upstreams[candidate.provider as usize];
        let (_, loss) = self.translate(candidate, upstream, &self.version(upstream))?;
        self.refuse_loss(&loss)
    }

    /// What a strict caller is told of a loss.
    pub(super) fn refuse_loss(&self, loss: &Loss) -> Result<(), Failure> {
        if !self.call().strict || !loss.loses() {
            return Ok(());
        }
        let words = format!(
            "Between the dialects of this request and its provider something would be lost: {}. Leave it out, ask a provider that speaks this dialect, or send 'x-hoosh-strict: false'.",
            loss.short(MAX_NAMED)
        );
        let first = loss.fields().iter().find(|lost| lost.change.loses()).map(|lost| lost.field.to_string());
        Err(first.into_iter().fold(Failure::new(Code::TranslationLoses, words), Failure::param))
    }
}
