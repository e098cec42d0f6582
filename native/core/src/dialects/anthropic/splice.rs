//! A body for an upstream of the same dialect: what policy must change is changed, and nothing else.

use bytes::Bytes;

use crate::dialects::To;
use crate::json::{write_string, Edits, Index, Limits, Value};

/// See [`crate::dialects::Protocol::splice_request`]. A body that is no object goes as it is.
pub(super) fn splice_request(to: &To<'_>, body: &[u8]) -> Vec<u8> {
    let Ok(index) = Index::scan(body, Limits::default()) else { return body.to_vec() };
    let mut edits = Edits::new();
    if !index.get(body, "model").is_some_and(|model| model.str_eq(to.model)) {
        let mut name = Vec::with_capacity(to.model.len() + 2);
        write_string(&mut name, to.model);
        edits.set("model", name);
    }
    // The gateway's own: which budget pays.
    if index.get(body, "pool").is_some() {
        edits.remove("pool");
    }
    let named = index.get(body, "max_tokens").and_then(Value::as_u64);
    if let Some(cap) = to.cap.filter(|cap| named.is_none_or(|named| named > *cap)) {
        edits.set("max_tokens", Bytes::from(cap.to_string()));
    }
    if edits.is_empty() {
        return body.to_vec();
    }
    edits.apply(body, &index)
}
