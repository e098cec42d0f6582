//! Where an answer is from: `groundingMetadata`, `citationMetadata` and `urlContextMetadata` against OpenAI's
//! `url_citation`. Google counts bytes, OpenAI characters.

use super::names::{get, text, whole};
use super::positions::Positions;
use crate::dialects::neutral::Item;
use crate::json::{self, Value, Writer};

/// More citations than any answer needs.
const MOST: usize = 256;

/// What a candidate says of where it is from.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sources<'a> {
    pub grounding: Option<Value<'a>>,
    pub citations: Option<Value<'a>>,
    pub addresses: Option<Value<'a>>,
}

/// What was told of one choice already: events of a stream tell it again.
#[derive(Debug, Default)]
pub(super) struct Told(Vec<String>);

impl Told {
    /// Puts down what an event says of the text so far.
    pub fn read(&mut self, choice: u32, said: &Positions, sources: Sources<'_>, items: &mut Vec<Item>) {
        let mut add = |segment: Option<Value<'_>>, uri: &str, title: &str| {
            let json = citation(said, segment, uri, title);
            if self.0.len() < MOST && !self.0.contains(&json) {
                self.0.push(json.clone());
                items.push(Item::Annotation { choice, json });
            }
        };
        let mut cited = Vec::new();
        if let Some(grounding) = sources.grounding {
            grounded(grounding, &mut cited, &mut add);
        }
        // The Gemini API calls them sources, Vertex AI citations (google-genai 3.6, `_CitationMetadata_from_mldev`).
        for name in ["citationSources", "citations"] {
            for one in sources.citations.into_iter().flat_map(|citations| elements(citations, name)).take(MOST) {
                if let Some(uri) = text(one, "uri") {
                    add(Some(one), &uri, &text(one, "title").unwrap_or_default());
                }
            }
        }
        for one in sources.addresses.into_iter().flat_map(|addresses| elements(addresses, "urlMetadata")).take(MOST) {
            let was_read = text(one, "urlRetrievalStatus").is_some_and(|status| status.ends_with("_SUCCESS"));
            let uri = text(one, "retrievedUrl").filter(|uri| was_read && !cited.iter().any(|cited| cited == &**uri));
            if let Some(uri) = uri {
                add(None, &uri, "");
            }
        }
    }
}

/// Each source at each place that it supports; one that supports none by itself.
fn grounded(grounding: Value<'_>, cited: &mut Vec<String>, add: &mut impl FnMut(Option<Value<'_>>, &str, &str)) {
    let chunks: Vec<Value<'_>> = elements(grounding, "groundingChunks").take(MOST).collect();
    let source = |chunk: &Value<'_>| {
        let source = ["web", "retrievedContext", "maps", "image"].into_iter().find_map(|kind| get(*chunk, kind))?;
        let uri = text(source, "uri").or_else(|| text(source, "sourceUri"))?;
        Some((uri.into_owned(), text(source, "title").unwrap_or_default().into_owned()))
    };
    for support in elements(grounding, "groundingSupports").take(MOST) {
        let Some(segment) = get(support, "segment") else { continue };
        for index in elements(support, "groundingChunkIndices") {
            let chunk = index.as_u64().and_then(|index| chunks.get(usize::try_from(index).ok()?));
            if let Some((uri, title)) = chunk.and_then(source) {
                add(Some(segment), &uri, &title);
                cited.push(uri);
            }
        }
    }
    for (uri, title) in chunks.iter().filter_map(source) {
        if !cited.contains(&uri) {
            add(None, &uri, &title);
            cited.push(uri);
        }
    }
}

fn elements<'a>(value: Value<'a>, name: &str) -> impl Iterator<Item = Value<'a>> {
    get(value, name).into_iter().flat_map(Value::elements)
}

/// OpenAI's annotation. Without a segment it is of no place.
fn citation(said: &Positions, segment: Option<Value<'_>>, uri: &str, title: &str) -> String {
    let place = |name| {
        let byte = segment.and_then(|segment| get(segment, name)).and_then(whole);
        u64::from(said.character(byte.and_then(|byte| u32::try_from(byte).ok()).unwrap_or(0)))
    };
    let mut json = Writer::with_capacity(128);
    json.open_object().text_member("type", "url_citation").key("url_citation").open_object();
    json.text_member("url", uri).text_member("title", title);
    json.key("start_index").integer(place("startIndex")).key("end_index").integer(place("endIndex"));
    json.close_object().close_object();
    String::from_utf8(json.into_bytes()).unwrap_or_default()
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
