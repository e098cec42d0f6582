//! Why an answer ended: `done_reason`, and OpenAI's words.

/// OpenAI's word. Ollama ends a turn with calls by `stop`, and one that asked nothing by `load` or `unload`.
pub(super) fn reason_of(done_reason: &str, has_calls: bool) -> &'static str {
    match done_reason {
        "length" => "length",
        "content_filter" => "content_filter",
        _ if has_calls => "tool_calls",
        _ => "stop",
    }
}

/// Ollama's word. It has none for what was filtered: rather than call that a stop, OpenAI's stays.
pub(super) fn done_reason_of(reason: &str) -> &'static str {
    match reason {
        "length" => "length",
        "content_filter" => "content_filter",
        _ => "stop",
    }
}
