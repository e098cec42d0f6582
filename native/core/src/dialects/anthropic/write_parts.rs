//! Neutral parts of content as Anthropic's blocks.

use crate::base64;
use crate::dialects::{Change, Loss};
use crate::json::{Value, Writer};

/// A block of text.
pub(super) fn text_block(text: &str) -> Vec<u8> {
    let mut out = Writer::with_capacity(text.len() + 32);
    out.open_object().text_member("type", "text").text_member("text", text).close_object();
    out.into_bytes()
}

/// Content as blocks. Text of nothing but white space is none: Anthropic refuses it where it stands alone
/// (`text content blocks must contain non-whitespace text`).
pub(super) fn blocks_of(content: Option<Value<'_>>, blocks: &mut Vec<Vec<u8>>, loss: &mut Loss) {
    let Some(content) = content else { return };
    if let Some(text) = content.as_str() {
        blocks.extend((!text.trim().is_empty()).then(|| text_block(&text)));
        return;
    }
    for value in content.elements() {
        blocks.extend(part(value, loss));
    }
}

/// A part as a block; `None` if Anthropic has no place for it, or it is empty text.
fn part(part: Value<'_>, loss: &mut Loss) -> Option<Vec<u8>> {
    let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
    let mut out = Writer::with_capacity(part.raw().len() + 64);
    let written = match &*kind {
        "text" | "refusal" => {
            let text = part.get("text").or(part.get("refusal")).and_then(Value::as_str).unwrap_or_default();
            if text.trim().is_empty() {
                return None;
            }
            out.open_object().text_member("type", "text").text_member("text", &text);
            true
        }
        "image_url" => part.get("image_url").is_some_and(|it| image(it, &mut out, loss).is_some()),
        "file" => part.get("file").is_some_and(|it| file(it, &mut out, loss).is_some()),
        "input_audio" => {
            loss.add(Change::Dropped, "messages[].content[].input_audio", "Anthropic takes no audio");
            return None;
        }
        other => {
            loss.add(Change::Dropped, format!("messages[].content[].{other}"), "Anthropic has no such part");
            return None;
        }
    };
    if !written {
        loss.add(Change::Dropped, format!("messages[].content[].{kind}"), "neither data nor an address of its kind");
        return None;
    }
    out.member("cache_control", part.get("cache_control")).close_object();
    Some(out.into_bytes())
}

/// A picture by its address, or its bytes out of a data URL. Leaves its object open.
fn image(image: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Option<()> {
    // Some SDKs have the address alone.
    let url = image.get("url").unwrap_or(image).as_str().filter(|url| !url.is_empty())?;
    if image.get("detail").is_some_and(|detail| !detail.is_null() && !detail.str_eq("auto")) {
        loss.add(Change::Dropped, "messages[].content[].image_url.detail", "Anthropic decides by size");
    }
    out.open_object().text_member("type", "image").key("source");
    source(&url, out);
    Some(())
}

/// A document. Leaves its object open.
fn file(file: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Option<()> {
    let text = |name: &str| file.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    if let Some(id) = text("file_id") {
        document(out).open_object().text_member("type", "file").text_member("file_id", &id).close_object();
    } else if let Some(url) = text("file_url") {
        document(out).open_object().text_member("type", "url").text_member("url", &url).close_object();
    } else {
        let data = text("file_data")?;
        match data_url(&data) {
            Some((kind, data)) if kind.starts_with("text/") => {
                let words = String::from_utf8(base64::read(data)?).ok()?;
                document(out).open_object().text_member("type", "text").text_member("media_type", "text/plain");
                out.text_member("data", &words).close_object();
                if kind != "text/plain" {
                    loss.add(Change::Approximated, "messages[].content[].file", "as plain text");
                }
            }
            Some((kind, _)) if kind.starts_with("image/") => {
                out.open_object().text_member("type", "image").key("source");
                source(&data, out);
                return Some(());
            }
            None if !data.contains(':') => {
                // Base64 without the head of a data URL, as some SDKs send it: documents are PDF elsewhere too.
                document(out).open_object().text_member("type", "base64");
                out.text_member("media_type", "application/pdf").text_member("data", &data).close_object();
            }
            _ => source(&data, document(out)),
        }
    }
    if let Some(name) = text("filename") {
        out.text_member("title", &name);
    }
    Some(())
}

fn document(out: &mut Writer) -> &mut Writer {
    out.open_object().text_member("type", "document").key("source")
}

/// `source`: the bytes of a data URL, or an address.
fn source(url: &str, out: &mut Writer) {
    out.open_object();
    match data_url(url) {
        Some((kind, data)) => {
            out.text_member("type", "base64").text_member("media_type", kind).text_member("data", data);
        }
        None => {
            out.text_member("type", "url").text_member("url", url);
        }
    }
    out.close_object();
}

/// Media type and base64 of a data URL.
fn data_url(url: &str) -> Option<(&str, &str)> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    let kind = head.strip_suffix(";base64")?;
    Some((kind.split(';').next().unwrap_or(kind), data))
}
