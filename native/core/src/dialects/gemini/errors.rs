//! Error bodies, both ways: `{"error":{"code","message","status","details"}}` with the types of `google.rpc`.

use bytes::Bytes;

use super::names::{self, get};
use crate::error::Failure;
use crate::json::{self, Kind, Value, Writer};

/// Longest words of an upstream, characters.
const MOST_WORDS: usize = 512;

/// The word of `google.rpc.Code` for an HTTP status (google/rpc/code.proto names the pairs).
const fn word(status: u16) -> &'static str {
    match status {
        408 => "DEADLINE_EXCEEDED",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        501 => "UNIMPLEMENTED",
        400..=498 => "INVALID_ARGUMENT",
        502 | 503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "INTERNAL",
    }
}

/// The body of an error.
pub(super) fn body(failure: &Failure) -> Bytes {
    let mut json = Writer::with_capacity(256 + failure.message.len());
    write(&mut json, failure);
    Bytes::from(json.into_bytes())
}

/// The same into a text that is being written. The clients tell an error in a stream by `{"error":` at its start.
pub(super) fn write(json: &mut Writer, failure: &Failure) {
    let status = failure.status();
    json.open_object().key("error").open_object();
    json.key("code").integer(u64::from(status)).text_member("message", &failure.message);
    json.text_member("status", word(status)).key("details").open_array();
    json.open_object().text_member("@type", "type.googleapis.com/google.rpc.ErrorInfo");
    json.text_member("reason", failure.code.as_str()).text_member("domain", "hoosh").close_object();
    if let Some(param) = &failure.param {
        json.open_object().text_member("@type", "type.googleapis.com/google.rpc.BadRequest");
        json.key("fieldViolations").open_array().open_object().text_member("field", param);
        json.text_member("description", &failure.message).close_object().close_array().close_object();
    }
    if let Some(seconds) = failure.retry_after_secs {
        json.open_object().text_member("@type", "type.googleapis.com/google.rpc.RetryInfo");
        json.text_member("retryDelay", &format!("{seconds}s")).close_object();
    }
    json.close_array().close_object().close_object();
}

/// The words of an error body: an object, or an array that holds one, as streams without `alt=sse` have it.
pub(super) fn words(body: &[u8]) -> Option<String> {
    let value = json::validate(body, json::Limits::default()).ok()?;
    let value = if value.kind() == Kind::Array { value.elements().next()? } else { value };
    get(value, "error").map(of)
}

/// The words of an `error` member.
pub(super) fn of(error: Value<'_>) -> String {
    let words = match error.kind() {
        Kind::String => error.as_str(),
        _ => names::text(error, "message").filter(|words| !words.is_empty()).or_else(|| names::text(error, "status")),
    };
    words.unwrap_or_default().chars().take(MOST_WORDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn a_failure_is_told_as_google_tells_it() {
        let failure = Failure::new(Code::RateLimited, "Slow \"down\".").param("contents").retry_after(3);
        let body: serde_json::Value = serde_json::from_slice(&body(&failure)).unwrap();
        assert_eq!(body["error"]["code"], 429);
        assert_eq!(body["error"]["status"], "RESOURCE_EXHAUSTED");
        assert_eq!(body["error"]["message"], "Slow \"down\".");
        assert_eq!(body["error"]["details"][0]["reason"], "rate_limit_exceeded");
        assert_eq!(body["error"]["details"][1]["fieldViolations"][0]["field"], "contents");
        assert_eq!(body["error"]["details"][2]["retryDelay"], "3s");
    }

    #[test]
    fn every_code_has_a_word_and_is_read_again() {
        for code in Code::ALL {
            let failure = Failure::new(*code, "words");
            assert_eq!(words(&body(&failure)).as_deref(), Some("words"), "{code:?}");
        }
        assert_eq!(words(br#"[{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}]"#).unwrap(), "busy");
        assert_eq!(words(b"<html>"), None);
        assert_eq!(words(b"{}"), None);
    }
}
