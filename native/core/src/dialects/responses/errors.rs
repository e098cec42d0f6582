//! Errors, both ways. The body is that of all of OpenAI's endpoints; a stream has codes of its own.

use crate::dialects::openai::answer::error_message;
use crate::error::{Code, Failure, Fault};
use crate::json::{validate, Kind, Limits};

/// The words of an upstream's error body: `{"error":{"message":…}}`, and FastAPI's `{"detail":…}`, which servers answer
/// before their own code runs.
pub(super) fn error_words(body: &[u8]) -> Option<String> {
    let value = validate(body, Limits::default()).ok().filter(|value| value.kind() == Kind::Object)?;
    let member = |name: &str| value.get(name).filter(|value| !value.is_null());
    let words = match (member("error"), member("detail"), member("message")) {
        (Some(error), ..) => error_message(error),
        (None, Some(words), _) | (None, None, Some(words)) => error_message(words),
        _ => return None,
    };
    Some(words).filter(|words| !words.is_empty())
}

/// `response.error.code` of a stream that is broken off: of the words that OpenAI has for it, the one that lets clients
/// do the right thing.
pub(super) fn stream_code(failure: &Failure) -> &'static str {
    match (failure.code, failure.code.fault()) {
        (Code::RateLimited | Code::ConcurrencyLimited | Code::BudgetExceeded | Code::UpstreamRateLimited, _) => {
            "rate_limit_exceeded"
        }
        (_, Fault::Caller) => "invalid_prompt",
        _ => "server_error",
    }
}
