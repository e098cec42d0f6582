//! A caller's `options`: sampling, bounds, and how a model is loaded.

use super::errors::invalid;
use super::fields::reason;
use crate::dialects::{Change, Loss};
use crate::error::Failure;
use crate::json::{Kind, Value, Writer};

/// Options that other dialects bound, with the least and the most that the neutral request takes.
const BOUNDED: [(&str, &str, &str); 4] =
    [("temperature", "0", "2"), ("top_p", "0", "1"), ("presence_penalty", "-2", "2"), ("frequency_penalty", "-2", "2")];

/// Of a request that generates.
pub(super) fn read_options(options: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    for (key, value) in fields_of(options)?.filter(|(_, value)| !value.is_null()) {
        let name = key.as_str().unwrap_or_default();
        match &*name {
            "num_predict" => {
                // -1 and -2 say that there is no bound; so does 0.
                if let Some(most) = whole(&name, value)?.filter(|most| *most > 0) {
                    out.key("max_tokens").integer(most);
                }
            }
            "top_k" => {
                if let Some(most) = whole(&name, value)?.filter(|most| *most > 0) {
                    out.key("top_k").integer(most);
                }
            }
            "seed" => {
                if let Some(seed) = whole(&name, value)? {
                    out.key("seed").integer(seed);
                }
            }
            "min_p" => {
                if number(&name, value)? > 0.0 {
                    out.key("min_p").value(value);
                }
            }
            "stop" => read_stop(value, out)?,
            "repeat_penalty" if value.as_f64() == Some(1.0) => {}
            _ => match BOUNDED.iter().find(|(bounded, ..)| *bounded == name) {
                Some((_, least, most)) => bounded(&name, value, [least, most], out, loss)?,
                None => dropped(&name, loss),
            },
        }
    }
    Ok(())
}

/// Of a request for vectors: they tell how a model is loaded, and nothing else.
pub(super) fn drop_options(options: Value<'_>, loss: &mut Loss) -> Result<(), Failure> {
    for (key, _) in fields_of(options)?.filter(|(_, value)| !value.is_null()) {
        dropped(&key.as_str().unwrap_or_default(), loss);
    }
    Ok(())
}

fn fields_of(options: Value<'_>) -> Result<crate::json::Fields<'_>, Failure> {
    match options.kind() {
        Kind::Object => Ok(options.fields()),
        _ => Err(invalid("options", "options must be an object")),
    }
}

fn dropped(name: &str, loss: &mut Loss) {
    let field = format!("options.{name}");
    let why = reason(&field);
    loss.add(Change::Dropped, field, why);
}

/// Within its bounds, as it was written; else the bound.
fn bounded(
    name: &str,
    value: Value<'_>,
    [least, most]: [&str; 2],
    out: &mut Writer,
    loss: &mut Loss,
) -> Result<(), Failure> {
    let given = number(name, value)?;
    let bound = |text: &str| text.parse::<f64>().unwrap_or_default();
    out.key(name);
    if given < bound(least) || given > bound(most) {
        loss.add(Change::Clamped, format!("options.{name}"), "to what other dialects take");
        out.raw(if given < bound(least) { least } else { most }.as_bytes());
    } else {
        out.value(value);
    }
    Ok(())
}

fn read_stop(stop: Value<'_>, out: &mut Writer) -> Result<(), Failure> {
    let is_text = |value: Value<'_>| value.kind() == Kind::String;
    let is_list = |value: Value<'_>| value.kind() == Kind::Array && value.elements().all(is_text);
    if !is_text(stop) && !is_list(stop) {
        return Err(wrong("stop", "array of strings"));
    }
    if is_text(stop) || stop.elements().next().is_some() {
        out.key("stop").value(stop);
    }
    Ok(())
}

/// A whole number; below 0 it says that nothing is wished.
fn whole(name: &str, value: Value<'_>) -> Result<Option<u64>, Failure> {
    match (value.as_u64(), value.as_f64()) {
        (Some(number), _) => Ok(Some(number)),
        (None, Some(number)) if number < 0.0 => Ok(None),
        _ => Err(wrong(name, "integer")),
    }
}

fn number(name: &str, value: Value<'_>) -> Result<f64, Failure> {
    value.as_f64().filter(|number| number.is_finite()).ok_or_else(|| wrong(name, "float32"))
}

/// In Ollama's own words.
fn wrong(name: &str, kind: &str) -> Failure {
    invalid(format!("options.{name}"), format!("option \"{name}\" must be of type {kind}"))
}
