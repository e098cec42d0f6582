//! Why an answer ended, both ways.
//!
//! | Neutral | `status` | `incomplete_details.reason` |
//! | --- | --- | --- |
//! | `stop`, `tool_calls` | `completed` | |
//! | `length` | `incomplete` | `max_output_tokens` |
//! | `content_filter` | `incomplete` | `content_filter` |

use super::refuse::present;
use crate::dialects::openai::answer::error_message;
use crate::json::Value;

/// How an upstream's answer ended.
pub(super) enum End {
    /// With an answer; the neutral reason.
    Finished(&'static str),
    /// Not yet: it is made in the background.
    Later,
    /// With an error, in its words.
    Failed(String),
}

/// The end of a whole response; `called` if it calls tools.
pub(super) fn end_of(response: Value<'_>, called: bool) -> End {
    let status = present(response, "status").and_then(Value::as_str);
    let by_itself = if called { "tool_calls" } else { "stop" };
    match status.as_deref() {
        None | Some("completed") => End::Finished(by_itself),
        Some("incomplete") => {
            let reason = response.get("incomplete_details").and_then(|details| details.get("reason"));
            match reason.and_then(Value::as_str).as_deref() {
                Some("max_output_tokens") => End::Finished("length"),
                Some("content_filter") => End::Finished("content_filter"),
                _ => End::Finished(by_itself),
            }
        }
        Some("queued" | "in_progress") => End::Later,
        Some(other) => match present(response, "error").map(error_message).filter(|words| !words.is_empty()) {
            Some(words) => End::Failed(words),
            None => End::Failed(format!("the response is {}", other.chars().take(32).collect::<String>())),
        },
    }
}

/// `status`, and the reason where it is incomplete.
pub(super) fn status_of(reason: &str) -> (&'static str, Option<&'static str>) {
    match reason {
        "length" => ("incomplete", Some("max_output_tokens")),
        "content_filter" => ("incomplete", Some("content_filter")),
        _ => ("completed", None),
    }
}
