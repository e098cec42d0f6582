//! `temperature`, `top_p` and `top_k`, as far as Anthropic takes them.

use super::thinking::{takes_sampling, Thinking};
use crate::dialects::{Change, Loss, To};
use crate::json::{Value, Writer};

/// What thinking models take of `top_p` at least.
const LEAST_TOP_P: f64 = 0.95;

/// Anthropic takes temperatures to 1, none while it thinks, since 2026-10-21 none at all; and its newer models refuse
/// `top_p` beside a temperature (BerriAI/litellm#15097).
pub(super) fn sampling<'a>(
    to: &To<'_>,
    thinking: &Thinking,
    field: &dyn Fn(&str) -> Option<Value<'a>>,
    out: &mut Writer,
    loss: &mut Loss,
) {
    let has_temperature = field("temperature").is_some_and(|value| value.as_f64().is_some());
    for name in ["temperature", "top_p", "top_k"] {
        let Some(value) = field(name) else { continue };
        let Some(number) = value.as_f64() else {
            loss.add(Change::Dropped, name, "no number");
            continue;
        };
        // The default of both says nothing.
        let is_usual = name != "top_k" && number == 1.0;
        if !takes_sampling(to.version) {
            if !is_usual {
                loss.add(Change::Dropped, name, "refused by this version of the API");
            }
        } else if thinking.is_on() && (name != "top_p" || number < LEAST_TOP_P) {
            if !is_usual {
                loss.add(Change::Dropped, name, "refused while the model thinks");
            }
        } else if name == "top_p" && has_temperature && !thinking.is_on() {
            if !is_usual {
                loss.add(Change::Dropped, name, "refused beside temperature");
            }
        } else if name == "temperature" && !(0.0..=1.0).contains(&number) {
            loss.add(Change::Clamped, name, "0 to 1");
            out.key(name).integer(u64::from(number > 1.0));
        } else {
            out.key(name).value(value);
        }
    }
}
