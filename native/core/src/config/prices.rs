//! `[[prices]]`: decimal numbers, read exactly.

use std::collections::HashSet;

use toml::de::DeValue;

use super::reader::{Checked, Table, Words};
use super::{schema, Price, Provider};

/// A dollar for a single token: beyond it lies a typing error, and within it costs fit every integer used.
const MOST_USD: u64 = 1_000_000;
/// Decimal places: what a micro-USD for a million tokens can tell.
const PLACES: usize = 6;

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
    let required = |key: &str| match usd_per_mtok(t, key)? {
        Some(usd) => Ok(usd),
        None => t.fail(key, "is missing; say what a million tokens cost, 0 if nothing"),
    };
    price.input = required("input_usd_per_mtok")?;
    price.output = required("output_usd_per_mtok")?;
    price.cached_input = usd_per_mtok(t, "cached_input_usd_per_mtok")?;
    Ok(price)
}

/// Micro-USD. A TOML float is taken as the text that it was written as, so that `0.1` is a tenth.
pub(super) fn usd_per_mtok(t: &Table<'_>, key: &str) -> Checked<Option<u64>> {
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
