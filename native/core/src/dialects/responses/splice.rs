//! A body for an upstream of the same dialect: what policy must change is changed, and nothing else.

use bytes::Bytes;

use super::turn::wrapped_of;
use crate::dialects::own::name_model;
use crate::dialects::wrapped::MARK;
use crate::dialects::{Dialect, To};
use crate::json::{validate, Edits, Index, Kind, Limits, Value};

/// See [`crate::dialects::Protocol::splice_request`]. A body that is no object goes as it is.
pub(super) fn splice_request(to: &To<'_>, body: &[u8]) -> Vec<u8> {
    let Ok(index) = Index::scan(body, Limits::default()) else { return body.to_vec() };
    let field = |name| index.get(body, name);
    let mut edits = Edits::new();
    name_model(to.model, &index, body, &mut edits);
    if to.stream && field("stream").and_then(Value::as_bool) != Some(true) {
        edits.set("stream", Bytes::from_static(b"true"));
    }
    if !to.stream {
        // OpenAI refuses the options of a stream that is none.
        let names = ["stream", "stream_options"].into_iter().filter(|name| field(name).is_some());
        names.for_each(|name| edits.remove(name));
    }
    if let Some(cap) = to.cap {
        if field("max_output_tokens").and_then(Value::as_u64).is_none_or(|own| own > cap) {
            edits.set("max_output_tokens", Bytes::from(cap.to_string()));
        }
    }
    if memchr::memmem::find(body, MARK.as_bytes()).is_some() {
        if let Some(input) = field("input").filter(|input| input.kind() == Kind::Array) {
            edits.set("input", unwrapped(input));
        }
    }
    if edits.is_empty() {
        return body.to_vec();
    }
    edits.apply(body, &index)
}

/// `input` without hoosh's own thoughts: OpenAI would refuse what it did not encrypt. Items of this dialect among them
/// are put in their place.
fn unwrapped(input: Value<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(input.raw().len());
    out.push(b'[');
    let mut add = |json: &[u8]| {
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(json);
    };
    for item in input.elements() {
        let Some(entries) = wrapped_of(item) else {
            add(item.raw());
            continue;
        };
        let Ok(entries) = validate(entries.as_bytes(), Limits::default()) else { continue };
        let is_own =
            |entry: &Value<'_>| entry.get("origin").is_some_and(|it| it.str_eq(Dialect::OpenAiResponses.as_str()));
        for own in entries.elements().filter(is_own).filter_map(|entry| entry.get("item")) {
            add(own.raw());
        }
    }
    out.push(b']');
    out
}
