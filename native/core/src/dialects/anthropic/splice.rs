//! A body for an upstream of the same dialect: what policy must change is changed, what hoosh itself gave the caller of
//! another dialect's answers is taken out, and nothing else.

use bytes::Bytes;

use super::own;
use super::thinking::LEAST;
use crate::dialects::own::name_model;
use crate::dialects::To;
use crate::json::{splice, Edits, Index, Kind, Limits, Value};

/// See [`crate::dialects::Protocol::splice_request`]. A body that is no object goes as it is.
pub(super) fn splice_request(to: &To<'_>, body: &[u8]) -> Vec<u8> {
    let Ok(index) = Index::scan(body, Limits::default()) else { return body.to_vec() };
    let mut edits = Edits::new();
    name_model(to.model, &index, body, &mut edits);
    let named = index.get(body, "max_tokens").and_then(Value::as_u64);
    if let Some(cap) = to.cap.filter(|cap| named.is_none_or(|named| named > *cap)) {
        edits.set("max_tokens", Bytes::from(cap.to_string()));
        if let Some(thinking) = index.get(body, "thinking").and_then(|thinking| thinking_below(cap, thinking)) {
            edits.set("thinking", thinking);
        }
    }
    if let Some(messages) = index.get(body, "messages").and_then(own::without) {
        edits.set("messages", messages);
    }
    if edits.is_empty() {
        return body.to_vec();
    }
    edits.apply(body, &index)
}

/// The budget of thoughts is a part of the output, and must be less: `thinking` for a lower bound, if it must change.
fn thinking_below(cap: u64, thinking: Value<'_>) -> Option<Vec<u8>> {
    let budget = thinking.get("budget_tokens").filter(|budget| budget.kind() == Kind::Number)?;
    if budget.as_u64().is_none_or(|budget| budget < cap) {
        return None;
    }
    if cap <= LEAST {
        return Some(b"{\"type\":\"disabled\"}".to_vec());
    }
    let below = (cap - 1).to_string();
    Some(splice(thinking.raw(), &[(budget.span_in(thinking.raw()), below.as_bytes())]))
}
