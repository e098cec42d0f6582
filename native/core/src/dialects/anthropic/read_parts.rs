//! A caller's pictures and documents in the neutral form. Each function leaves its object open, for a cache marker.

use super::read_messages::is;
use super::read_request::{invalid, missing};
use crate::dialects::neutral::UNNAMED;
use crate::dialects::{Change, Loss};
use crate::error::Failure;
use crate::json::{Kind, Value, Writer};

/// What says where a picture or a document is from.
const SOURCE: &[&str] = &["type", "media_type", "data", "url", "file_id", "content"];

/// A picture: its address, its bytes, or a file of the provider's.
pub(super) fn image(block: Value<'_>, place: &str, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    let source = source_of(block, place, loss)?;
    if is(source, "file") {
        file_id(source, out);
        return Ok(());
    }
    let url = match data_url(source) {
        Some(url) => url,
        None => source.get("url").and_then(Value::as_str).ok_or_else(|| odd_source(place))?.into_owned(),
    };
    out.open_object().text_member("type", "image_url").key("image_url").open_object().text_member("url", &url);
    out.close_object();
    Ok(())
}

/// A document: bytes, an address, plain text, or blocks of text.
pub(super) fn document(block: Value<'_>, place: &str, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    let source = source_of(block, place, loss)?;
    let title = block.get("title").and_then(Value::as_str);
    if block.get("citations").is_some_and(|citations| citations.get("enabled").and_then(Value::as_bool) == Some(true)) {
        loss.add(Change::Dropped, "messages[].content[].citations", "other dialects cite by themselves");
    }
    if let Some(context) = block.get("context").filter(|context| !context.is_null()) {
        loss.add(Change::Approximated, "messages[].content[].context", "as text before the document");
        out.open_object().text_member("type", "text").key("text").value(context).close_object();
    }
    if is(source, "file") {
        file_id(source, out);
        return Ok(());
    }
    if is(source, "text") || is(source, "content") {
        loss.add(Change::Approximated, "messages[].content[].document", "as text");
        let mut text = title.map_or_else(String::new, |title| format!("{title}\n\n"));
        for name in ["data", "content"] {
            text.push_str(&source.get(name).and_then(Value::as_str).unwrap_or_default());
        }
        for block in source.get("content").into_iter().flat_map(Value::elements) {
            text.push_str(&block.get("text").and_then(Value::as_str).unwrap_or_default());
        }
        out.open_object().text_member("type", "text").text_member("text", &text);
        return Ok(());
    }
    out.open_object().text_member("type", "file").key("file").open_object();
    match data_url(source) {
        Some(url) => {
            out.text_member("file_data", &url);
            out.text_member("filename", title.as_deref().unwrap_or(UNNAMED));
        }
        None => {
            let url = source.get("url").filter(|url| url.kind() == Kind::String).ok_or_else(|| odd_source(place))?;
            out.key("file_url").value(url);
        }
    }
    out.close_object();
    Ok(())
}

/// What a search of the caller's found, as text.
pub(super) fn search_result(block: Value<'_>, out: &mut Writer, loss: &mut Loss) {
    loss.add(Change::Approximated, "messages[].content[].search_result", "as text");
    if block.get("citations").is_some_and(|citations| citations.get("enabled").and_then(Value::as_bool) == Some(true)) {
        loss.add(Change::Dropped, "messages[].content[].citations", "other dialects cite by themselves");
    }
    let text = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut words = format!("{}\n{}\n", text("title"), text("source"));
    for part in block.get("content").into_iter().flat_map(Value::elements) {
        words.push_str(&part.get("text").and_then(Value::as_str).unwrap_or_default());
    }
    out.open_object().text_member("type", "text").text_member("text", &words);
}

fn source_of<'a>(block: Value<'a>, place: &str, loss: &mut Loss) -> Result<Value<'a>, Failure> {
    let source = block.get("source").filter(|source| source.kind() == Kind::Object);
    let source = source.ok_or_else(|| missing(&format!("{place}.content.source")))?;
    loss.add_others(source, "messages[].content[].source", SOURCE, "unknown to other dialects");
    Ok(source)
}

fn odd_source(place: &str) -> Failure {
    let words = format!("'{place}.content.source' must hold base64 data with a media type, a url, or a file_id.");
    invalid(format!("{place}.content.source"), words)
}

fn data_url(source: Value<'_>) -> Option<String> {
    let text = |name: &str| source.get(name)?.as_str();
    is(source, "base64").then_some(())?;
    Some(format!("data:{};base64,{}", text("media_type")?, text("data")?))
}

/// A file that the provider keeps: whoever else is asked does not have it, and says so.
fn file_id(source: Value<'_>, out: &mut Writer) {
    out.open_object().text_member("type", "file").key("file").open_object();
    out.member("file_id", source.get("file_id")).close_object();
}
