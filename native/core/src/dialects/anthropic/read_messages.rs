//! A caller's messages in the neutral form: each turn may become several messages, because the results of tools are
//! messages of their own there.

use super::fields::report_unknown;
use super::read_assistant::assistant;
use super::read_parts::{document, image, search_result};
use super::read_request::{invalid, missing};
use crate::dialects::{Change, Loss};
use crate::error::Failure;
use crate::json::{Kind, Value, Writer};

/// `system`, a string or blocks of text, as the first message.
pub(super) fn system_message(system: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    if !matches!(system.kind(), Kind::String | Kind::Array) {
        return Err(invalid("system", "'system' must be a string or an array of blocks."));
    }
    if system.elements().next().is_none() && system.kind() == Kind::Array {
        return Ok(());
    }
    out.open_object().text_member("role", "system").key("content");
    content(system, "system", out, loss)?;
    out.close_object();
    Ok(())
}

/// All turns. `mark`: the cache marker of the last block of all.
pub(super) fn read_messages(
    messages: Value<'_>,
    mark: Option<Value<'_>>,
    out: &mut Writer,
    loss: &mut Loss,
) -> Result<(), Failure> {
    let last = messages.elements().count();
    for (at, message) in messages.elements().enumerate() {
        let place = format!("messages.{at}");
        if message.kind() != Kind::Object {
            return Err(invalid(&*place, format!("'{place}' must be an object.")));
        }
        let said = message.get("content").filter(|content| !content.is_null());
        let said = said.ok_or_else(|| missing(&format!("{place}.content")))?;
        if !matches!(said.kind(), Kind::String | Kind::Array) {
            let words = format!("'{place}.content' must be a string or an array of blocks.");
            return Err(invalid(format!("{place}.content"), words));
        }
        for (key, value) in message.fields() {
            if !key.str_eq("role") && !key.str_eq("content") && !value.is_null() {
                let key = key.as_str().unwrap_or_default();
                loss.add(Change::Dropped, format!("messages[].{key}"), "unknown to other dialects");
            }
        }
        let mark = mark.filter(|_| at + 1 == last);
        match message.get("role") {
            Some(role) if role.str_eq("user") => user(said, &place, mark, out, loss)?,
            Some(role) if role.str_eq("assistant") => assistant(said, &place, mark, out, loss)?,
            Some(role) if role.str_eq("system") => says("system", said, &place, mark, out, loss)?,
            _ => {
                let words = format!("'{place}.role' must be user, assistant or system.");
                return Err(invalid(format!("{place}.role"), words));
            }
        }
    }
    Ok(())
}

/// A user's turn: the results of tools first, which is where they stand here too, then what the user says.
fn user(
    said: Value<'_>,
    place: &str,
    mark: Option<Value<'_>>,
    out: &mut Writer,
    loss: &mut Loss,
) -> Result<(), Failure> {
    let is_result = |block: &Value<'_>| is(*block, "tool_result");
    let results = said.elements().filter(is_result).count();
    let speaks = said.kind() == Kind::String || said.elements().any(|block| !is_result(&block)) || results == 0;
    for (at, block) in said.elements().filter(is_result).enumerate() {
        tool_result(block, place, mark.filter(|_| !speaks && at + 1 == results), out, loss)?;
    }
    if speaks {
        says("user", said, place, mark, out, loss)?;
    }
    Ok(())
}

fn says(
    role: &str,
    said: Value<'_>,
    place: &str,
    mark: Option<Value<'_>>,
    out: &mut Writer,
    loss: &mut Loss,
) -> Result<(), Failure> {
    out.open_object().text_member("role", role).key("content");
    content(said, place, out, loss)?;
    out.member("cache_control", mark).close_object();
    Ok(())
}

fn tool_result(
    block: Value<'_>,
    place: &str,
    mark: Option<Value<'_>>,
    out: &mut Writer,
    loss: &mut Loss,
) -> Result<(), Failure> {
    let id = block.get("tool_use_id").filter(|id| id.kind() == Kind::String);
    let id = id.ok_or_else(|| missing(&format!("{place}.content.tool_result.tool_use_id")))?;
    out.open_object().text_member("role", "tool").key("tool_call_id").value(id).key("content");
    match block.get("content").filter(|content| !content.is_null()) {
        Some(said) if !matches!(said.kind(), Kind::String | Kind::Array) => {
            let param = format!("{place}.content.tool_result.content");
            let words = format!("'{param}' must be a string or an array of blocks.");
            return Err(invalid(param, words));
        }
        Some(said) => content(said, place, out, loss)?,
        None => {
            out.string("");
        }
    }
    if block.get("is_error").and_then(Value::as_bool) == Some(true) {
        out.key("is_error").boolean(true);
    }
    let own = block.get("cache_control").filter(|mark| !mark.is_null());
    out.member("cache_control", own.or(mark)).close_object();
    report_unknown(block, "tool_result", loss);
    Ok(())
}

/// What may stand in any content: text, pictures, documents. One plain text is a string.
pub(super) fn content(said: Value<'_>, place: &str, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    if said.kind() != Kind::Array {
        out.value(said);
        return Ok(());
    }
    let mut blocks = said.elements().filter(|block| !is(*block, "tool_result"));
    if let (Some(only), None) = (blocks.next(), blocks.next()) {
        let plain = is(only, "text") && only.fields().all(|(key, value)| is_plain(key, value));
        if let Some(text) = only.get("text").filter(|text| plain && text.kind() == Kind::String) {
            out.value(text);
            return Ok(());
        }
    }
    out.open_array();
    for block in said.elements().filter(|block| !is(*block, "tool_result")) {
        part(block, place, out, loss)?;
    }
    out.close_array();
    Ok(())
}

fn is_plain(key: Value<'_>, value: Value<'_>) -> bool {
    key.str_eq("type") || key.str_eq("text") || value.is_null()
}

/// A block that may stand in any content, as a part.
pub(super) fn part(block: Value<'_>, place: &str, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    if block.kind() != Kind::Object {
        return Err(invalid(
            format!("{place}.content"),
            format!("'{place}.content' must hold blocks, which are objects."),
        ));
    }
    let kind = block.get("type").and_then(Value::as_str).unwrap_or_default();
    match &*kind {
        "text" => {
            let text = block.get("text").filter(|text| text.kind() == Kind::String);
            let text = text.ok_or_else(|| missing(&format!("{place}.content.text.text")))?;
            if block.get("citations").is_some_and(|citations| citations.elements().next().is_some()) {
                loss.add(Change::Dropped, "messages[].content[].citations", "of an earlier answer");
            }
            out.open_object().text_member("type", "text").key("text").value(text);
        }
        "image" => image(block, place, out, loss)?,
        "document" => document(block, place, out, loss)?,
        "search_result" => search_result(block, out, loss),
        "" => return Err(missing(&format!("{place}.content.type"))),
        other => {
            loss.add(Change::Dropped, format!("messages[].content[].{other}"), "no other dialect has it");
            return Ok(());
        }
    }
    out.member("cache_control", block.get("cache_control")).close_object();
    report_unknown(block, &kind, loss);
    Ok(())
}

pub(super) fn is(block: Value<'_>, kind: &str) -> bool {
    block.kind() == Kind::Object && block.get("type").is_some_and(|own| own.str_eq(kind))
}
