//! `[[prices]]`: decimal numbers, read exactly.

use std::collections::HashSet;

use toml::de::DeValue;

use super::reader::{Checked, Table, Words};
use super::schema::{self, Section};
use super::{LongPrompts, Price, Provider, Rates};

/// A dollar for a single token: beyond it lies a typing error, and within it costs fit every integer used.
const MOST_USD: u64 = 1_000_000;
/// Decimal places: what a micro-USD for a million tokens can tell.
const PLACES: usize = 6;
const BESIDE: &str = "is missing beside the other prices; 0 if it costs nothing";

pub fn prices(top: &Table<'_>, providers: &[Provider]) -> Checked<Vec<Price>> {
    let providers = Words::of(providers.iter().map(|provider| provider.name.as_str()));
    let (mut prices, mut taken) = (Vec::new(), HashSet::new());
    for t in top.tables("prices", &schema::PRICES)? {
        let price = price(&t, &providers)?;
        if !taken.insert((price.model.clone(), price.provider.clone())) {
            return t.fail("model", format_args!("is taken: `{}` has two prices; remove one", price.model));
        }
        prices.push(price);
    }
    Ok(prices)
}

fn price(t: &Table<'_>, providers: &Words<'_>) -> Checked<Price> {
    let Some(model) = t.string("model")? else { return t.fail("model", "is missing; name a model, or `prefix*`") };
    super::providers::check_pattern(t, model, &t.at("model"))?;
    let mut price = Price { model: model.to_owned(), ..Price::default() };
    if let Some(name) = t.string("provider")? {
        if !providers.contains(name) {
            return t.fail("provider", format_args!("is {}", providers.unknown(name)));
        }
        price.provider = Some(name.to_owned());
    }
    price.rates = required_rates(t)?;
    price.long_prompts = long_prompts(t, &schema::PRICES_LONG_PROMPTS)?;
    Ok(price)
}

fn required_rates(t: &Table<'_>) -> Checked<Rates> {
    match rates(t)? {
        Some(rates) => Ok(rates),
        None => t.fail("input_usd_per_mtok", "is missing; say what a million tokens cost, 0 if nothing"),
    }
}

/// What tokens cost; `None` where nothing is said of it.
pub(super) fn rates(t: &Table<'_>) -> Checked<Option<Rates>> {
    let mut said = [None; 5];
    for ((key, _), said) in Rates::default().named().iter().zip(&mut said) {
        *said = usd_per_mtok(t, key)?;
    }
    match said {
        [Some(input), Some(output), cached_input, cache_write, cache_write_long] => {
            Ok(Some(Rates { input, output, cached_input, cache_write, cache_write_long }))
        }
        [None, None, None, None, None] => Ok(None),
        [None, ..] => t.fail("input_usd_per_mtok", BESIDE),
        [_, None, ..] => t.fail("output_usd_per_mtok", BESIDE),
    }
}

/// What they cost in a request with a long prompt.
pub(super) fn long_prompts(t: &Table<'_>, section: &'static Section) -> Checked<Option<LongPrompts>> {
    let Some(t) = t.table("long_prompts", section)? else { return Ok(None) };
    let mut long = LongPrompts { above_tokens: 0, rates: required_rates(&t)? };
    t.integer("above_tokens", &mut long.above_tokens)?;
    match long.above_tokens {
        0 => t.fail("above_tokens", "is missing; say how many input tokens make a prompt long"),
        _ => Ok(Some(long)),
    }
}

/// Micro-USD. A TOML float is taken as the text that it was written as, so that `0.1` is a tenth.
fn usd_per_mtok(t: &Table<'_>, key: &str) -> Checked<Option<u64>> {
    let Some(value) = t.value(key) else { return Ok(None) };
    let micro = match value.get_ref() {
        DeValue::String(text) => decimal(text),
        DeValue::Float(number) => decimal(number.as_str()),
        DeValue::Integer(digits) if digits.radix() == 10 => decimal(digits.as_str()),
        _ => return t.wrong_type(key, value, "decimal number"),
    };
    match micro {
        Some(micro) => Ok(Some(micro)),
        None => t.fail(
            key,
            format_args!(
                "must be a decimal number of USD from 0 to {MOST_USD} with at most {PLACES} places, such as 0.15"
            ),
        ),
    }
}

/// `12`, `12.5`, `0.075`, to the sixth place.
fn decimal(text: &str) -> Option<u64> {
    let (whole, places) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    // What is finer than a micro-USD cannot be told, but for zeros.
    let places = places.trim_end_matches('0');
    if !digits(whole) || !(places.is_empty() || digits(places)) || places.len() > PLACES || text.ends_with('.') {
        return None;
    }
    let micro = format!("{places:0<PLACES$}").parse::<u64>().ok()?;
    let sum = whole.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(micro)?;
    (sum <= MOST_USD * 1_000_000).then_some(sum)
}
