//! Error bodies: `{"error":"..."}`, whole and as a line of a stream.

use crate::error::{Code, Failure};
use crate::json::{Index, Kind, Limits, Value, Writer};

/// See [`crate::dialects::Protocol::error_body`].
pub(super) fn error_body(failure: &Failure) -> Vec<u8> {
    let mut out = Writer::with_capacity(failure.message.len() + 16);
    out.open_object().text_member("error", &failure.message).close_object();
    out.into_bytes()
}

/// See [`crate::dialects::Protocol::error_words`].
pub(super) fn error_words(body: &[u8]) -> Option<String> {
    let index = Index::scan(body, Limits::default()).ok()?;
    words_of(index.get(body, "error")?)
}

/// The words of an `error`: text, or an object with a message, as its runners and the proxies before it write it.
pub(super) fn words_of(error: Value<'_>) -> Option<String> {
    match error.kind() {
        Kind::String => error.as_str().map(String::from),
        Kind::Object => error.get("message").and_then(Value::as_str).map(String::from),
        _ => None,
    }
}

pub(super) fn missing(name: &str) -> Failure {
    Failure::new(Code::MissingField, format!("{name} is required")).param(name)
}

pub(super) fn invalid(param: impl Into<String>, words: impl Into<String>) -> Failure {
    Failure::new(Code::InvalidValue, words).param(param)
}
