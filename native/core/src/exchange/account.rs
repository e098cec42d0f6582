//! What is known about the cost of an exchange, and how it ended.

use bytes::Bytes;
use smallvec::SmallVec;

use super::spoken::Spoken;
use super::tokens::Reported;
use crate::dialects::neutral::Endpoint;
use crate::dialects::openai::encode::write_usage;
use crate::dialects::openai::words::Words;
use crate::dialects::Loss;
use crate::error::Code;
use crate::gateway::Upstream;
use crate::ledger::{Ending, Usage, UsageSource};
use crate::limit::TokenCharge;
use crate::metrics::{CacheResult, Limit, Outcome, Slot};
use crate::sync::Arc;

/// What is known about the cost of an exchange.
#[derive(Default)]
pub(super) struct Account {
    /// What all attempts together used.
    pub usage: Usage,
    /// Input tokens of the attempt that had most.
    pub longest_prompt: u64,
    /// What ended attempts were charged; their part of `usage` is settled already.
    pub settled: u64,
    pub uncounted: Uncounted,
    pub owed: Option<Owed>,
    pub ended_attempts: SmallVec<[(Slot, Outcome); 4]>,
    /// Of the last attempt.
    pub provider: Option<Arc<Upstream>>,
    /// What the last attempt took of its provider's tokens a minute.
    pub provider_tokens: Option<Arc<TokenCharge>>,
    /// What attempts before it used.
    pub provider_settled: u64,
    /// The output cap that was sent, where the caller named more or none.
    pub capped: Option<u64>,
    /// `x-hoosh-model`: the last one asked, or whose answer is given again.
    pub answered_by: Option<Bytes>,
    /// What the answer itself used, and the same as its upstream wrote it, if it did in one piece.
    pub answer_used: Option<Usage>,
    pub usage_said: Option<Bytes>,
    /// Model as it was asked for it.
    pub model: Option<Arc<str>>,
    /// A caller told what it used elsewhere.
    pub reported: Option<Box<Reported>>,
    pub cache: Option<CacheResult>,
    pub limited: Option<Limit>,
    pub terminator_added: bool,
    /// Fit for the cache.
    pub clean: bool,
    /// How the exchange ended, once it did.
    pub ending: Option<(Ending, Option<Code>)>,
    /// More was used than was reserved.
    pub overrun: bool,
    pub booked: bool,
    /// The answer was given before, under the same idempotency key.
    pub replayed: bool,
    /// What the cache had said then.
    pub said_cache: Option<CacheResult>,
    /// A callable of the provider's declined.
    pub declined: bool,
    /// What the request lost on its way to the last attempt's dialect.
    pub loss: Loss,
}

/// An answer whose upstream did not say what it used.
#[derive(Default)]
pub(super) enum Uncounted {
    #[default]
    Nothing,
    /// Nobody counts it yet.
    Words(Words),
    /// A job does. Until it is back, or if it never is: what it cannot be more than.
    Counting(Usage),
}

/// What a caller still gets when its usage is counted.
pub(super) enum Owed {
    /// The last chunk of a stream that is complete but for it, made after this one.
    Chunk(Bytes),
    /// What was said, whole or as the rest of a stream.
    Answer(Box<Spoken>),
}

impl Account {
    pub fn end_attempt(&mut self, slot: Slot, outcome: Outcome) {
        self.ended_attempts.push((slot, outcome));
    }

    /// What the upstream said it used, or the words to count.
    pub fn answered(&mut self, usage: Option<Usage>, words: Words) {
        match usage {
            Some(usage) => {
                self.answer_used = Some(usage);
                self.add(usage);
            }
            None => self.uncounted = Uncounted::Words(words),
        }
    }

    /// An attempt took the request and broke off: its input counts, at its bound.
    pub fn charge_bound(&mut self, input: u64) {
        if input == 0 {
            return;
        }
        self.add(Usage { input_tokens: input, source: UsageSource::Bound, ..Usage::default() });
    }

    /// The usage of the answer in OpenAI's form, for those who get it again.
    pub fn usage_json(&self, endpoint: Endpoint) -> Option<Bytes> {
        if let Some(said) = &self.usage_said {
            return Some(Bytes::copy_from_slice(said));
        }
        let mut written = Vec::with_capacity(96);
        write_usage(&mut written, endpoint, &self.answer_used?);
        Some(Bytes::from(written))
    }

    /// Bytes of words and of an answer that are kept.
    pub fn held(&self) -> usize {
        let words = match &self.uncounted {
            Uncounted::Words(words) => words.text.len(),
            Uncounted::Nothing | Uncounted::Counting(_) => 0,
        };
        let owed = match &self.owed {
            Some(Owed::Answer(spoken)) => spoken.bytes,
            Some(Owed::Chunk(_)) | None => 0,
        };
        words + owed
    }

    pub fn add(&mut self, usage: Usage) {
        self.usage.input_tokens = self.usage.input_tokens.saturating_add(usage.input_tokens);
        self.usage.output_tokens = self.usage.output_tokens.saturating_add(usage.output_tokens);
        self.usage.cached_tokens = self.usage.cached_tokens.saturating_add(usage.cached_tokens);
        let written = &mut self.usage.cache_written_tokens;
        *written = written.saturating_add(usage.cache_written_tokens);
        let written = &mut self.usage.cache_written_long_tokens;
        *written = written.saturating_add(usage.cache_written_long_tokens);
        self.longest_prompt = self.longest_prompt.max(usage.input_tokens);
        // A sum is as sure as its weakest part.
        self.usage.source = self.usage.source.max(usage.source);
    }
}
