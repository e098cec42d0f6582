//! What is wrong with a request, in words that say where. A place (`input[0].content`) is written only where it is told.

use std::fmt::Display;

use crate::error::{Code, Failure};
use crate::json::{Kind, Value};

/// Bytes of a caller's value that are told back.
const TOLD: usize = 32;

/// The field at `param` is missing.
pub(super) fn missing(param: &str) -> Failure {
    Failure::new(Code::MissingField, format!("Missing required parameter: '{param}'.")).param(param)
}

/// The field at `param` is not `wanted` (`a string`).
pub(super) fn wrong_type(param: &str, wanted: &str, got: Value<'_>) -> Failure {
    let got = match got.kind() {
        Kind::Null => "null",
        Kind::True | Kind::False => "a boolean",
        Kind::Number => "a number",
        Kind::String => "a string",
        Kind::Array => "an array",
        Kind::Object => "an object",
    };
    Failure::new(Code::InvalidValue, format!("'{param}' must be {wanted}, not {got}.")).param(param)
}

/// The field at `param` has a value that is not among those `wanted`.
pub(super) fn wrong_value(param: &str, wanted: &str, got: Value<'_>) -> Failure {
    let got: String = String::from_utf8_lossy(got.raw()).chars().take(TOLD).collect();
    Failure::new(Code::InvalidValue, format!("'{param}' must be {wanted}, not {got}.")).param(param)
}

/// What the field at `param` asks for is not to be had, for a reason.
pub(super) fn refused(param: &str, words: &str) -> Failure {
    Failure::new(Code::InvalidValue, words).param(param)
}

/// A boolean.
pub(super) fn boolean(param: &str, value: Value<'_>) -> Result<bool, Failure> {
    value.as_bool().ok_or_else(|| wrong_type(param, "true or false", value))
}

/// A number within bounds.
pub(super) fn number<'a>(param: &str, low: f64, high: f64, value: Value<'a>) -> Result<Value<'a>, Failure> {
    let number = value.as_f64().ok_or_else(|| wrong_type(param, "a number", value))?;
    if (low..=high).contains(&number) {
        return Ok(value);
    }
    Err(wrong_value(param, &format!("from {low} to {high}"), value))
}

/// A whole number within bounds.
pub(super) fn integer(param: &str, low: u64, high: u64, value: Value<'_>) -> Result<u64, Failure> {
    if value.kind() != Kind::Number {
        return Err(wrong_type(param, "an integer", value));
    }
    let number = value.as_u64().filter(|number| (low..=high).contains(number));
    number.ok_or_else(|| wrong_value(param, &format!("an integer from {low} to {high}"), value))
}

/// A value of one kind.
pub(super) fn of_kind<'a>(param: impl Display, kind: Kind, value: Value<'a>) -> Result<Value<'a>, Failure> {
    if value.kind() == kind {
        return Ok(value);
    }
    let wanted = match kind {
        Kind::String => "a string",
        Kind::Array => "an array",
        Kind::Object => "an object",
        _ => "of another type",
    };
    Err(wrong_type(&param.to_string(), wanted, value))
}

/// A member of `object` at `place` (`input[0]`) that must be a string.
pub(super) fn text_of<'a>(object: Value<'a>, name: &str, place: impl Display) -> Result<Value<'a>, Failure> {
    as_text(present(object, name), name, place)
}

/// The same of a member that is found already.
pub(super) fn as_text<'a>(found: Option<Value<'a>>, name: &str, place: impl Display) -> Result<Value<'a>, Failure> {
    match found {
        None => Err(missing(&format!("{place}.{name}"))),
        Some(value) if value.kind() == Kind::String => Ok(value),
        Some(value) => Err(wrong_type(&format!("{place}.{name}"), "a string", value)),
    }
}

/// A member that is there and not null.
pub(super) fn present<'a>(object: Value<'a>, name: &str) -> Option<Value<'a>> {
    object.get(name).filter(|value| !value.is_null())
}
