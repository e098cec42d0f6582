//! Numbers and lists that OpenAI's protocol bounds more narrowly than others: moved to the nearest that is taken.

use bytes::Bytes;

use super::manners::Manners;
use crate::dialects::{Change, Loss};
use crate::json::{Edits, Value, Writer};

/// Bounds of the API reference.
const BOUNDS: &[(&str, f64, f64)] = &[
    ("temperature", 0.0, 2.0),
    ("top_p", 0.0, 1.0),
    ("presence_penalty", -2.0, 2.0),
    ("frequency_penalty", -2.0, 2.0),
    ("top_logprobs", 0.0, 20.0),
];

/// Keeps a request within them.
pub(super) fn keep<'a>(
    manners: &Manners,
    field: &dyn Fn(&str) -> Option<Value<'a>>,
    edits: &mut Edits,
    loss: &mut Loss,
) {
    for (name, low, high) in BOUNDS {
        let Some(asked) = field(name).and_then(Value::as_f64) else { continue };
        let nearest = asked.clamp(*low, *high);
        if nearest != asked {
            edits.set(*name, Bytes::from(nearest.to_string()));
            loss.add(Change::Clamped, *name, "to the bounds of the provider");
        }
    }
    let Some((most, stops)) = manners.stops.zip(field("stop")) else { return };
    if stops.elements().nth(most).is_none() {
        return;
    }
    let mut out = Writer::default();
    out.open_array();
    stops.elements().take(most).for_each(|stop| {
        out.value(stop);
    });
    out.close_array();
    edits.set("stop", out.into_bytes());
    loss.add(Change::Clamped, "stop", "to as many as the provider takes");
}
