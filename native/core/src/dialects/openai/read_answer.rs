//! Reads a whole answer into items.

use super::answer::{error_message, read_usage};
use super::reading::Reading;
use crate::base64;
use crate::dialects::neutral::{Endpoint, Item};
use crate::dialects::Answer;
use crate::json::{Index, Kind, Limits, Outline, Value};

/// See [`crate::dialects::Protocol::read_answer`].
pub fn read_answer(endpoint: Endpoint, body: &[u8], items: &mut Vec<Item>) -> Answer {
    let mut outline = Outline::default();
    let mut index = Index::default();
    if outline.scan(&mut index, body, Limits::default()).is_err() {
        return Answer::Malformed;
    }
    let field = |name| outline.get(&index, body, name).filter(|value| !value.is_null());
    if let Some(error) = field("error") {
        return Answer::Error(error_message(error));
    }
    if field("object").is_some_and(|object| object.str_eq("error")) {
        return Answer::Error(field("message").map(error_message).unwrap_or_default());
    }
    if endpoint == Endpoint::Embeddings {
        let told = field("data").is_some_and(|list| tell_vectors(list, items));
        items.extend(field("usage").and_then(read_usage).map(Item::Usage));
        return if told { Answer::Whole } else { Answer::Malformed };
    }
    let Some(choices) = field("choices").filter(|choices| choices.kind() == Kind::Array) else {
        return Answer::Malformed;
    };
    let mut reading = Reading::default();
    if let Some(id) = field("id") {
        reading.name(id);
    }
    if let Some(sources) = field("search_results").or(field("citations")) {
        reading.sources(sources, items);
    }
    if !choices.elements().all(|choice| reading.choice(choice, items)) {
        return Answer::Malformed;
    }
    if let Some(usage) = field("usage") {
        reading.usage(usage, items);
    }
    // A whole answer is complete, even where a server gives no reason.
    reading.close(items);
    if reading.is_complete() {
        Answer::Whole
    } else {
        Answer::Malformed
    }
}

/// Whether `list` is one of vectors, as numbers or in base64.
fn tell_vectors(list: Value<'_>, items: &mut Vec<Item>) -> bool {
    let mut count = 0;
    for entry in list.elements() {
        let (mut index, mut vector) = (None, None);
        for (key, value) in entry.fields() {
            match key.raw() {
                b"\"index\"" => index = value.as_u64(),
                b"\"embedding\"" => vector = vector_of(value),
                _ => {}
            }
        }
        let Some(vector) = vector else { return false };
        let Ok(index) = u32::try_from(index.unwrap_or(count)) else { return false };
        items.push(Item::Embedding { index, vector });
        count += 1;
    }
    count > 0
}

fn vector_of(value: Value<'_>) -> Option<Vec<f32>> {
    match value.kind() {
        Kind::Array => value.elements().map(|number| number.as_f64().map(|number| number as f32)).collect(),
        Kind::String => {
            let bytes = base64::read(&value.as_str()?)?;
            let floats = bytes.chunks(4).map(|float| float.try_into().ok().map(f32::from_le_bytes));
            floats.collect()
        }
        _ => None,
    }
}
