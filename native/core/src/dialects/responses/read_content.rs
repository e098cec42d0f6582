//! The content of a caller's messages and of tools' results, as the neutral one.

use std::fmt::Arguments;

use super::fields::{drop_unknown, pick};
use super::refuse::{as_text, missing, of_kind, present, text_of, wrong_type, wrong_value};
use crate::dialects::{Change, Loss};
use crate::error::Failure;
use crate::json::{Kind, Value, Writer};

/// Writes the content of a user's or a system's message: a text, or parts. `place` is that of the content.
pub(super) fn read_content(
    out: &mut Writer,
    content: Value<'_>,
    place: Arguments<'_>,
    loss: &mut Loss,
) -> Result<(), Failure> {
    match content.kind() {
        Kind::String => {
            out.value(content);
            Ok(())
        }
        Kind::Array => {
            if let Some(text) = only_text(content) {
                out.value(text);
                return Ok(());
            }
            out.open_array();
            for (at, part) in content.elements().enumerate() {
                read_part(out, part, format_args!("{place}[{at}]"), loss)?;
            }
            out.close_array();
            Ok(())
        }
        _ => Err(wrong_type(&place.to_string(), "a string or an array of parts", content)),
    }
}

/// The text of content that is one text and nothing else: what every upstream takes.
fn only_text(content: Value<'_>) -> Option<Value<'_>> {
    let mut parts = content.elements();
    let part = parts.next().filter(|_| parts.next().is_none())?;
    let is_plain = part.fields().all(|(key, value)| key.str_eq("type") && is_text(value) || key.str_eq("text"));
    part.get("text").filter(|text| is_plain && text.kind() == Kind::String && part.get("type").is_some())
}

/// Whether a part of this type is a text.
pub(super) fn is_text(kind: Value<'_>) -> bool {
    ["input_text", "output_text", "text"].into_iter().any(|word| kind.str_eq(word))
}

fn read_part(out: &mut Writer, part: Value<'_>, place: Arguments<'_>, loss: &mut Loss) -> Result<(), Failure> {
    of_kind(place, Kind::Object, part)?;
    let kind = text_of(part, "type", place)?;
    if is_text(kind) {
        let [text, breakpoint, _] = pick(part, ["text", "prompt_cache_breakpoint", "type"], PARTS, loss);
        out.open_object().text_member("type", "text").key("text").value(as_text(text, "text", place)?);
        mark(out, breakpoint, loss);
        out.close_object();
    } else if kind.str_eq("input_image") {
        read_image(out, part, place, loss)?;
    } else if kind.str_eq("input_file") {
        read_file(out, part, place, loss)?;
    } else if kind.str_eq("input_audio") {
        let audio = present(part, "input_audio").ok_or_else(|| missing(&format!("{place}.input_audio")))?;
        drop_unknown(part, &["type", "input_audio"], PARTS, loss);
        out.open_object().text_member("type", "input_audio").key("input_audio").value(audio).close_object();
    } else {
        let known = "one of 'input_text', 'input_image', 'input_file' and 'input_audio'";
        return Err(wrong_value(&format!("{place}.type"), known, kind));
    }
    Ok(())
}

/// Where parts are, in reports.
const PARTS: &str = "input[].content[].";

fn read_image(out: &mut Writer, part: Value<'_>, place: Arguments<'_>, loss: &mut Loss) -> Result<(), Failure> {
    let names = ["image_url", "file_id", "detail", "prompt_cache_breakpoint", "type"];
    let [url, file, detail, breakpoint, _] = pick(part, names, PARTS, loss);
    out.open_object();
    match (url, file) {
        (Some(url), _) => {
            of_kind(format_args!("{place}.image_url"), Kind::String, url)?;
            out.text_member("type", "image_url").key("image_url").open_object().key("url").value(url);
            out.member("detail", detail).close_object();
        }
        (None, Some(file)) => {
            loss.add(Change::Approximated, "input[].content[].file_id", "an image as a file");
            out.text_member("type", "file").key("file").open_object().key("file_id").value(file).close_object();
        }
        (None, None) => return Err(missing(&format!("{place}.image_url"))),
    }
    mark(out, breakpoint, loss);
    out.close_object();
    Ok(())
}

fn read_file(out: &mut Writer, part: Value<'_>, place: Arguments<'_>, loss: &mut Loss) -> Result<(), Failure> {
    let names = ["file_data", "file_url", "file_id", "filename", "prompt_cache_breakpoint", "type"];
    let [data, url, id, name, breakpoint, _] = pick(part, names, PARTS, loss);
    let is_text = |value: &Value<'_>| value.kind() == Kind::String;
    let name = name.filter(is_text);
    out.open_object().text_member("type", "file").key("file").open_object();
    match (data.filter(is_text), url.filter(is_text), id.filter(is_text)) {
        (Some(data), ..) => write_data(out, data, name),
        (None, Some(url), _) => {
            out.key("file_url").value(url);
        }
        (None, None, Some(id)) => {
            out.key("file_id").value(id);
        }
        _ => return Err(missing(&format!("{place}.file_data"))),
    }
    out.member("filename", name).close_object();
    mark(out, breakpoint, loss);
    out.close_object();
    Ok(())
}

/// OpenAI takes bare base64 too; what it is then, the name says.
fn write_data(out: &mut Writer, data: Value<'_>, name: Option<Value<'_>>) {
    out.key("file_data");
    if data.raw().starts_with(b"\"data:") {
        out.value(data);
        return;
    }
    let name = name.and_then(Value::as_str).unwrap_or_default();
    let kind = match name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).as_deref() {
        Some("pdf") | None => "application/pdf",
        Some("txt" | "md" | "csv") => "text/plain",
        Some("json") => "application/json",
        Some("html" | "htm") => "text/html",
        Some(_) => "application/octet-stream",
    };
    out.string(&format!("data:{kind};base64,{}", data.as_str().unwrap_or_default()));
}

/// A cache marker under the name that other dialects have for it.
fn mark(out: &mut Writer, breakpoint: Option<Value<'_>>, loss: &mut Loss) {
    let Some(breakpoint) = breakpoint else { return };
    let field = "input[].content[].prompt_cache_breakpoint";
    out.key("cache_control").open_object().text_member("type", "ephemeral");
    if present(breakpoint, "ttl").is_some() {
        // 30 minutes or 12 hours; an hour is the longest that others know.
        loss.add(Change::Approximated, field, "as cache_control of one hour");
        out.text_member("ttl", "1h");
    } else {
        loss.add(Change::Renamed, field, "as cache_control");
    }
    out.close_object();
}

/// Writes what a tool gave back: a text, or parts that are texts and images.
pub(super) fn read_output(
    out: &mut Writer,
    output: Value<'_>,
    place: Arguments<'_>,
    loss: &mut Loss,
) -> Result<(), Failure> {
    if output.kind() != Kind::Array || only_text(output).is_some() {
        return match output.kind() {
            Kind::String | Kind::Array => read_content(out, output, place, loss),
            _ => Err(wrong_type(&place.to_string(), "a string or an array of parts", output)),
        };
    }
    out.open_array();
    for (at, part) in output.elements().enumerate() {
        if part.get("type").is_some_and(|kind| kind.str_eq("input_file")) {
            loss.add(Change::Dropped, "input[].output[].input_file", "a tool's result holds texts and images");
            continue;
        }
        read_part(out, part, format_args!("{place}[{at}]"), loss)?;
    }
    out.close_array();
    Ok(())
}
