//! What tokens cost, in integers: prices are micro-USD for a million tokens, costs nano-USD.
//!
//! No number here is a float, so that a sum of costs is what its parts add up to. A micro-USD for a million tokens is a
//! pico-USD for one; a request is summed up in these and rounded once.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::by_model::ByModel;
use crate::config::catalogue::KnownModel;
use crate::config::{Config, Price, Provider, Rates};
use crate::ledger::Usage;
use crate::sync::Arc;

/// A price list, ready to be asked.
#[derive(Debug)]
pub struct Prices {
    /// The operator's, which go before all others.
    said: ByModel<Priced>,
    /// The catalogue's, by the provider's name. Providers of one type at one place share them.
    known: HashMap<String, Arc<ByModel<Option<Price>>>, FixedState>,
}

/// From whom a price is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriceSource {
    /// The operator.
    Configured,
    /// hoosh's catalogue, or the operator's addition to it.
    Catalogue,
}

/// What a model costs, and at whom.
#[derive(Debug, Default)]
struct Priced {
    /// By the provider's name.
    own: HashMap<String, Price, FixedState>,
    /// At everybody else.
    any: Option<Price>,
}

impl Prices {
    /// From `[[prices]]`, and from the catalogue unless `[catalogue] prices` says no. `None`: no price is known.
    pub fn of(config: &Config) -> Option<Prices> {
        let prices = Prices { said: said(&config.prices), known: known(config) };
        (!config.prices.is_empty() || !prices.known.is_empty()).then_some(prices)
    }

    /// What `usage` of `model` at `provider` costs, nano-USD; `None` where no price is known. The most specific price
    /// counts: of the provider before of anybody, an exact name before the longest prefix. `prompt` is how long the prompt
    /// was: of several attempts, of the longest, because prices of long prompts are of one request.
    pub fn cost(&self, provider: Option<&str>, model: &str, usage: &Usage, prompt: u64) -> Option<u64> {
        let price = self.price(provider, model)?.0;
        let long = price.long_prompts.as_ref().filter(|long| prompt > long.above_tokens);
        Some(cost(long.map_or(&price.rates, |long| &long.rates), usage))
    }

    /// The price, and from whom it is known.
    pub fn price<'a>(&'a self, provider: Option<&str>, model: &'a str) -> Option<(&'a Price, PriceSource)> {
        let own = |priced: &'a Priced| provider.and_then(|provider| priced.own.get(provider));
        let exact = self.said.exact(model);
        let exact = exact.and_then(|priced| own(priced).or(priced.any.as_ref()));
        let prefixes = || self.said.prefixes(model);
        let said = exact.or_else(|| prefixes().find_map(own));
        let said = said.or_else(|| prefixes().find_map(|priced| priced.any.as_ref()));
        let known = || {
            let known = self.known.get(provider?)?;
            known.exact(model).or_else(|| known.prefixes(model).next())?.as_ref()
        };
        let said = said.map(|price| (price, PriceSource::Configured));
        said.or_else(|| known().map(|price| (price, PriceSource::Catalogue)))
    }
}

fn said(prices: &[Price]) -> ByModel<Priced> {
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
    list
}

fn known(config: &Config) -> HashMap<String, Arc<ByModel<Option<Price>>>, FixedState> {
    let mut known = HashMap::with_hasher(FixedState::with_seed(0x7072_6963_6573));
    let mut lists: Vec<(&Provider, Arc<ByModel<Option<Price>>>)> = Vec::new();
    for provider in config.providers.iter().filter(|_| config.catalogue.prices) {
        let alike = |other: &Provider| other.type_name == provider.type_name && other.base_url == provider.base_url;
        let list = match lists.iter().find(|(other, _)| alike(other)) {
            Some((_, list)) => list.clone(),
            None => {
                let mut list = ByModel::<Option<Price>>::new();
                let models = config.catalogue.models_of(provider);
                for price in models.filter_map(KnownModel::price) {
                    list.entry(&price.model.clone()).get_or_insert(price);
                }
                Arc::new(list)
            }
        };
        if !list.is_empty() {
            lists.push((provider, list.clone()));
            known.entry(provider.name.clone()).or_insert(list);
        }
    }
    known
}

fn cost(rates: &Rates, usage: &Usage) -> u64 {
    // No token is in two parts.
    let cached = usage.cached_tokens.min(usage.input_tokens);
    let written = usage.cache_written_tokens.min(usage.input_tokens - cached);
    let written_long = usage.cache_written_long_tokens.min(written);
    let write = rates.cache_write.unwrap_or(rates.input);
    let at = |tokens: u64, micro_usd: u64| u128::from(tokens) * u128::from(micro_usd);
    let pico = at(usage.input_tokens - cached - written, rates.input)
        + at(cached, rates.cached_input.unwrap_or(rates.input))
        + at(written - written_long, write)
        + at(written_long, rates.cache_write_long.unwrap_or(write))
        + at(usage.output_tokens, rates.output);
    u64::try_from((pico + 500) / 1_000).unwrap_or(u64::MAX)
}

/// Nano-USD as decimal USD, exact, with six places or as many as it takes: `0.001234`.
pub fn usd(nano: u64) -> String {
    let text = format!("{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000);
    let zeros = text.len() - text.trim_end_matches('0').len();
    text[..text.len() - zeros.min(3)].to_owned()
}

/// Micro-USD as decimal USD, exact, with two places or as many as it takes: `2.50`, `0.075`.
pub fn decimal(micro: u64) -> String {
    let text = format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000);
    let zeros = text.len() - text.trim_end_matches('0').len();
    text[..text.len() - zeros.min(4)].to_owned()
}
