//! Parts of a message's content as Gemini's.

use std::borrow::Cow;

use super::data;
use super::names::{invalid, wrong};
use crate::dialects::neutral::UNNAMED;
use crate::dialects::{Change, Loss};
use crate::error::Failure;
use crate::json::{self, Kind, Value, Writer};

/// Writes content, a text or parts, as elements of `parts`.
pub(super) fn content(content: Value<'_>, place: &str, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    match content.kind() {
        Kind::String if content.str_eq("") => Ok(()),
        Kind::String => {
            out.open_object().key("text").value(content).close_object();
            Ok(())
        }
        Kind::Null => Ok(()),
        Kind::Array => {
            content.elements().enumerate().try_for_each(|(nth, one)| part(one, &format!("{place}[{nth}]"), out, loss))
        }
        _ => Err(wrong(place, "a string or an array of parts", content)),
    }
}

/// Writes one part of content.
pub(super) fn part(part: Value<'_>, place: &str, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    if part.kind() != Kind::Object {
        return Err(wrong(place, "an object", part));
    }
    if part.get("cache_control").is_some_and(|mark| !mark.is_null()) {
        loss.add(Change::Dropped, "messages[].content[].cache_control", "Gemini caches by itself");
    }
    let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
    match &*kind {
        "text" | "refusal" => {
            let text = part.get(&kind).filter(|text| text.kind() == Kind::String);
            let Some(text) = text else { return Err(invalid(format!("{place}.{kind}"), "must be a string")) };
            out.open_object().key("text").value(text).close_object();
        }
        "image_url" => image(part, place, out, loss)?,
        "input_audio" => audio(part, place, out)?,
        "file" => file(part, place, out, loss)?,
        kind => loss.add(Change::Dropped, format!("messages[].content[].type:{kind}"), "unknown kind of part"),
    }
    Ok(())
}

fn image(part: Value<'_>, place: &str, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    let image = part.get("image_url");
    let url = image.and_then(|image| image.as_str().or_else(|| image.get("url")?.as_str()));
    let Some(url) = url else { return Err(invalid(format!("{place}.image_url.url"), "is missing")) };
    if image.and_then(|image| image.get("detail")).is_some_and(|detail| !detail.is_null() && !detail.str_eq("auto")) {
        loss.add(Change::Dropped, "messages[].content[].image_url.detail", "Gemini chooses it");
    }
    address(&url, "image/jpeg", "messages[].content[].image_url.url", out, loss);
    Ok(())
}

/// A data URL as `inlineData`, any other address as `fileData`.
fn address(url: &str, otherwise: &str, field: &'static str, out: &mut Writer, loss: &mut Loss) {
    if let Some((media, data)) = data::of_url(url) {
        inline(media, data, out);
        return;
    }
    let media = data::media_of(url).unwrap_or_else(|| {
        loss.add(Change::Approximated, field, "a media type is assumed");
        otherwise
    });
    out.open_object().key("fileData").open_object().text_member("mimeType", media).text_member("fileUri", url);
    out.close_object().close_object();
}

fn inline(media: &str, data: &str, out: &mut Writer) {
    out.open_object().key("inlineData").open_object().text_member("mimeType", media);
    out.text_member("data", &data::usual(data)).close_object().close_object();
}

fn audio(part: Value<'_>, place: &str, out: &mut Writer) -> Result<(), Failure> {
    let audio = part.get("input_audio");
    let member = |name| audio.and_then(|audio| audio.get(name)).and_then(Value::as_str);
    let Some(data) = member("data") else { return Err(invalid(format!("{place}.input_audio.data"), "is missing")) };
    let format = member("format").unwrap_or(Cow::Borrowed("wav"));
    inline(&format!("audio/{format}"), &data, out);
    Ok(())
}

fn file(part: Value<'_>, place: &str, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    const PDF: &str = "application/pdf";
    let file = part.get("file");
    let member = |name| file.and_then(|file| file.get(name)).and_then(Value::as_str);
    if member("filename").is_some_and(|name| name != UNNAMED) {
        loss.add(Change::Dropped, "messages[].content[].file.filename", "Gemini names no files");
    }
    if let Some(data) = member("file_data") {
        if data.starts_with("data:") {
            address(&data, PDF, "messages[].content[].file.file_data", out, loss);
        } else {
            inline(member("filename").as_deref().and_then(data::media_of).unwrap_or(PDF), &data, out);
        }
    } else if let Some(url) = member("file_url") {
        address(&url, PDF, "messages[].content[].file.file_url", out, loss);
    } else if let Some(id) = member("file_id") {
        // Only an id of Google's own is one to Google.
        if id.starts_with("https://") || id.starts_with("gs://") || id.starts_with("files/") {
            address(&id, PDF, "messages[].content[].file.file_id", out, loss);
        } else {
            loss.add(Change::Dropped, "messages[].content[].file.file_id", "of another provider");
        }
    } else {
        return Err(invalid(format!("{place}.file"), "needs 'file_data', 'file_url' or 'file_id'"));
    }
    Ok(())
}

fn is_text(part: Value<'_>) -> bool {
    part.get("type").is_some_and(|kind| kind.str_eq("text"))
}

/// The parts of a result that are no text, each with its place.
pub(super) fn media<'a>(content: Option<Value<'a>>, place: &str) -> Vec<(String, Value<'a>)> {
    let parts = content.into_iter().flat_map(Value::elements).enumerate();
    parts.filter(|(_, one)| !is_text(*one)).map(|(nth, one)| (format!("{place}[{nth}]"), one)).collect()
}

/// Writes the value of a result's `response`.
pub(super) fn result(content: Option<Value<'_>>, is_error: bool, out: &mut Writer) {
    let text = match content {
        Some(content) if content.kind() == Kind::String => content.as_str().unwrap_or_default(),
        _ => {
            let parts = content.into_iter().flat_map(Value::elements).filter(|part| is_text(*part));
            Cow::Owned(parts.filter_map(|part| part.get("text")?.as_str()).collect())
        }
    };
    write_response(&text, is_error, out);
}

/// An object goes as it is, unless it would be read as Google's words `output` and `error`; all else under these.
fn write_response(text: &str, is_error: bool, out: &mut Writer) {
    let value =
        json::validate(text.as_bytes(), json::Limits::default()).ok().filter(|value| value.kind() == Kind::Object);
    let names = |value: Value<'_>| value.fields().any(|(key, _)| key.str_eq("output") || key.str_eq("error"));
    match value {
        Some(value) if !is_error && !names(value) => {
            out.value(value);
        }
        value => {
            out.open_object().key(if is_error { "error" } else { "output" });
            match value {
                Some(value) => out.value(value),
                None => out.string(text),
            };
            out.close_object();
        }
    }
}
