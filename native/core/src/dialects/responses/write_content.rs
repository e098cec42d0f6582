//! The content of neutral messages as an upstream takes it.

use super::fields::drop_unknown;
use super::refuse::present;
use crate::dialects::{Change, Loss};
use crate::json::{Kind, Value, Writer};

/// Where parts are, in reports.
const PARTS: &str = "messages[].content[].";

/// Writes the content of a user's or a system's message.
pub(super) fn write_content(out: &mut Writer, content: Value<'_>, loss: &mut Loss) {
    if content.kind() != Kind::Array {
        out.value(content);
        return;
    }
    out.open_array();
    for part in content.elements() {
        write_part(out, part, loss);
    }
    out.close_array();
}

/// Writes what a tool gave back. That it failed is said in words: there is no place for it.
pub(super) fn write_output(out: &mut Writer, content: Option<Value<'_>>, failed: bool, loss: &mut Loss) {
    const FAILED: &str = "Error: ";
    match content {
        None => {
            out.string(if failed { FAILED.trim_end() } else { "" });
        }
        Some(content) if content.kind() == Kind::Array => {
            out.open_array();
            if failed {
                out.open_object().text_member("type", "input_text").text_member("text", FAILED).close_object();
            }
            content.elements().for_each(|part| write_part(out, part, loss));
            out.close_array();
        }
        Some(content) if failed => {
            out.string(&format!("{FAILED}{}", content.as_str().unwrap_or_default()));
        }
        Some(content) => {
            out.value(content);
        }
    }
}

fn write_part(out: &mut Writer, part: Value<'_>, loss: &mut Loss) {
    if present(part, "cache_control").is_some() {
        // Breakpoints are of the newest models; the others refuse them.
        loss.add(Change::Dropped, "messages[].content[].cache_control", "the provider caches by itself");
    }
    let is = |word: &str| part.get("type").is_some_and(|kind| kind.str_eq(word));
    if is("text") {
        drop_unknown(part, &["type", "text", "cache_control"], PARTS, loss);
        out.open_object().text_member("type", "input_text").member("text", part.get("text")).close_object();
    } else if is("image_url") {
        drop_unknown(part, &["type", "image_url", "cache_control"], PARTS, loss);
        write_image(out, part.get("image_url"), loss);
    } else if is("file") {
        drop_unknown(part, &["type", "file", "cache_control"], PARTS, loss);
        out.open_object().text_member("type", "input_file");
        if let Some(file) = part.get("file") {
            const KNOWN: [&str; 4] = ["file_data", "file_url", "file_id", "filename"];
            drop_unknown(file, &KNOWN, "messages[].content[].file.", loss);
            write_file(out, file, loss);
        }
        out.close_object();
    } else if is("input_audio") {
        // Not among what a message may hold (openai-python 3, `response_input_content_param.py`).
        loss.add(Change::Dropped, "messages[].content[].input_audio", "the Responses API takes no sound");
    } else {
        loss.add(Change::Dropped, "messages[].content[]", "of an unknown type");
    }
}

/// `image_url` is an object in chat; some send the address itself.
fn write_image(out: &mut Writer, image: Option<Value<'_>>, loss: &mut Loss) {
    let url = image.and_then(|image| if image.kind() == Kind::String { Some(image) } else { image.get("url") });
    let detail = image.and_then(|image| present(image, "detail"));
    if let Some(image) = image {
        drop_unknown(image, &["url", "detail"], "messages[].content[].image_url.", loss);
    }
    out.open_object().text_member("type", "input_image").member("image_url", url).key("detail");
    match detail {
        Some(detail) => out.value(detail),
        None => out.string("auto"),
    };
    out.close_object();
}

/// OpenAI takes data with a name only, and one source only.
fn write_file(out: &mut Writer, file: Value<'_>, loss: &mut Loss) {
    let sources = ["file_data", "file_url", "file_id"];
    let mut given = sources.into_iter().filter_map(|name| present(file, name).map(|value| (name, value)));
    let Some((name, value)) = given.next() else { return };
    for (other, _) in given {
        loss.add(Change::Dropped, format!("messages[].content[].file.{other}"), "one source is enough");
    }
    out.key(name).value(value);
    match present(file, "filename") {
        // A name goes with data alone.
        Some(_) if name != "file_data" => {
            loss.add(Change::Dropped, "messages[].content[].file.filename", "goes with data alone");
        }
        Some(filename) => {
            out.key("filename").value(filename);
        }
        None if name == "file_data" => {
            out.text_member("filename", if is_pdf(value) { "file.pdf" } else { "file" });
        }
        None => {}
    }
}

fn is_pdf(data: Value<'_>) -> bool {
    data.raw().starts_with(b"\"data:application/pdf")
}
