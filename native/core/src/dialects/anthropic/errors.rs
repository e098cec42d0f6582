//! Errors in Anthropic's shape: `{"type":"error","error":{"type","message"}}`, with hoosh's stable `code` and the field
//! concerned beside.

use super::read_request::THREAD_FIELD;
use super::thread::PREVIOUS_FIELD;
use crate::error::{Code, Failure};
use crate::json::{Index, Kind, Limits, Value, Writer};

/// Most letters of an upstream's words.
const MOST: usize = 2048;

/// The body for a failure.
pub(super) fn error_body(failure: &Failure) -> Vec<u8> {
    let mut out = Writer::with_capacity(160 + failure.message.len());
    out.open_object().text_member("type", "error").key("error").open_object();
    out.text_member("type", kind_of(failure)).text_member("message", &failure.message);
    out.text_member("code", failure.code.as_str());
    if let Some(param) = &failure.param {
        out.text_member("param", param);
    }
    if failure.code == Code::UnsupportedByModel && failure.param.as_deref() == Some(THREAD_FIELD) {
        // By this Anthropic's SDK goes on without a thread (anthropic-sdk-python 2.14, `lib/threads/_thread_state.py`,
        // `recovers_from`).
        out.key("details").open_object().text_member("error_code", "thread_unsupported_request");
        out.key("unsupported").open_array().string(THREAD_FIELD);
        out.close_array().close_object();
    }
    if failure.param.as_deref() == Some(PREVIOUS_FIELD) {
        // (`types/thread_not_found_error_details.py`)
        out.key("details").open_object().text_member("error_code", "thread_not_found").close_object();
    }
    out.close_object().close_object();
    out.into_bytes()
}

/// By status, as Anthropic's documentation has it (<https://docs.anthropic.com/en/api/errors>).
fn kind_of(failure: &Failure) -> &'static str {
    match failure.status() {
        _ if failure.code == Code::Overloaded => "overloaded_error",
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        503 | 529 => "overloaded_error",
        504 => "timeout_error",
        _ => "api_error",
    }
}

/// The words of an upstream's error body.
pub(super) fn error_words(body: &[u8]) -> Option<String> {
    let index = Index::scan(body, Limits::default()).ok()?;
    let error = index.get(body, "error").filter(|error| error.kind() == Kind::Object)?;
    words_of(error)
}

/// The words of an `error` object.
pub(super) fn words_of(error: Value<'_>) -> Option<String> {
    let words = error.get("message").and_then(Value::as_str)?;
    Some(words.chars().take(MOST).collect())
}
