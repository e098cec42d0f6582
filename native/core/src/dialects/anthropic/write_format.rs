//! What shall end an answer, and the form that it shall have.

use crate::dialects::{Change, Loss};
use crate::json::{Kind, Value, Writer};

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted<'a> {
    /// Any.
    Text,
    /// JSON, whatever it holds.
    Json,
    /// JSON by this schema.
    Schema(Value<'a>),
}

/// Of the neutral `response_format`.
pub(super) fn wants<'a>(format: Option<Value<'a>>, loss: &mut Loss) -> Wanted<'a> {
    let Some(format) = format else { return Wanted::Text };
    match format.get("type").and_then(Value::as_str).as_deref() {
        Some("text") => Wanted::Text,
        Some("json_object") => Wanted::Json,
        Some("json_schema") => {
            let named = format.get("json_schema");
            if named.and_then(|named| named.get("description")).is_some_and(|words| !words.is_null()) {
                let field = "response_format.json_schema.description";
                loss.add(Change::Dropped, field, "put it into the schema");
            }
            let schema = named.and_then(|named| named.get("schema")).filter(|schema| schema.kind() == Kind::Object);
            schema.map_or(Wanted::Json, Wanted::Schema)
        }
        _ => {
            loss.add(Change::Dropped, "response_format", "of an unknown type");
            Wanted::Text
        }
    }
}

/// `stop_sequences`: without those of white space, which are refused.
pub(super) fn stops(stop: Option<Value<'_>>, out: &mut Writer, loss: &mut Loss) {
    let Some(stop) = stop else { return };
    let one = (stop.kind() == Kind::String).then_some(stop);
    let all: Vec<Value<'_>> = one.into_iter().chain(stop.elements()).collect();
    let fits = |stop: &&Value<'_>| stop.as_str().is_some_and(|text| !text.trim().is_empty());
    let kept: Vec<&Value<'_>> = all.iter().filter(fits).collect();
    if kept.len() < all.len() {
        loss.add(Change::Dropped, "stop", "sequences of white space are refused");
    }
    if !kept.is_empty() {
        out.key("stop_sequences").open_array();
        for stop in kept {
            out.value(*stop);
        }
        out.close_array();
    }
}
