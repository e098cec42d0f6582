//! What tokens cost, in integers: prices are micro-USD for a million tokens, costs nano-USD.
//!
//! No number here is a float, so that a sum of costs is what its parts add up to. A micro-USD for a million tokens is a
//! pico-USD for one; a request is summed up in these and rounded once.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::by_model::ByModel;
use crate::config::Price;
use crate::ledger::Usage;

/// A price list, ready to be asked. Empty: no price is known.
#[derive(Debug)]
pub struct Prices(ByModel<Priced>);

/// What a model costs, and at whom.
#[derive(Debug, Default)]
struct Priced {
    /// By the provider's name.
    own: HashMap<String, Price, FixedState>,
    /// At everybody else.
    any: Option<Price>,
}

impl Prices {
    /// From `[[prices]]`.
    pub fn new(prices: &[Price]) -> Prices {
        let mut list = ByModel::<Priced>::new();
        for price in prices {
            let priced = list.entry(&price.model);
            match &price.provider {
                Some(provider) => {
                    priced.own.entry(provider.clone()).or_insert_with(|| price.clone());
                }
                None => {
                    priced.any.get_or_insert_with(|| price.clone());
                }
            }
        }
        Prices(list)
    }

    /// What `usage` of `model` at `provider` costs, nano-USD; `None` where no price is known. The most specific price
    /// counts: of the provider before of anybody, an exact name before the longest prefix.
    pub fn cost(&self, provider: Option<&str>, model: &str, usage: &Usage) -> Option<u64> {
        Some(cost(self.find(provider, model)?, usage))
    }

    fn find<'a>(&'a self, provider: Option<&str>, model: &'a str) -> Option<&'a Price> {
        let own = |priced: &'a Priced| provider.and_then(|provider| priced.own.get(provider));
        let exact = self.0.exact(model);
        let exact = exact.and_then(|priced| own(priced).or(priced.any.as_ref()));
        let prefixes = || self.0.prefixes(model);
        exact.or_else(|| prefixes().find_map(own)).or_else(|| prefixes().find_map(|priced| priced.any.as_ref()))
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
