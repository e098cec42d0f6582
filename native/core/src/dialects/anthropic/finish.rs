//! Why an answer ended, both ways.

/// OpenAI's word for a `stop_reason`. `pause_turn` ends a turn that may be gone on with: nothing was cut off. A reason that
/// nobody knows stays as it is, so that the answer does not pass for one that ended well.
pub(super) fn reason_of(said: &str) -> &str {
    match said {
        "end_turn" | "stop_sequence" | "pause_turn" => "stop",
        "max_tokens" | "model_context_window_exceeded" => "length",
        "tool_use" => "tool_calls",
        "refusal" => "content_filter",
        other => other,
    }
}

/// Anthropic's word for an OpenAI reason. `stopped`: one of the caller's sequences ended it; `declined`: the model said that
/// it will not, which OpenAI ends as it ends any answer.
pub(super) fn stop_reason(reason: &str, stopped: bool, declined: bool) -> &'static str {
    match reason {
        "length" => "max_tokens",
        "tool_calls" | "function_call" => "tool_use",
        "content_filter" => "refusal",
        _ if declined => "refusal",
        _ if stopped => "stop_sequence",
        _ => "end_turn",
    }
}
