//! Cuts unlikely tokens away and draws among the rest.

/// The likeliest token, the lowest of equals; `None` if no logit is a number above minus infinity, or one is not a number.
pub(super) fn likeliest(logits: &[f32]) -> Option<u32> {
    let mut best: Option<(usize, f32)> = None;
    for (token, &logit) in logits.iter().enumerate() {
        if logit.is_nan() || logit == f32::INFINITY {
            return None;
        }
        if logit > best.map_or(f32::NEG_INFINITY, |(_, most)| most) {
            best = Some((token, logit));
        }
    }
    best.map(|(token, _)| token as u32)
}

/// How many are sorted at first, where the number needed is not known before: most heads of a distribution are shorter.
const FIRST_SORTED: usize = 64;

/// Tokens that may be chosen, with weights relative to the likeliest's, which is 1.
pub(super) struct Candidates {
    tokens: Vec<(u32, f64)>,
    /// So many at the front are sorted, the likeliest first, and none behind is likelier.
    sorted: usize,
}

impl Candidates {
    pub(super) fn new(logits: &[f32], likeliest: u32, temperature: f32) -> Self {
        let most = f64::from(logits[likeliest as usize]);
        let tokens = logits.iter().enumerate().filter(|(_, logit)| **logit > f32::NEG_INFINITY);
        let weight = |logit: f32| ((f64::from(logit) - most) / f64::from(temperature)).exp();
        Candidates { tokens: tokens.map(|(token, logit)| (token as u32, weight(*logit))).collect(), sorted: 0 }
    }

    /// Sorts the `count` likeliest to the front; equals by their number.
    fn sort(&mut self, count: usize) {
        let count = count.min(self.tokens.len());
        if count <= self.sorted {
            return;
        }
        let order = |a: &(u32, f64), b: &(u32, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        let rest = &mut self.tokens[self.sorted..];
        let more = count - self.sorted;
        if more < rest.len() {
            rest.select_nth_unstable_by(more, order);
        }
        rest[..more].sort_unstable_by(order);
        self.sorted = count;
    }

    pub(super) fn keep_top_k(&mut self, count: usize) {
        if count > 0 && count < self.tokens.len() {
            self.sort(count);
            self.tokens.truncate(count);
        }
    }

    /// Keeps the fewest likeliest that together have at least the share `share`; always one.
    pub(super) fn keep_top_p(&mut self, share: f32) {
        if share >= 1.0 {
            return;
        }
        let wanted = f64::from(share) * self.tokens.iter().map(|(_, weight)| weight).sum::<f64>();
        let (mut kept, mut sum) = (0, 0.0);
        while kept < self.tokens.len() {
            self.sort((kept * 4).max(FIRST_SORTED));
            while kept < self.sorted {
                sum += self.tokens[kept].1;
                kept += 1;
                if sum >= wanted {
                    self.tokens.truncate(kept);
                    return;
                }
            }
        }
    }

    pub(super) fn keep_min_p(&mut self, share: f32) {
        if share > 0.0 {
            self.tokens.retain(|(_, weight)| *weight >= f64::from(share));
        }
    }

    /// The token at `point`, from 0 to 1, of all weights one after the other.
    pub(super) fn at(&self, point: f64) -> u32 {
        let mut left = point * self.tokens.iter().map(|(_, weight)| weight).sum::<f64>();
        for (token, weight) in &self.tokens {
            if left < *weight {
                return *token;
            }
            left -= weight;
        }
        // Rounding can leave a little behind the last.
        self.tokens.iter().rev().find(|(_, weight)| *weight > 0.0).map_or(0, |(token, _)| *token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_of_equals_is_the_likeliest() {
        assert_eq!(likeliest(&[1.0, 3.0, 3.0, f32::NEG_INFINITY]), Some(1));
    }

    #[test]
    fn what_is_no_number_has_no_likeliest() {
        assert_eq!(likeliest(&[1.0, f32::NAN]), None);
        assert_eq!(likeliest(&[1.0, f32::INFINITY]), None);
        assert_eq!(likeliest(&[f32::NEG_INFINITY; 3]), None);
        assert_eq!(likeliest(&[]), None);
    }

    fn kept(logits: &[f32], cut: impl FnOnce(&mut Candidates)) -> Vec<u32> {
        let mut candidates = Candidates::new(logits, likeliest(logits).expect("numbers"), 1.0);
        cut(&mut candidates);
        let mut tokens: Vec<u32> = candidates.tokens.iter().map(|(token, _)| *token).collect();
        tokens.sort_unstable();
        tokens
    }

    #[test]
    fn cuts_keep_what_their_definitions_say() {
        // Probabilities 0.5, 0.25, 0.125, 0.125.
        let logits = [0.25f32, 0.5, 0.125, 0.125].map(f32::ln);
        assert_eq!(kept(&logits, |c| c.keep_top_k(2)), [0, 1]);
        assert_eq!(kept(&logits, |c| c.keep_top_k(3)), [0, 1, 2], "equals by their number");
        assert_eq!(kept(&logits, |c| c.keep_top_p(0.5)), [1]);
        assert_eq!(kept(&logits, |c| c.keep_top_p(0.6)), [0, 1]);
        assert_eq!(kept(&logits, |c| c.keep_top_p(1e-9)), [1]);
        assert_eq!(kept(&logits, |c| c.keep_min_p(0.49)), [0, 1]);
        assert_eq!(kept(&logits, |c| c.keep_min_p(1.0)), [1]);
    }

    #[test]
    fn top_p_over_a_long_flat_tail_is_exact() {
        let logits = vec![0.0f32; 5000];
        assert_eq!(kept(&logits, |c| c.keep_top_p(0.5)).len(), 2500);
    }

    #[test]
    fn draws_follow_the_weights() {
        let logits = [0.25f32, 0.5, 0.25].map(f32::ln);
        let candidates = Candidates::new(&logits, 1, 1.0);
        let drawn: Vec<u32> = [0.0, 0.24, 0.26, 0.74, 0.76, 0.999_999].map(|point| candidates.at(point)).to_vec();
        assert_eq!(drawn, [0, 0, 1, 1, 2, 2]);
    }
}
