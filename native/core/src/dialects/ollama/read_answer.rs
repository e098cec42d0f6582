//! A whole answer as items.

use super::errors::words_of;
use super::line::{usage, Heard};
use crate::dialects::neutral::{Endpoint, Item};
use crate::dialects::{Answer, Fed};
use crate::json::{Index, Kind, Limits, Value};

/// See [`crate::dialects::Protocol::read_answer`].
pub(super) fn read_answer(endpoint: Endpoint, body: &[u8], items: &mut Vec<Item>) -> Answer {
    if endpoint == Endpoint::Embeddings {
        return read_vectors(body, items);
    }
    match Heard::default().read(body, items) {
        Fed::Done => Answer::Whole,
        Fed::Error(words) => Answer::Error(words),
        // An answer that is not done is one line of a stream.
        Fed::Open | Fed::Malformed => Answer::Malformed,
    }
}

/// `{"embeddings":[[…]]}`, or the older `{"embedding":[…]}`.
fn read_vectors(body: &[u8], items: &mut Vec<Item>) -> Answer {
    let Ok(index) = Index::scan(body, Limits::default()) else { return Answer::Malformed };
    let field = |name: &str| index.get(body, name).filter(|value| !value.is_null());
    if let Some(error) = field("error") {
        return Answer::Error(words_of(error).unwrap_or_default());
    }
    let array = |name: &str| field(name).filter(|value| value.kind() == Kind::Array);
    let Some(vectors) = array("embeddings").map(Value::elements) else {
        let Some(vector) = array("embedding").and_then(read_vector) else { return Answer::Malformed };
        items.push(Item::Embedding { index: 0, vector });
        return Answer::Whole;
    };
    for (index, vector) in (0u32..).zip(vectors) {
        let Some(vector) = read_vector(vector) else { return Answer::Malformed };
        items.push(Item::Embedding { index, vector });
    }
    items.extend(usage(field("prompt_eval_count"), None));
    Answer::Whole
}

fn read_vector(vector: Value<'_>) -> Option<Vec<f32>> {
    if vector.kind() != Kind::Array {
        return None;
    }
    vector.elements().map(|number| number.as_f64().map(|number| number as f32)).collect()
}
