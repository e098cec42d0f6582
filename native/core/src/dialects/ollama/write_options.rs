//! The neutral request's sampling and bounds as `options`.

use crate::dialects::{Change, Loss, To};
use crate::json::{Kind, Value, Writer};

/// Numbers that mean the same on both sides.
pub(super) const ALIKE: [&str; 7] =
    ["temperature", "top_p", "top_k", "min_p", "seed", "presence_penalty", "frequency_penalty"];
/// Both names of the bound.
pub(super) const BOUNDS: [&str; 2] = ["max_tokens", "max_completion_tokens"];

/// `options`, if there are any.
pub(super) fn write_options<'a>(
    to: &To<'_>,
    field: &dyn Fn(&str) -> Option<Value<'a>>,
    out: &mut Writer,
    loss: &mut Loss,
) {
    out.key("options").open_object();
    let named = BOUNDS.into_iter().filter_map(|name| field(name)?.as_u64());
    if let Some(most) = named.chain(to.cap).min() {
        out.key("num_predict").integer(most);
    }
    for name in ALIKE {
        match field(name) {
            Some(value) if value.kind() == Kind::Number => {
                out.key(name).value(value);
            }
            Some(_) => loss.add(Change::Dropped, name, "no number"),
            None => {}
        }
    }
    if let Some(penalty) = field("repetition_penalty").filter(|penalty| penalty.kind() == Kind::Number) {
        out.key("repeat_penalty").value(penalty);
    }
    write_stop(field("stop"), out, loss);
    out.close_object();
}

/// An array always: of text alone Ollama says that it must be one.
fn write_stop(stop: Option<Value<'_>>, out: &mut Writer, loss: &mut Loss) {
    let Some(stop) = stop else { return };
    let one = (stop.kind() == Kind::String).then_some(stop);
    let all = || one.into_iter().chain(stop.elements());
    let is_text = |value: &Value<'_>| value.kind() == Kind::String && value.raw() != b"\"\"";
    if !all().all(|value| is_text(&value)) {
        loss.add(Change::Dropped, "stop", "what is no text, or empty");
    }
    if all().any(|value| is_text(&value)) {
        out.key("stop").open_array();
        for value in all().filter(is_text) {
            out.value(value);
        }
        out.close_array();
    }
}
