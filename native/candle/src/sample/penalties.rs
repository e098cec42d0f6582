//! What is held against tokens that were there before.

use std::collections::HashMap;

/// Penalties; the default is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Penalties {
    /// Taken from the logit for each time a token was generated (OpenAI).
    pub frequency: f32,
    /// Taken from the logit of each token that was generated (OpenAI).
    pub presence: f32,
    /// What the logits of tokens of the prompt and the text are divided by, or multiplied where negative (Keskar et al.,
    /// "CTRL", 2019; as in vLLM and transformers). 1: none.
    pub repetition: f32,
}

impl Default for Penalties {
    fn default() -> Self {
        Penalties { frequency: 0.0, presence: 0.0, repetition: 1.0 }
    }
}

impl Penalties {
    fn is_none(&self) -> bool {
        *self == Penalties::default()
    }
}

/// How often each token was generated; 0: it was in the prompt only.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    counts: HashMap<u32, u32>,
    counted: bool,
}

impl Seen {
    pub(super) fn new(penalties: &Penalties, prompt: &[u32]) -> Self {
        let mut seen = Seen { counts: HashMap::new(), counted: !penalties.is_none() };
        if penalties.repetition != 1.0 {
            seen.counts.extend(prompt.iter().map(|token| (*token, 0)));
        }
        seen
    }

    pub(super) fn add(&mut self, token: u32) {
        if self.counted {
            *self.counts.entry(token).or_default() += 1;
        }
    }

    pub(super) fn weigh(&self, penalties: &Penalties, logits: &mut [f32]) {
        for (token, count) in &self.counts {
            let Some(logit) = logits.get_mut(*token as usize) else { continue };
            *logit = match *logit > 0.0 {
                true => *logit / penalties.repetition,
                false => *logit * penalties.repetition,
            };
            if *count > 0 {
                *logit -= penalties.frequency * *count as f32 + penalties.presence;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn penalties_weigh_what_was_seen() {
        let penalties = Penalties { frequency: 0.5, presence: 1.0, repetition: 2.0 };
        let mut seen = Seen::new(&penalties, &[0, 1]);
        seen.add(2);
        seen.add(2);
        let mut logits = [4.0, -4.0, 4.0, 4.0];
        seen.weigh(&penalties, &mut logits);
        assert_eq!(logits, [2.0, -8.0, 2.0 - 2.0, 4.0]);
    }

    #[test]
    fn frequency_and_presence_leave_the_prompt_alone() {
        let penalties = Penalties { frequency: 0.5, presence: 1.0, repetition: 1.0 };
        let mut seen = Seen::new(&penalties, &[0]);
        seen.add(1);
        let mut logits = [1.0, 1.0];
        seen.weigh(&penalties, &mut logits);
        assert_eq!(logits, [1.0, -0.5]);
    }
}
