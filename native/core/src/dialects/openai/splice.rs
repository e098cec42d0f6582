//! A body for an upstream of the same dialect: what policy must change is changed, and what hoosh itself put into earlier
//! answers is taken out; nothing else.

use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memmem::Finder;

use super::manners::Manners;
use super::write_messages::Turns;
use crate::config::CapField;
use crate::dialects::neutral::Endpoint;
use crate::dialects::own::name_model;
use crate::dialects::{Change, Loss, To};
use crate::json::{Edits, Index, Kind, Limits, Value};

/// See [`crate::dialects::Protocol::splice_request`]. A body that is no object goes as it is.
pub fn splice_request(manners: &Manners, to: &To<'_>, body: &[u8]) -> Vec<u8> {
    let Ok(index) = Index::scan(body, Limits::default()) else { return body.to_vec() };
    let mut edits = Edits::new();
    policy(to, &index, body, &mut edits);
    cap(manners, to, &index, body, &mut edits);
    own(manners, to, &index, body, &mut edits);
    if edits.is_empty() {
        return body.to_vec();
    }
    edits.apply(body, &index)
}

/// Whether a body may hold any of it.
pub(super) fn has_own(body: &[u8]) -> bool {
    // To prepare them takes longer than to look for them in a short body.
    static OWN: LazyLock<[Finder<'static>; 3]> =
        LazyLock::new(|| [&b"\"thoughts\""[..], b"\"extra_content\"", FAILED].map(Finder::new));
    OWN.iter().any(|name| name.find(body).is_some())
}

/// Of a tool's message: hoosh's own member.
const FAILED: &[u8] = b"\"is_error\"";

/// See [`crate::dialects::Protocol::splice_loses`].
pub(super) fn splice_loses(body: &[u8], loss: &mut Loss) {
    if memchr::memmem::find(body, FAILED).is_some() {
        loss.add(Change::Approximated, "messages[].is_error", "as words in the content");
    }
}

/// What hoosh itself gave the caller, of an answer of another dialect, or takes of it for others, and no provider of this
/// one knows.
fn own(manners: &Manners, to: &To<'_>, index: &Index, body: &[u8], edits: &mut Edits) {
    if to.endpoint != Endpoint::Chat || !has_own(body) {
        return;
    }
    // What it is that is left out was said with the answer.
    let mut loss = Loss::default();
    let turns = Turns::new(manners, to.model, &mut loss).of_own_only(manners);
    if let Some(messages) = index.get(body, "messages").and_then(|messages| turns.write(messages)) {
        edits.set("messages", messages);
    }
}

/// Model, stream and usage of the stream.
pub(super) fn policy(to: &To<'_>, index: &Index, body: &[u8], edits: &mut Edits) {
    let field = |name| index.get(body, name);
    name_model(to.model, index, body, edits);
    if to.endpoint == Endpoint::Embeddings {
        return;
    }
    if !to.stream {
        // OpenAI refuses the options of a stream that is none.
        ["stream", "stream_options"]
            .into_iter()
            .filter(|name| field(name).is_some())
            .for_each(|name| edits.remove(name));
        return;
    }
    if field("stream").and_then(Value::as_bool) != Some(true) {
        edits.set("stream", Bytes::from_static(b"true"));
    }
    ask_for_usage(index, body, edits);
}

/// Of a stream.
pub fn ask_for_usage(index: &Index, body: &[u8], edits: &mut Edits) {
    let options = index.get(body, "stream_options").filter(|options| options.kind() == Kind::Object);
    if options.and_then(|options| options.get("include_usage")).and_then(Value::as_bool) != Some(true) {
        edits.set("stream_options", usage_options(options));
    }
}

/// `stream_options` with usage asked for, whatever else is there kept.
fn usage_options(given: Option<Value<'_>>) -> Vec<u8> {
    let scanned = given.and_then(|given| Some((given, Index::scan(given.raw(), Limits::default()).ok()?)));
    let Some((given, index)) = scanned else { return b"{\"include_usage\":true}".to_vec() };
    let mut edits = Edits::new();
    edits.set("include_usage", Bytes::from_static(b"true"));
    edits.apply(given.raw(), &index)
}

pub(super) fn cap(manners: &Manners, to: &To<'_>, index: &Index, body: &[u8], edits: &mut Edits) {
    let Some(cap) = to.cap.filter(|_| to.endpoint != Endpoint::Embeddings) else { return };
    cap_output(manners.cap_field, to.endpoint, cap, index, body, edits);
}

/// Lowers every cap that is larger than policy allows; where there is none, sets one.
pub fn cap_output(field: CapField, endpoint: Endpoint, cap: u64, index: &Index, body: &[u8], edits: &mut Edits) {
    if !lower_caps(endpoint, cap, index, body, edits) {
        edits.set(cap_name(field, endpoint), Bytes::from(cap.to_string()));
    }
}

/// Lowers every cap that the caller named and that is larger, because nobody knows which of two an upstream obeys; whether
/// there is one.
pub fn lower_caps(endpoint: Endpoint, cap: u64, index: &Index, body: &[u8], edits: &mut Edits) -> bool {
    // Completions know but one name: whatever stands in the other is no cap.
    let names: &[&'static str] = match endpoint {
        Endpoint::Chat => &["max_tokens", "max_completion_tokens"],
        _ => &["max_tokens"],
    };
    let mut named = false;
    for name in names {
        let Some(own) = index.get(body, name).filter(|own| !own.is_null()) else { continue };
        named = true;
        if own.as_u64().is_none_or(|own| own > cap) {
            edits.set(*name, Bytes::from(cap.to_string()));
        }
    }
    named
}

/// The field that bounds the output.
pub(super) fn cap_name(field: CapField, endpoint: Endpoint) -> &'static str {
    match (endpoint, field) {
        (Endpoint::Chat, CapField::MaxCompletionTokens) => "max_completion_tokens",
        _ => "max_tokens",
    }
}
