//! A body for an upstream of the same dialect: what policy must change is changed, and nothing else.

use bytes::Bytes;

use crate::dialects::neutral::Endpoint;
use crate::dialects::own::name_model;
use crate::dialects::To;
use crate::json::{splice, Edits, Index, Kind, Limits, Value};

/// Fields that policy decides on.
const DECIDED: [&str; 3] = ["model", "options", "stream"];

/// See [`crate::dialects::Protocol::splice_request`]. A body that is no object goes as it is.
pub(super) fn splice_request(to: &To<'_>, body: &[u8]) -> Vec<u8> {
    let Ok(index) = Index::scan(body, Limits::default()) else { return body.to_vec() };
    let mut edits = Edits::new();
    name_model(to.model, &index, body, &mut edits);
    for (name, _) in index.iter(body).filter(|(name, _)| is_disguised(name)) {
        edits.remove(name.into_owned());
    }
    if to.endpoint != Endpoint::Embeddings {
        let streams = index.get(body, "stream").and_then(Value::as_bool).unwrap_or(true);
        if streams != to.stream {
            edits.set("stream", Bytes::from_static(if to.stream { b"true" } else { b"false" }));
        }
        if let Some(options) = to.cap.and_then(|cap| capped(index.get(body, "options"), cap)) {
            edits.set("options", options);
        }
    }
    if edits.is_empty() {
        return body.to_vec();
    }
    edits.apply(body, &index)
}

/// Whether Ollama would take a field for one of the decided, though it is spelled otherwise: Go's JSON ignores case, that of the
/// long s too, and the last one of a name counts.
fn is_disguised(name: &str) -> bool {
    let folded = |c: char| if c == 'ſ' { 's' } else { c.to_ascii_lowercase() };
    DECIDED.iter().any(|decided| *decided != name && name.chars().map(folded).eq(decided.chars()))
}

/// `options` with a bound no higher than `cap`. `None`: they have one, or are nothing that Ollama takes.
fn capped(options: Option<Value<'_>>, cap: u64) -> Option<Vec<u8>> {
    let member = format!("\"num_predict\":{cap}");
    let Some(options) = options.filter(|options| !options.is_null()) else {
        return Some(format!("{{{member}}}").into_bytes());
    };
    if options.kind() != Kind::Object {
        return None;
    }
    let raw = options.raw();
    let Some(named) = options.get("num_predict") else {
        let comma = if options.fields().next().is_some() { "," } else { "" };
        return Some(splice(raw, &[(1..1, format!("{member}{comma}").as_bytes())]));
    };
    // Below 1 there is no bound.
    if named.as_u64().is_some_and(|named| (1..=cap).contains(&named)) {
        return None;
    }
    Some(splice(raw, &[(named.span_in(raw), cap.to_string().as_bytes())]))
}
