//! Where an answer is from: `groundingMetadata` and `citationMetadata` against OpenAI's `url_citation`. Google counts
//! bytes, OpenAI characters.

use super::names::{get, text, whole};
use super::positions::Positions;
use crate::dialects::neutral::Item;
use crate::json::{self, Value, Writer};

/// More citations than any answer needs.
const MOST: usize = 256;

/// Puts down what an event says of the text so far.
pub(super) fn read(
    choice: u32,
    said: &Positions,
    grounding: Option<Value<'_>>,
    citations: Option<Value<'_>>,
    items: &mut Vec<Item>,
) {
    let most = items.len() + MOST;
    if let Some(grounding) = grounding {
        let chunks: Vec<Value<'_>> = elements(grounding, "groundingChunks").take(MOST).collect();
        for support in elements(grounding, "groundingSupports") {
            let Some(segment) = get(support, "segment") else { continue };
            for index in elements(support, "groundingChunkIndices") {
                let chunk = index.as_u64().and_then(|index| chunks.get(usize::try_from(index).ok()?));
                let source = chunk.and_then(|chunk| {
                    ["web", "retrievedContext", "maps"].into_iter().find_map(|kind| get(*chunk, kind))
                });
                if items.len() < most {
                    items.extend(source.and_then(|source| citation(choice, said, segment, source)));
                }
            }
        }
    }
    for one in citations.into_iter().flat_map(|citations| elements(citations, "citations")).take(MOST) {
        items.extend(citation(choice, said, one, one));
    }
}

fn elements<'a>(value: Value<'a>, name: &str) -> impl Iterator<Item = Value<'a>> {
    get(value, name).into_iter().flat_map(Value::elements)
}

fn citation(choice: u32, said: &Positions, segment: Value<'_>, source: Value<'_>) -> Option<Item> {
    let place = |name| {
        let byte = get(segment, name).and_then(whole).and_then(|byte| u32::try_from(byte).ok()).unwrap_or(0);
        u64::from(said.character(byte))
    };
    let uri = text(source, "uri")?;
    let mut json = Writer::with_capacity(128);
    json.open_object().text_member("type", "url_citation").key("url_citation").open_object();
    json.text_member("url", &uri).text_member("title", &text(source, "title").unwrap_or_default());
    json.key("start_index").integer(place("startIndex")).key("end_index").integer(place("endIndex"));
    json.close_object().close_object();
    Some(Item::Annotation { choice, json: String::from_utf8(json.into_bytes()).ok()? })
}

/// Annotations of one choice that wait to be written.
#[derive(Debug, Default)]
pub(super) struct Kept(Vec<String>);

impl Kept {
    /// Keeps one; beyond [`MOST`] none.
    pub fn keep(&mut self, json: &str) {
        if self.0.len() < MOST {
            self.0.push(json.to_owned());
        }
    }

    /// Writes the member `groundingMetadata`, if there are any.
    pub fn write(&self, said: &Positions, out: &mut Writer) {
        let values = self.0.iter().filter_map(|text| json::validate(text.as_bytes(), json::Limits::default()).ok());
        let citations: Vec<Value<'_>> = values.filter_map(|value| value.get("url_citation")).collect();
        if citations.is_empty() {
            return;
        }
        out.key("groundingMetadata").open_object().key("groundingChunks").open_array();
        for one in &citations {
            out.open_object().key("web").open_object().member("uri", one.get("url")).member("title", one.get("title"));
            out.close_object().close_object();
        }
        out.close_array().key("groundingSupports").open_array();
        for (nth, one) in citations.iter().enumerate() {
            let place = |name| {
                let character = one.get(name).and_then(Value::as_u64).and_then(|at| u32::try_from(at).ok());
                u64::from(said.byte(character.unwrap_or(0)))
            };
            out.open_object().key("segment").open_object().key("startIndex").integer(place("start_index"));
            out.key("endIndex").integer(place("end_index")).close_object();
            out.key("groundingChunkIndices").open_array().integer(nth as u64).close_array().close_object();
        }
        out.close_array().close_object();
    }
}
