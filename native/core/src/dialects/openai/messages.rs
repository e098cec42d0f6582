//! Checks `messages`: each an object with a role, its content text or parts.

use super::fields::wrong_type;
use super::request::{Bound, Unbounded};
use crate::error::{Code, Failure};
use crate::json::{Kind, Value};

/// Input tokens that one image can cost at most: 2,833 + 5,667 × 8 tiles, the dearest row of OpenAI's image table
/// (gpt-4o-mini, high detail). Images of other models cost less.
const IMAGE_BOUND: u64 = 48_169;

/// Checks every message and weighs its parts.
pub(super) fn check(messages: Value<'_>, bound: &mut Bound) -> Result<(), Failure> {
    if messages.kind() != Kind::Array {
        return Err(wrong_type("messages", "an array of messages", messages));
    }
    let mut count = 0;
    for (at, message) in messages.elements().enumerate() {
        count += 1;
        check_message(at, message, bound)?;
    }
    if count == 0 {
        return Err(Failure::new(Code::InvalidValue, "'messages' is empty: send at least one.").param("messages"));
    }
    Ok(())
}

fn check_message(at: usize, message: Value<'_>, bound: &mut Bound) -> Result<(), Failure> {
    if message.kind() != Kind::Object {
        return Err(wrong_type(&format!("messages[{at}]"), "an object", message));
    }
    let (mut role, mut content) = (None, None);
    for (key, value) in message.fields() {
        if key.str_eq("role") {
            role = Some(value);
        } else if key.str_eq("content") {
            content = Some(value);
        } else if key.str_eq("audio") && !value.is_null() {
            // An earlier answer's audio, by its id.
            bound.audio = true;
            bound.unbounded = in_messages("audio");
        }
    }
    match role {
        None => {
            let name = format!("messages[{at}].role");
            Err(Failure::new(Code::MissingField, format!("Missing required parameter: '{name}'.")).param(name))
        }
        Some(role) if role.kind() != Kind::String => Err(wrong_type(&format!("messages[{at}].role"), "a string", role)),
        Some(_) => check_content(at, content, bound),
    }
}

fn check_content(at: usize, content: Option<Value<'_>>, bound: &mut Bound) -> Result<(), Failure> {
    let Some(content) = content else { return Ok(()) };
    match content.kind() {
        Kind::String | Kind::Null => Ok(()),
        Kind::Array => content.elements().enumerate().try_for_each(|(part_at, part)| {
            let name = || format!("messages[{at}].content[{part_at}]");
            if part.kind() != Kind::Object {
                return Err(wrong_type(&name(), "an object", part));
            }
            match part.get("type").and_then(|kind| kind.as_str()) {
                None => {
                    Err(Failure::new(Code::MissingField, format!("Missing required parameter: '{}.type'.", name()))
                        .param(format!("{}.type", name())))
                }
                Some(kind) => {
                    weigh_part(&kind, bound);
                    Ok(())
                }
            }
        }),
        _ => Err(wrong_type(&format!("messages[{at}].content"), "a string or an array of parts", content)),
    }
}

fn weigh_part(kind: &str, bound: &mut Bound) {
    match kind {
        "text" | "refusal" => {}
        "image_url" => {
            bound.images = true;
            bound.tokens = bound.tokens.saturating_add(IMAGE_BOUND);
        }
        "input_audio" => {
            bound.audio = true;
            bound.unbounded = in_messages("audio");
        }
        "file" => bound.unbounded = in_messages("a file"),
        _ => bound.unbounded = in_messages("a part of an unknown type"),
    }
}

fn in_messages(what: &'static str) -> Option<Unbounded> {
    Some(Unbounded { param: "messages", what })
}
