//! Why a choice ended, both ways.
//!
//! | Gemini | neutral |
//! | --- | --- |
//! | `STOP`, `NO_IMAGE` | `stop`; `tool_calls` where the choice holds calls |
//! | `MAX_TOKENS`, `CONTINUATION` | `length` |
//! | `MALFORMED_FUNCTION_CALL`, `UNEXPECTED_TOOL_CALL`, `TOO_MANY_TOOL_CALLS`, `MISSING_THOUGHT_SIGNATURE`, `MALFORMED_RESPONSE` | an error: the answer is none |
//! | all others, those of tomorrow too | `content_filter`: the model did not end by itself |

/// What a `finishReason` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    /// Nothing yet.
    Open,
    /// Ended, for a reason of OpenAI's.
    Ended(&'static str),
    /// The model's words make no answer.
    Broken,
}

/// Reads `finishReason`.
pub(super) fn read(reason: &str) -> Finish {
    match reason {
        "" | "FINISH_REASON_UNSPECIFIED" => Finish::Open,
        "STOP" | "NO_IMAGE" => Finish::Ended("stop"),
        "MAX_TOKENS" | "CONTINUATION" => Finish::Ended("length"),
        "MALFORMED_FUNCTION_CALL"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "MISSING_THOUGHT_SIGNATURE"
        | "MALFORMED_RESPONSE" => Finish::Broken,
        _ => Finish::Ended("content_filter"),
    }
}

/// Writes `finishReason`. A model that declined in words of its own was stopped for safety's sake.
pub(super) fn write(reason: &str, refused: bool) -> &'static str {
    match reason {
        _ if refused => "SAFETY",
        "stop" | "tool_calls" | "function_call" => "STOP",
        "length" => "MAX_TOKENS",
        "content_filter" => "SAFETY",
        _ => "OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_it_was() {
        for reason in ["stop", "length", "content_filter"] {
            assert_eq!(read(write(reason, false)), Finish::Ended(reason));
        }
        assert_eq!(write("tool_calls", false), "STOP");
        assert_eq!(read("OF_TOMORROW"), Finish::Ended("content_filter"));
        assert_eq!(read("MALFORMED_FUNCTION_CALL"), Finish::Broken);
    }
}
