//! How likely tokens were.

use crate::decoder::DecoderError;

/// How likely a chosen token and the likeliest ones were.
#[derive(Clone, Debug, PartialEq)]
pub struct Likelihood {
    /// Natural logarithm of the chosen token's probability.
    pub logprob: f32,
    /// The likeliest tokens, the likeliest first.
    pub top: Vec<Likely>,
}

/// A token and the natural logarithm of its probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Likely {
    /// Which.
    pub token: u32,
    /// How likely.
    pub logprob: f32,
}

/// The distribution as the model gave it.
pub(super) struct Told {
    logits: Vec<f32>,
    /// The logarithm of the sum of all exponentials.
    total: f64,
    top: Vec<Likely>,
}

impl Told {
    pub(super) fn new(logits: &[f32], top: usize) -> Result<Self, DecoderError> {
        let likeliest = super::choice::likeliest(logits).ok_or(DecoderError::NotANumber)?;
        let most = f64::from(logits[likeliest as usize]);
        let total = most + logits.iter().map(|logit| (f64::from(*logit) - most).exp()).sum::<f64>().ln();
        let mut told = Told { logits: logits.to_vec(), total, top: Vec::new() };
        told.top = told.likeliest(top.min(logits.len()));
        Ok(told)
    }

    fn likeliest(&self, count: usize) -> Vec<Likely> {
        if count == 0 {
            return Vec::new();
        }
        let order = |a: &u32, b: &u32| {
            let (left, right) = (self.logits[*a as usize], self.logits[*b as usize]);
            right.total_cmp(&left).then(a.cmp(b))
        };
        let mut tokens: Vec<u32> = (0..self.logits.len() as u32).collect();
        tokens.select_nth_unstable_by(count - 1, order);
        tokens.truncate(count);
        tokens.sort_unstable_by(order);
        tokens.into_iter().map(|token| Likely { token, logprob: self.logprob(token) }).collect()
    }

    fn logprob(&self, token: u32) -> f32 {
        (f64::from(self.logits[token as usize]) - self.total) as f32
    }

    pub(super) fn of(self, token: u32) -> Likelihood {
        Likelihood { logprob: self.logprob(token), top: self.top }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logprobs_are_those_of_the_softmax() {
        let told = Told::new(&[1.0, 3.0, 2.0, 3.0], 3).expect("numbers").of(0);
        let sum: f32 = [1.0f32, 3.0, 2.0, 3.0].map(f32::exp).iter().sum();
        assert!((told.logprob - (1f32.exp() / sum).ln()).abs() < 1e-6);
        assert_eq!(told.top.iter().map(|likely| likely.token).collect::<Vec<_>>(), [1, 3, 2]);
    }
}
