//! Embeddings, both ways: `embedContent` and `batchEmbedContents`.
//!
//! Upstreams are always asked for a batch, as Google's own clients do. A content of several parts has one vector.

use std::borrow::Cow;

use super::fields::{self, EMBED_FIELDS};
use super::names::{self, array, camel, invalid, object, whole, wrong};
use super::read_request::model;
use super::splice::resource;
use super::usage;
use crate::dialects::neutral::Item;
use crate::dialects::{Ask, Change, Form, Loss, Reply};
use crate::error::{Code, Failure};
use crate::json::{Kind, Value, Writer};
use crate::ledger::Usage;

/// Reads a request of either form.
pub(super) fn read<'a>(
    ask: &Ask,
    members: impl Iterator<Item = (Cow<'a, [u8]>, Value<'a>)>,
    loss: &mut Loss,
) -> Result<Vec<u8>, Failure> {
    let (mut said, mut requests, mut single) = (None, None, One::default());
    for (key, value) in members.filter(|(_, value)| !value.is_null()) {
        let key = String::from_utf8_lossy(&key);
        match &*camel(&key) {
            "model" => said = Some(value),
            "requests" => requests = Some(array(value, "requests")?),
            name => single.take(name, value, "", loss)?,
        }
    }
    let mut out = Writer::with_capacity(256);
    out.open_object();
    let all = match requests {
        None => vec![single],
        Some(requests) => batch(requests, &mut said, loss)?,
    };
    model(ask, said, &mut out)?;
    let dimensions = all.iter().find_map(|one| one.dimensions);
    if all.iter().any(|one| one.dimensions != dimensions) {
        return Err(invalid("requests[].outputDimensionality", "must be the same in all requests"));
    }
    out.key("input");
    match (&all[..], requests) {
        ([], _) => return Err(invalid("requests", "is empty: send at least one")),
        ([one], None) => one.write(&mut out)?,
        (all, _) => {
            out.open_array();
            all.iter().try_for_each(|one| one.write(&mut out))?;
            out.close_array();
        }
    }
    if let Some(dimensions) = dimensions {
        out.key("dimensions").integer(dimensions);
    }
    out.close_object();
    Ok(out.into_bytes())
}

fn batch<'a>(requests: Value<'a>, said: &mut Option<Value<'a>>, loss: &mut Loss) -> Result<Vec<One<'a>>, Failure> {
    let mut all = Vec::new();
    for (at, request) in requests.elements().enumerate() {
        let place = format!("requests[{at}]");
        let mut one = One { place: place.clone(), ..One::default() };
        for (name, value) in names::fields(object(request, &*place)?) {
            match &*name {
                "model" => *said = said.or(Some(value)),
                name => one.take(name, value, "requests[].", loss)?,
            }
        }
        all.push(one);
    }
    Ok(all)
}

/// One thing to embed.
#[derive(Default)]
struct One<'a> {
    place: String,
    content: Option<Value<'a>>,
    dimensions: Option<u64>,
}

impl<'a> One<'a> {
    fn take(&mut self, name: &str, value: Value<'a>, prefix: &str, loss: &mut Loss) -> Result<(), Failure> {
        match name {
            "content" => self.content = Some(value),
            "outputDimensionality" => {
                let number = whole(value).and_then(|number| u64::try_from(number).ok());
                let place = format!("{prefix}outputDimensionality");
                self.dimensions = Some(number.ok_or_else(|| wrong(place, "a whole number", value))?);
            }
            name => loss.add(Change::Dropped, format!("{prefix}{name}"), fields::note(EMBED_FIELDS, name)),
        }
        Ok(())
    }

    /// The texts of all parts, a line each.
    fn write(&self, out: &mut Writer) -> Result<(), Failure> {
        let place = if self.place.is_empty() { "content".into() } else { format!("{}.content", self.place) };
        let Some(content) = self.content else {
            let words = format!("Missing required parameter: '{place}'.");
            return Err(Failure::new(Code::MissingField, words).param(place));
        };
        if content.kind() == Kind::String {
            out.value(content);
            return Ok(());
        }
        let mut texts = Vec::new();
        let parts = names::get(object(content, &*place)?, "parts");
        for (nth, part) in parts.into_iter().flat_map(super::read_tools::each).enumerate() {
            let Some(text) = names::text(part, "text") else {
                return Err(invalid(
                    format!("{place}.parts[{nth}]"),
                    "must be text: other providers embed nothing else",
                ));
            };
            texts.push(text);
        }
        out.string(&texts.join("\n"));
        Ok(())
    }
}

/// Writes a request for a batch.
pub(super) fn write<'a>(
    model: &str,
    members: impl Iterator<Item = (Cow<'a, [u8]>, Value<'a>)>,
    loss: &mut Loss,
) -> Result<Vec<u8>, Failure> {
    let (mut input, mut dimensions) = (None, None);
    for (key, value) in members {
        match &*key {
            b"model" | b"stream" => {}
            b"input" => input = Some(value),
            b"dimensions" => dimensions = Some(value),
            // The answer is written in the caller's form by whoever writes it.
            b"encoding_format" => {}
            key => loss.add(Change::Dropped, String::from_utf8_lossy(key).into_owned(), "Gemini has no such field"),
        }
    }
    let Some(input) = input else {
        return Err(Failure::new(Code::MissingField, "Missing required parameter: 'input'.").param("input"));
    };
    let model = resource(model);
    let mut out = Writer::with_capacity(256);
    out.open_object().key("requests").open_array();
    for text in super::read_tools::each(input) {
        if text.kind() != Kind::String {
            return Err(wrong("input", "text for this provider, which takes no tokens", text));
        }
        out.open_object().text_member("model", &model).key("content").open_object().key("parts").open_array();
        out.open_object().key("text").value(text).close_object().close_array().close_object();
        out.member("outputDimensionality", dimensions).close_object();
    }
    out.close_array().close_object();
    Ok(out.into_bytes())
}

/// The vectors of an answer of either form; `None` if it has none.
pub(super) fn read_answer(answer: Value<'_>, items: &mut Vec<Item>) -> Option<()> {
    let one = names::get(answer, "embedding");
    let several = names::get(answer, "embeddings");
    let mut index = 0;
    for embedding in several.into_iter().flat_map(Value::elements).chain(one) {
        let values = names::get(embedding, "values").filter(|values| values.kind() == Kind::Array)?;
        let vector =
            values.elements().map(|number| number.as_f64().map(|number| number as f32)).collect::<Option<_>>()?;
        items.push(Item::Embedding { index, vector });
        index += 1;
    }
    let told = names::get(answer, "usageMetadata").map(usage::Counts::read).and_then(|counts| counts.usage());
    items.extend(told.map(|(usage, _)| Item::Usage(usage)));
    (index > 0).then_some(())
}

/// Writes an answer in the form that was asked for.
pub(super) fn write_answer(reply: &Reply, items: &[Item], usage: &Usage) -> Vec<u8> {
    let mut vectors: Vec<(u32, &[f32])> = items
        .iter()
        .filter_map(|item| match item {
            Item::Embedding { index, vector } => Some((*index, &vector[..])),
            _ => None,
        })
        .collect();
    vectors.sort_by_key(|(index, _)| *index);
    let mut out = Writer::with_capacity(256);
    out.open_object();
    match reply.form {
        Form::Other => {
            out.key("embeddings").open_array();
            vectors.iter().for_each(|(_, vector)| write_vector(vector, &mut out));
            out.close_array();
        }
        _ => {
            out.key("embedding");
            write_vector(vectors.first().map_or(&[], |(_, vector)| vector), &mut out);
        }
    }
    if usage.input_tokens > 0 {
        out.key("usageMetadata").open_object().key("promptTokenCount").integer(usage.input_tokens);
        out.key("totalTokenCount").integer(usage.input_tokens).close_object();
    }
    out.close_object();
    out.into_bytes()
}

fn write_vector(vector: &[f32], out: &mut Writer) {
    out.open_object().key("values").open_array();
    for number in vector {
        // JSON has no NaN and no infinity; 0 harms least.
        let number = if number.is_finite() { *number } else { 0.0 };
        out.raw(ryu::Buffer::new().format_finite(number).as_bytes());
    }
    out.close_array().close_object();
}
