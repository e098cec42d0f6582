//! Chooses the next token.
//!
//! The order is that of vLLM and of transformers: penalties and biases, a constraint, the temperature, then `top_k`, `top_p`
//! and `min_p` over what it leaves. (llama.cpp cuts before it applies the temperature.)

mod choice;
mod logprobs;
mod penalties;

use hoosh_core::rng::Rng;

use crate::decoder::DecoderError;

pub use logprobs::{Likelihood, Likely};
pub use penalties::Penalties;

use choice::Candidates;

/// How tokens are chosen. What is left at its default changes nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// 0: always the likeliest.
    pub temperature: f32,
    /// Of the likeliest that together have this share.
    pub top_p: f32,
    /// Of so many likeliest; 0: of all.
    pub top_k: usize,
    /// Of those with at least this share of the likeliest's probability.
    pub min_p: f32,
    /// What is held against tokens that were there before.
    pub penalties: Penalties,
    /// Added to the logits of tokens.
    pub bias: Vec<(u32, f32)>,
    /// How many of the likeliest tokens are told beside each that was chosen; `None`: nothing is told.
    pub logprobs: Option<usize>,
}

impl Default for Sampling {
    fn default() -> Self {
        Sampling {
            temperature: 1.0,
            top_p: 1.0,
            top_k: 0,
            min_p: 0.0,
            penalties: Penalties::default(),
            bias: Vec::new(),
            logprobs: None,
        }
    }
}

/// A number that nobody asked for in particular. The keys of std's hashers are random and differ each time.
pub(crate) fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

/// Holds a text to a form, token by token.
pub trait Constraint: Send {
    /// Sets the logits of tokens that may not come next to minus infinity.
    fn mask(&mut self, logits: &mut [f32]) -> Result<(), Broken>;
    /// Is told of the token that was chosen, and says whether the text is complete: nothing but its end can follow.
    fn accept(&mut self, token: u32) -> Result<bool, Broken>;
}

/// Why a text cannot be held to its form any further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken(pub String);

/// Chooses the tokens of one sequence.
pub struct Sampler {
    sampling: Sampling,
    rng: Rng,
    seen: penalties::Seen,
    constraint: Option<Box<dyn Constraint>>,
}

impl std::fmt::Debug for Sampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sampler").field("sampling", &self.sampling).finish_non_exhaustive()
    }
}

/// A token that was chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// Which.
    pub token: u32,
    /// How likely it and others were to the model, before anything was held against them; if that was asked for.
    pub likelihood: Option<Likelihood>,
    /// The text is complete with it, by the form that it is held to.
    pub complete: bool,
}

impl Sampler {
    /// For choice `choice` of a request with `seed`: equal seeds give equal choices, and each choice draws from a stream of
    /// its own. `prompt`: the tokens that came before.
    pub fn new(sampling: Sampling, seed: u64, choice: u32, prompt: &[u32]) -> Self {
        let mut seeds = Rng::new(seed);
        let seed = (0..=choice).fold(0, |_, _| seeds.next_u64());
        let seen = penalties::Seen::new(&sampling.penalties, prompt);
        Sampler { sampling, rng: Rng::new(seed), seen, constraint: None }
    }

    /// Holds what is chosen to a form.
    pub fn constrain(&mut self, constraint: Box<dyn Constraint>) {
        self.constraint = Some(constraint);
    }

    /// Chooses by `logits`, and remembers what was chosen.
    pub fn choose(&mut self, mut logits: Vec<f32>) -> Result<Chosen, DecoderError> {
        let likelihood = match self.sampling.logprobs {
            Some(top) => Some(logprobs::Told::new(&logits, top)?),
            None => None,
        };
        self.seen.weigh(&self.sampling.penalties, &mut logits);
        for (token, bias) in &self.sampling.bias {
            if let Some(logit) = logits.get_mut(*token as usize) {
                *logit += bias;
            }
        }
        if let Some(constraint) = &mut self.constraint {
            constraint.mask(&mut logits)?;
        }
        let token = self.pick(&logits)?;
        let complete = match &mut self.constraint {
            Some(constraint) => constraint.accept(token)?,
            None => false,
        };
        self.seen.add(token);
        Ok(Chosen { token, likelihood: likelihood.map(|told| told.of(token)), complete })
    }

    fn pick(&mut self, logits: &[f32]) -> Result<u32, DecoderError> {
        let likeliest = choice::likeliest(logits).ok_or(DecoderError::NotANumber)?;
        if self.sampling.temperature == 0.0 {
            return Ok(likeliest);
        }
        let mut candidates = Candidates::new(logits, likeliest, self.sampling.temperature);
        candidates.keep_top_k(self.sampling.top_k);
        candidates.keep_top_p(self.sampling.top_p);
        candidates.keep_min_p(self.sampling.min_p);
        // 53 bits: every double in [0, 1) that is a multiple of 2^-53.
        let point = (self.rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        Ok(candidates.at(point))
    }
}
