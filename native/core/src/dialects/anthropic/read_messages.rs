//! A caller's messages in the neutral form: each turn may become several messages, because the results of tools are
//! messages of their own there.

use super::read_request::{invalid, missing};
use crate::dialects::{Change, Dialect, Loss};
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

/// All turns.
pub(super) fn read_messages(messages: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    for (at, message) in messages.elements().enumerate() {
        let place = format!("messages.{at}");
        if message.kind() != Kind::Object {
            return Err(invalid(&*place, format!("'{place}' must be an object.")));
        }
        let said = message.get("content").filter(|content| !content.is_null());
        let said = said.ok_or_else(|| missing(&format!("{place}.content")))?;
        if !matches!(said.kind(), Kind::String | Kind::Array) {
            return Err(invalid(&*place, format!("'{place}.content' must be a string or an array of blocks.")));
        }
        match message.get("role") {
            Some(role) if role.str_eq("user") => user(said, &place, out, loss)?,
            Some(role) if role.str_eq("assistant") => assistant(said, &place, out, loss)?,
            Some(role) if role.str_eq("system") => {
                out.open_object().text_member("role", "system").key("content");
                content(said, &place, out, loss)?;
                out.close_object();
            }
            _ => return Err(invalid(format!("{place}.role"), format!("'{place}.role' must be user or assistant."))),
        }
    }
    Ok(())
}

/// A user's turn: the results of tools first, which is where they stand here too, then what the user says.
fn user(said: Value<'_>, place: &str, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    let mut rest = 0;
    for block in said.elements() {
        if is(block, "tool_result") {
            tool_result(block, place, out, loss)?;
        } else {
            rest += 1;
        }
    }
    if rest > 0 || said.kind() == Kind::String {
        out.open_object().text_member("role", "user").key("content");
        content(said, place, out, loss)?;
        out.close_object();
    }
    Ok(())
}

fn tool_result(block: Value<'_>, place: &str, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    let id = block.get("tool_use_id").filter(|id| id.kind() == Kind::String);
    let id = id.ok_or_else(|| missing(&format!("{place}.content.tool_result.tool_use_id")))?;
    out.open_object().text_member("role", "tool").key("tool_call_id").value(id).key("content");
    match block.get("content").filter(|content| !content.is_null()) {
        Some(said) => content(said, place, out, loss)?,
        None => {
            out.string("");
        }
    }
    if block.get("is_error").and_then(Value::as_bool) == Some(true) {
        out.key("is_error").boolean(true);
    }
    out.member("cache_control", block.get("cache_control")).close_object();
    Ok(())
}

/// An assistant's turn: one message with its thoughts, its words and its calls.
fn assistant(said: Value<'_>, place: &str, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    let of = |kind: &'static str| said.elements().filter(move |block| is(*block, kind));
    out.open_object().text_member("role", "assistant");
    let words = of("text").next().is_some() || said.kind() == Kind::String;
    out.key("content");
    if words {
        content(said, place, out, loss)?;
    } else {
        out.null();
    }
    let thinking: String =
        of("thinking").filter_map(|block| block.get("thinking")?.as_str().map(String::from)).collect();
    if !thinking.is_empty() {
        out.text_member("reasoning_content", &thinking);
    }
    if of("thinking").chain(of("redacted_thinking")).next().is_some() {
        out.key("thoughts").open_array();
        for block in said.elements() {
            thought(block, out);
        }
        out.close_array();
    }
    if of("tool_use").next().is_some() {
        out.key("tool_calls").open_array();
        for block in of("tool_use") {
            call(block, place, out)?;
        }
        out.close_array();
    }
    for block in said.elements() {
        let kind = block.get("type").and_then(Value::as_str).unwrap_or_default();
        if !matches!(&*kind, "text" | "thinking" | "redacted_thinking" | "tool_use") {
            loss.add(Change::Dropped, format!("messages[].content[].{kind}"), "no other dialect has it");
        }
    }
    out.close_object();
    Ok(())
}

/// Thoughts with what signs them, for their origin alone.
fn thought(block: Value<'_>, out: &mut Writer) {
    let origin = Dialect::Anthropic.as_str();
    if is(block, "thinking") {
        out.open_object().text_member("origin", origin).text_member("type", "signature");
        out.member("thinking", block.get("thinking")).member("signature", block.get("signature")).close_object();
    } else if is(block, "redacted_thinking") {
        out.open_object().text_member("origin", origin).text_member("type", "redacted");
        out.member("data", block.get("data")).close_object();
    }
}

fn call(block: Value<'_>, place: &str, out: &mut Writer) -> Result<(), Failure> {
    let text = |name: &str| {
        let value = block.get(name).filter(|value| value.kind() == Kind::String);
        value.ok_or_else(|| missing(&format!("{place}.content.tool_use.{name}")))
    };
    out.open_object().key("id").value(text("id")?).text_member("type", "function").key("function").open_object();
    out.key("name").value(text("name")?);
    let input = block.get("input").filter(|input| input.kind() == Kind::Object);
    let input = input.map_or("{}".into(), |input| String::from_utf8_lossy(input.raw()));
    out.text_member("arguments", &input);
    out.close_object().member("cache_control", block.get("cache_control")).close_object();
    Ok(())
}

/// What may stand in any content: text, pictures, documents. One plain text is a string.
fn content(said: Value<'_>, place: &str, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    if said.kind() != Kind::Array {
        out.value(said);
        return Ok(());
    }
    let mut texts = said.elements().filter(|block| is_content(*block));
    if let (Some(only), None) = (texts.next(), texts.next()) {
        let plain = is(only, "text") && only.fields().all(|(key, value)| is_plain(key, value));
        if let Some(text) = only.get("text").filter(|text| plain && text.kind() == Kind::String) {
            out.value(text);
            return Ok(());
        }
    }
    out.open_array();
    for block in said.elements().filter(|block| is_content(*block)) {
        part(block, place, out, loss)?;
    }
    out.close_array();
    Ok(())
}

fn is_plain(key: Value<'_>, value: Value<'_>) -> bool {
    key.str_eq("type") || key.str_eq("text") || value.is_null()
}

/// Not one of those that are told elsewhere.
fn is_content(block: Value<'_>) -> bool {
    !["tool_result", "tool_use", "thinking", "redacted_thinking"].into_iter().any(|kind| is(block, kind))
}

fn part(block: Value<'_>, place: &str, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
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
        "image" => super::read_parts::image(block, place, out)?,
        "document" => super::read_parts::document(block, place, out, loss)?,
        "search_result" => super::read_parts::search_result(block, out, loss),
        "" => return Err(missing(&format!("{place}.content.type"))),
        other => {
            loss.add(Change::Dropped, format!("messages[].content[].{other}"), "no other dialect has it");
            return Ok(());
        }
    }
    out.member("cache_control", block.get("cache_control")).close_object();
    Ok(())
}

pub(super) fn is(block: Value<'_>, kind: &str) -> bool {
    block.kind() == Kind::Object && block.get("type").is_some_and(|own| own.str_eq(kind))
}
