//! What tokens cost, in integers: prices are micro-USD for a million tokens, costs nano-USD.
//!
//! No number here is a float, so that a sum of costs is what its parts add up to. A micro-USD for a million tokens is a
//! pico-USD for one; a request is summed up in these and rounded once.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::config::Price;
use crate::ledger::Usage;

/// A price list, ready to be asked. Empty: no price is known.
#[derive(Debug)]
pub struct Prices {
    /// By the model's exact name.
    exact: HashMap<String, Vec<Price>, FixedState>,
    /// Prefixes, without their `*`; the longest first.
    prefixes: Vec<Price>,
}

impl Prices {
    /// From `[[prices]]`.
    pub fn new(prices: &[Price]) -> Prices {
        let mut exact: HashMap<String, Vec<Price>, FixedState> = HashMap::with_hasher(FixedState::with_seed(0));
        let mut prefixes = Vec::new();
        for price in prices {
            match price.model.strip_suffix('*') {
                Some(stem) => prefixes.push(Price { model: stem.to_owned(), ..price.clone() }),
                None => exact.entry(price.model.clone()).or_default().push(price.clone()),
            }
        }
        prefixes.sort_by_key(|price| std::cmp::Reverse(price.model.len()));
        Prices { exact, prefixes }
    }

    /// What `usage` of `model` at `provider` costs, nano-USD; `None` where no price is known. The most specific price
    /// counts: of the provider before of anybody, an exact name before the longest prefix.
    pub fn cost(&self, provider: Option<&str>, model: &str, usage: &Usage) -> Option<u64> {
        Some(cost(self.find(provider, model)?, usage))
    }

    fn find(&self, provider: Option<&str>, model: &str) -> Option<&Price> {
        let exact = self.exact.get(model).map_or(&[][..], Vec::as_slice);
        let prefixes = || self.prefixes.iter().filter(|price| model.starts_with(&price.model));
        let own = |price: &&Price| price.provider.is_some() && price.provider.as_deref() == provider;
        let any = |price: &&Price| price.provider.is_none();
        exact
            .iter()
            .find(own)
            .or_else(|| exact.iter().find(any))
            .or_else(|| prefixes().find(own))
            .or_else(|| prefixes().find(any))
    }
}

fn cost(price: &Price, usage: &Usage) -> u64 {
    let cached = usage.cached_tokens.min(usage.input_tokens);
    let at = |tokens: u64, micro_usd: u64| u128::from(tokens) * u128::from(micro_usd);
    let pico = at(usage.input_tokens - cached, price.input)
        + at(cached, price.cached_input.unwrap_or(price.input))
        + at(usage.output_tokens, price.output);
    u64::try_from((pico + 500) / 1_000).unwrap_or(u64::MAX)
}

/// Nano-USD as decimal USD, exact, with six places or as many as it takes: `0.001234`.
pub fn usd(nano: u64) -> String {
    let text = format!("{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000);
    let zeros = text.len() - text.trim_end_matches('0').len();
    text[..text.len() - zeros.min(3)].to_owned()
}
