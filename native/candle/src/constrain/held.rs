//! One answer on its way through a grammar.

use llguidance::Matcher;

use crate::sample::{Broken, Constraint};

/// One answer on its way through a grammar. A copy goes on by itself, but shares what was worked out: for the choices of one
/// request, which are stepped by one thread.
#[derive(Clone)]
pub struct Held {
    matcher: Matcher,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

impl Held {
    pub(super) fn new(matcher: Matcher) -> Self {
        Held { matcher }
    }

    /// The same without anything shared: for another request, whose automata then count for it alone.
    pub(super) fn afresh(&self) -> Self {
        Held { matcher: self.matcher.deep_clone() }
    }
}

impl Constraint for Held {
    fn mask(&mut self, logits: &mut [f32]) -> Result<(), Broken> {
        let mask = self.matcher.compute_mask().map_err(broken)?;
        // Rows of the model beyond its vocabulary are no tokens.
        let known = logits.len().min(mask.len());
        logits[known..].fill(f32::NEG_INFINITY);
        for (logits, allowed) in logits[..known].chunks_mut(u32::BITS as usize).zip(mask.as_slice()) {
            match *allowed {
                0 => logits.fill(f32::NEG_INFINITY),
                u32::MAX => {}
                allowed => leave(logits, allowed),
            }
        }
        Ok(())
    }

    fn accept(&mut self, token: u32) -> Result<bool, Broken> {
        self.matcher.consume_token(token).map_err(broken)?;
        Ok(self.matcher.is_stopped())
    }
}

/// Leaves those whose bit is set.
fn leave(logits: &mut [f32], allowed: u32) {
    for (bit, logit) in logits.iter_mut().enumerate() {
        if allowed & (1 << bit) == 0 {
            *logit = f32::NEG_INFINITY;
        }
    }
}

fn broken(error: impl std::fmt::Display) -> Broken {
    Broken(super::said(&error.to_string()))
}
