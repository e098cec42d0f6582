//! A caller's `contents` and `systemInstruction`, as messages.

use std::borrow::Cow;

use super::ids::Ids;
use super::names::{fields, get, invalid, object, string, text};
use super::read_part::{self, Part};
use super::read_tools::each;
use crate::dialects::{Change, Loss};
use crate::error::Failure;
use crate::json::{Kind, Value, Writer};

/// Writes the message of role `system`.
pub(super) fn system(instruction: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    const AT: &str = "systemInstruction";
    out.open_object().text_member("role", "system").key("content");
    if let Some(text) = instruction.as_str() {
        out.string(&text).close_object();
        return Ok(());
    }
    let parts = parts(object(instruction, AT)?, AT, loss)?;
    content(&parts, AT, out, loss)?;
    out.close_object();
    Ok(())
}

/// Writes the messages of `contents`.
pub(super) fn contents(contents: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    let mut ids = Ids::default();
    let mut count = 0;
    for (at, content) in each(contents).enumerate() {
        let place = format!("contents[{at}]");
        if content.kind() == Kind::String {
            return Err(invalid(place, "must be an object with 'parts': [{\"text\": …}]"));
        }
        let parts = parts(object(content, &*place)?, &place, loss)?;
        let role = match get(content, "role") {
            None => Cow::Borrowed("user"),
            Some(role) => string(role, format!("{place}.role"))?,
        };
        match &*role {
            "model" => model(at, &parts, &place, &mut ids, out, loss)?,
            "user" | "function" | "" => user(at, &parts, &place, &mut ids, out, loss)?,
            "system" => {
                out.open_object().text_member("role", "system").key("content");
                self::content(&parts, &place, out, loss)?;
                out.close_object();
            }
            _ => return Err(invalid(format!("{place}.role"), "must be 'user' or 'model'")),
        }
        count += 1;
    }
    if count == 0 {
        return Err(invalid("contents", "is empty: send at least one"));
    }
    Ok(())
}

/// The parts of one content, each as what it is.
fn parts<'a>(content: Value<'a>, at: &str, loss: &mut Loss) -> Result<Vec<Part<'a>>, Failure> {
    let mut all = Vec::new();
    for (name, value) in fields(content) {
        match &*name {
            "parts" => {
                for (nth, part) in each(value).enumerate() {
                    all.push(read_part::read(part, &format!("{at}.parts[{nth}]"), loss)?);
                }
            }
            "role" => {}
            name => loss.add(Change::Dropped, format!("contents[].{name}"), "unknown"),
        }
    }
    Ok(all)
}

/// A user's content: first the results of tools, each a message of its own, then the rest.
fn user(
    at: usize,
    parts: &[Part<'_>],
    place: &str,
    ids: &mut Ids,
    out: &mut Writer,
    loss: &mut Loss,
) -> Result<(), Failure> {
    let mut results = 0;
    for (nth, part) in parts.iter().enumerate() {
        if let Some(response) = part.response {
            results += 1;
            result(ids, at, nth, response, &format!("{place}.parts[{nth}].functionResponse"), out, loss)?;
        } else if let Some(call) = part.call {
            return Err(invalid(
                format!("{place}.parts[{nth}].functionCall"),
                if call.kind() == Kind::Object { "belongs to a content of role 'model'" } else { "must be an object" },
            ));
        }
    }
    if results == parts.len() && results > 0 {
        return Ok(());
    }
    out.open_object().text_member("role", "user").key("content");
    content(parts, place, out, loss)?;
    out.close_object();
    Ok(())
}

/// A model's content: what it thought, said and called.
fn model(
    at: usize,
    parts: &[Part<'_>],
    place: &str,
    ids: &mut Ids,
    out: &mut Writer,
    loss: &mut Loss,
) -> Result<(), Failure> {
    ids.turn();
    let calls = parts.iter().any(|part| part.call.is_some());
    let says = parts.iter().any(Part::speaks);
    out.open_object().text_member("role", "assistant").key("content");
    match (says, calls) {
        (false, true) => {
            out.null();
        }
        _ => content(parts, place, out, loss)?,
    }
    let thoughts: String = parts.iter().filter(|part| part.thought).filter_map(|part| part.text.as_deref()).collect();
    if !thoughts.is_empty() {
        out.text_member("reasoning_content", &thoughts);
    }
    if parts.iter().any(|part| part.call.is_none() && part.signature.is_some()) {
        out.key("thoughts").open_array();
        for signature in parts.iter().filter(|part| part.call.is_none()).filter_map(|part| part.signature.as_deref()) {
            out.open_object().text_member("origin", "gemini").text_member("type", "text");
            out.text_member("signature", signature).close_object();
        }
        out.close_array();
    }
    if calls {
        out.key("tool_calls").open_array();
        for (nth, part) in parts.iter().enumerate() {
            if let Some(value) = part.call {
                call(ids, at, nth, value, part, &format!("{place}.parts[{nth}].functionCall"), out, loss)?;
            }
        }
        out.close_array();
    }
    out.close_object();
    Ok(())
}

#[allow(clippy::too_many_arguments)]
fn call(
    ids: &mut Ids,
    at: usize,
    nth: usize,
    value: Value<'_>,
    part: &Part<'_>,
    place: &str,
    out: &mut Writer,
    loss: &mut Loss,
) -> Result<(), Failure> {
    let name = text(object(value, place)?, "name").unwrap_or_default();
    if name.is_empty() {
        return Err(invalid(format!("{place}.name"), "is missing"));
    }
    let mut arguments = Cow::Borrowed("{}");
    for (field, value) in fields(value) {
        match &*field {
            "name" | "id" => {}
            "args" => arguments = String::from_utf8_lossy(object(value, format!("{place}.args"))?.raw()),
            field => loss.add(Change::Dropped, format!("contents[].parts[].functionCall.{field}"), "unknown"),
        }
    }
    let id = ids.call(at, nth, text(value, "id"), &name);
    out.open_object().text_member("id", &id).text_member("type", "function");
    out.key("function").open_object().text_member("name", &name).text_member("arguments", &arguments).close_object();
    if let Some(signature) = &part.signature {
        out.key("extra_content").open_object().key("google").open_object();
        out.text_member("thought_signature", signature).close_object().close_object();
    }
    out.close_object();
    Ok(())
}

/// One result as a message of role `tool`. `output` and `error` are Google's words for what came of it; any other object
/// is the result itself.
fn result(
    ids: &mut Ids,
    at: usize,
    nth: usize,
    value: Value<'_>,
    place: &str,
    out: &mut Writer,
    loss: &mut Loss,
) -> Result<(), Failure> {
    let name = text(object(value, place)?, "name").unwrap_or_default();
    let (mut response, mut media) = (None, None);
    for (field, value) in fields(value) {
        match &*field {
            "name" | "id" => {}
            "response" => response = Some(object(value, format!("{place}.response"))?),
            "parts" => media = Some(value),
            field => {
                loss.add(
                    Change::Dropped,
                    format!("contents[].parts[].functionResponse.{field}"),
                    "no other protocol has it",
                );
            }
        }
    }
    let mut members = response.into_iter().flat_map(Value::fields);
    let (said, is_error) = match (members.next(), members.next()) {
        (Some((key, value)), None) if key.str_eq("output") => (Some(value), false),
        (Some((key, value)), None) if key.str_eq("error") => (Some(value), true),
        _ => (response, false),
    };
    let said = match said {
        Some(said) => said.as_str().unwrap_or_else(|| String::from_utf8_lossy(said.raw())),
        None => Cow::Borrowed(""),
    };
    let id = ids.result(at, nth, text(value, "id"), &name);
    out.open_object().text_member("role", "tool").text_member("tool_call_id", &id);
    if !name.is_empty() {
        out.text_member("name", &name);
    }
    if is_error {
        out.key("is_error").boolean(true);
    }
    out.key("content");
    match media {
        None => {
            out.string(&said);
        }
        Some(media) => {
            out.open_array().open_object().text_member("type", "text").text_member("text", &said).close_object();
            for (nth, part) in each(media).enumerate() {
                let place = format!("{place}.parts[{nth}]");
                read_part::read(part, &place, loss)?.write(&place, out, loss)?;
            }
            out.close_array();
        }
    }
    out.close_object();
    Ok(())
}

/// Writes what parts say, thoughts, calls and results apart: one text as it is, all else as an array.
fn content(parts: &[Part<'_>], place: &str, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    let mut said = parts.iter().enumerate().filter(|(_, part)| part.speaks());
    match (said.next(), said.next()) {
        (None, _) => {
            out.string("");
        }
        (Some((_, Part { text: Some(text), .. })), None) => {
            out.string(text);
        }
        _ => {
            out.open_array();
            for (nth, part) in parts.iter().enumerate().filter(|(_, part)| part.speaks()) {
                part.write(&format!("{place}.parts[{nth}]"), out, loss)?;
            }
            out.close_array();
        }
    }
    Ok(())
}
