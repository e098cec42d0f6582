//! The neutral request's sampling and bounds as `options`.

use crate::dialects::{Change, Loss, To};
use crate::json::{Kind, Value, Writer};

/// Numbers that mean the same on both sides.
pub(super) const ALIKE: [&str; 7] =
    ["temperature", "top_p", "top_k", "min_p", "seed", "presence_penalty", "frequency_penalty"];
/// Both names of the bound.
pub(super) const BOUNDS: [&str; 2] = ["max_tokens", "max_completion_tokens"];
/// Ollama's own, which callers of other dialects may put into `options`, as they would to Ollama itself. None bounds what is spent.
const OWN: [&str; 10] = [
    "num_ctx",
    "num_keep",
    "num_batch",
    "num_gpu",
    "main_gpu",
    "num_thread",
    "use_mmap",
    "typical_p",
    "repeat_last_n",
    "repeat_penalty",
];

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
    write_own(field("options"), field("repetition_penalty").is_some(), out, loss);
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

/// `has_penalty`: that of repetitions is written already.
fn write_own(options: Option<Value<'_>>, has_penalty: bool, out: &mut Writer, loss: &mut Loss) {
    let mut written: Vec<&str> = if has_penalty { vec!["repeat_penalty"] } else { Vec::new() };
    for (key, value) in options.into_iter().flat_map(Value::fields).filter(|(_, value)| !value.is_null()) {
        let name = key.as_str().unwrap_or_default();
        let fits = matches!(value.kind(), Kind::Number | Kind::True | Kind::False);
        match OWN.into_iter().find(|own| fits && *own == name && !written.contains(own)) {
            Some(own) => {
                written.push(own);
                out.key(own).value(value);
            }
            None => {
                loss.add(Change::Dropped, format!("options.{name}"), "said by the request's own members, or not known")
            }
        }
    }
}
