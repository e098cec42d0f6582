//! `instructions` and `input` of a caller as neutral messages.

use std::fmt::Arguments;

use super::fields::pick;
use super::read_content::{read_content, read_output};
use super::refuse::{as_text, missing, of_kind, present, refused, wrong_type, wrong_value};
use super::turn::Turn;
use crate::dialects::{Change, Loss};
use crate::error::Failure;
use crate::json::{Kind, Value, Writer};

/// Writes `messages`.
pub(super) fn read_messages(
    out: &mut Writer,
    instructions: Option<Value<'_>>,
    input: Option<Value<'_>>,
    loss: &mut Loss,
) -> Result<(), Failure> {
    out.key("messages").open_array();
    match instructions {
        Some(text) if text.kind() == Kind::String => {
            out.open_object().text_member("role", "system").key("content").value(text).close_object();
        }
        // As responses give them back: a list of items.
        Some(items) => read_items(out, of_kind("instructions", Kind::Array, items)?, "instructions", loss)?,
        None => {}
    }
    match input {
        // The provider holds it, and no neutral request is without a message.
        None => empty_turn(out),
        Some(text) if text.kind() == Kind::String => {
            out.open_object().text_member("role", "user").key("content").value(text).close_object();
        }
        Some(items) if items.kind() == Kind::Array => {
            if items.elements().next().is_none() && instructions.is_none() {
                return Err(refused("input", "'input' is empty: send a text or at least one item."));
            }
            read_items(out, items, "input", loss)?;
        }
        Some(other) => return Err(wrong_type("input", "a string or an array of items", other)),
    }
    out.close_array();
    Ok(())
}

fn empty_turn(out: &mut Writer) {
    out.open_object().text_member("role", "user").text_member("content", "").close_object();
}

fn read_items(out: &mut Writer, items: Value<'_>, field: &str, loss: &mut Loss) -> Result<(), Failure> {
    let mut turn = Turn::default();
    for (at, item) in items.elements().enumerate() {
        read_item(out, &mut turn, item, format_args!("{field}[{at}]"), loss)?;
    }
    turn.write(out);
    Ok(())
}

fn read_item<'a>(
    out: &mut Writer,
    turn: &mut Turn<'a>,
    item: Value<'a>,
    place: Arguments<'_>,
    loss: &mut Loss,
) -> Result<(), Failure> {
    of_kind(place, Kind::Object, item)?;
    let kind = present(item, "type");
    if let Some(kind) = kind.filter(|kind| kind.kind() != Kind::String) {
        return Err(wrong_type(&format!("{place}.type"), "a string", kind));
    }
    let is = |word: &str| kind.is_some_and(|kind| kind.str_eq(word));
    if is("message") || kind.is_none() && item.get("role").is_some() {
        read_message(out, turn, item, place, loss)
    } else if is("function_call") || is("custom_tool_call") {
        turn.call(item, is("custom_tool_call"), place, loss)
    } else if is("function_call_output") || is("custom_tool_call_output") {
        turn.write(out);
        read_result(out, item, place, loss)
    } else if is("reasoning") {
        if turn.is_over() && !Turn::is_afterthought(item) {
            turn.write(out);
        }
        turn.think(item);
        Ok(())
    } else if is("item_reference") || kind.is_none() && item.get("id").is_some() {
        let words = format!("'{place}' refers to an item that is not kept here, and no provider that serves this model here speaks Responses: send the item itself.");
        loss.bar(refused(&format!("{place}.id"), &words));
        turn.write(out);
        empty_turn(out);
        Ok(())
    } else if kind.is_some() {
        turn.item(item);
        Ok(())
    } else {
        Err(missing(&format!("{place}.type")))
    }
}

/// Where items are, in reports.
const ITEMS: &str = "input[].";

fn read_message<'a>(
    out: &mut Writer,
    turn: &mut Turn<'a>,
    item: Value<'a>,
    place: Arguments<'_>,
    loss: &mut Loss,
) -> Result<(), Failure> {
    let names = ["role", "content", "type", "id", "status", "phase"];
    let [role, content, _, _, _, phase] = pick(item, names, ITEMS, loss);
    let role = as_text(role, "role", place)?;
    let content = content.ok_or_else(|| missing(&format!("{place}.content")))?;
    if phase.is_some() {
        loss.add(Change::Dropped, "input[].phase", "no place for it");
    }
    if role.str_eq("assistant") {
        if turn.is_over() {
            turn.write(out);
        }
        return turn.say(content, format_args!("{place}.content"), loss);
    }
    turn.write(out);
    if !["user", "system", "developer"].into_iter().any(|word| role.str_eq(word)) {
        let known = "one of 'user', 'assistant', 'system' and 'developer'";
        return Err(wrong_value(&format!("{place}.role"), known, role));
    }
    out.open_object().key("role").value(role).key("content");
    read_content(out, content, format_args!("{place}.content"), loss)?;
    out.close_object();
    Ok(())
}

fn read_result(out: &mut Writer, item: Value<'_>, place: Arguments<'_>, loss: &mut Loss) -> Result<(), Failure> {
    // Which tool it was is known by the call.
    let names = ["call_id", "output", "type", "id", "status", "name", "namespace"];
    let [id, output, _, _, status, ..] = pick(item, names, ITEMS, loss);
    let id = as_text(id, "call_id", place)?;
    let output = output.ok_or_else(|| missing(&format!("{place}.output")))?;
    if status.is_some_and(|status| status.str_eq("incomplete")) {
        loss.add(Change::Dropped, "input[].status", "of a result that is incomplete");
    }
    out.open_object().text_member("role", "tool").key("tool_call_id").value(id).key("content");
    read_output(out, output, format_args!("{place}.output"), loss)?;
    out.close_object();
    Ok(())
}
