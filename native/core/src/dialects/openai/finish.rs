//! Why a choice ended, in OpenAI's words: providers that speak the protocol have others too.

/// OpenAI's word for an upstream's reason. With `calls`, an answer that stopped did so for them: several servers call
/// that `stop` too (Gemini's and Ollama's OpenAI interfaces among them), on which agents would not run the tools. A reason
/// that nobody knows stays as it is, so that the answer does not pass for one that ended well.
pub(super) fn reason_of(said: &str, calls: bool) -> &str {
    match said {
        "stop" if calls => "tool_calls",
        // The older form of a call; Anthropic's words, which gateways leave in.
        "function_call" | "tool_use" => "tool_calls",
        // Text Generation Inference, Together, older servers.
        "eos_token" | "eos" | "stop_sequence" | "end_turn" if calls => "tool_calls",
        "eos_token" | "eos" | "stop_sequence" | "end_turn" => "stop",
        // Mistral; Anthropic's word.
        "model_length" | "max_tokens" => "length",
        // Zhipu; Google.
        "sensitive" | "safety" | "SAFETY" => "content_filter",
        other => other,
    }
}

/// The reason of a choice that ended without one, in a stream that says it is complete.
pub(super) fn implied(calls: bool) -> &'static str {
    if calls {
        "tool_calls"
    } else {
        "stop"
    }
}

/// Whether a `stop_reason` is a reason in words, as gateways write it, and not the sequence that ended the choice.
pub(super) fn is_word(said: &str) -> bool {
    matches!(said, "stop" | "length" | "tool_calls" | "content_filter") || reason_of(said, false) != said
}
