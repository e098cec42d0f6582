//! The fields of a request, and what becomes of each where the upstream speaks another dialect. The tables of the
//! documentation are made of these.

use crate::dialects::Places;

/// Fields of a chat request, an embeddings request and a completions request: (its field, that of the neutral request or
/// nothing, a note).
pub const REQUEST_FIELDS: &[(&str, &str, &str)] = &[
    ("model", "model", ""),
    ("messages", "messages", ""),
    ("stream", "stream", ""),
    ("stream_options", "stream_options", ""),
    ("temperature", "temperature", ""),
    ("top_p", "top_p", ""),
    ("top_k", "top_k", "vLLM's, llama.cpp's and others'"),
    ("min_p", "min_p", "vLLM's, llama.cpp's and others'"),
    ("n", "n", ""),
    ("stop", "stop", ""),
    ("max_tokens", "max_tokens", ""),
    ("max_completion_tokens", "max_completion_tokens", ""),
    ("presence_penalty", "presence_penalty", ""),
    ("frequency_penalty", "frequency_penalty", ""),
    ("logit_bias", "logit_bias", ""),
    ("logprobs", "logprobs", ""),
    ("top_logprobs", "top_logprobs", ""),
    ("seed", "seed", ""),
    ("tools", "tools", "of other types than `function` and `custom`: as `native`"),
    ("tool_choice", "tool_choice", ""),
    ("parallel_tool_calls", "parallel_tool_calls", ""),
    ("functions", "tools", "the older form; the answer has `tool_calls`"),
    ("function_call", "tool_choice", "the older form"),
    ("response_format", "response_format", ""),
    ("reasoning_effort", "reasoning_effort", ""),
    ("reasoning", "reasoning_effort", "OpenRouter's; its `max_tokens` as `thinking`"),
    ("thinking", "thinking", "DeepSeek's and others'"),
    ("verbosity", "verbosity", ""),
    ("modalities", "modalities", ""),
    ("audio", "audio", ""),
    ("prediction", "prediction", ""),
    ("web_search_options", "web_search_options", ""),
    ("moderation", "moderation", ""),
    ("user", "user", ""),
    ("safety_identifier", "safety_identifier", ""),
    ("metadata", "metadata", ""),
    ("store", "store", ""),
    ("service_tier", "service_tier", ""),
    ("prompt_cache_key", "prompt_cache_key", ""),
    ("prompt_cache_options", "prompt_cache_options", ""),
    ("prompt_cache_retention", "prompt_cache_retention", ""),
    ("safety_settings", "safety_settings", "Gemini's"),
    ("input", "input", "embeddings"),
    ("dimensions", "dimensions", "embeddings"),
    ("encoding_format", "encoding_format", "embeddings"),
    ("prompt", "prompt", "completions"),
    ("suffix", "suffix", "completions"),
    ("echo", "echo", "completions"),
    ("best_of", "best_of", "completions"),
    ("pool", "", "hoosh's own: which budget pays"),
];

/// Fields of a message, likewise.
pub const MESSAGE_FIELDS: &[(&str, &str, &str)] = &[
    ("role", "role", "`function` as `tool`"),
    ("content", "content", ""),
    ("name", "name", ""),
    ("refusal", "refusal", ""),
    ("tool_calls", "tool_calls", ""),
    ("tool_call_id", "tool_call_id", ""),
    ("function_call", "tool_calls", "the older form"),
    ("reasoning_content", "reasoning_content", "DeepSeek's and others'"),
    ("reasoning", "reasoning_content", "vLLM's and OpenRouter's name of it"),
    ("reasoning_details", "thoughts", "OpenRouter's: those that are signed or encrypted"),
    ("extra_content", "thoughts", "Google's signature of a text"),
    ("thoughts", "thoughts", ""),
    ("is_error", "is_error", ""),
    ("cache_control", "cache_control", "OpenRouter's and others'"),
    ("annotations", "", "where an earlier answer was from"),
    ("audio", "", "an earlier answer's, by its id"),
];

/// How callers write what the neutral request has, where that is otherwise: see [`Places`].
pub(super) const PLACES: Places = &[
    ("max_tokens", "max_tokens|max_completion_tokens"),
    ("tools", "tools|functions"),
    ("tool_choice", "tool_choice|function_call"),
    ("reasoning_effort", "reasoning_effort|reasoning"),
    ("thinking", "thinking|reasoning"),
    ("messages[].reasoning_content", "messages[].reasoning_content|messages[].reasoning"),
];

/// Whether the neutral request has a place for a field of `table`.
pub(super) fn is_carried(table: &[(&str, &str, &str)], name: &str) -> bool {
    table.iter().any(|(field, neutral, _)| *field == name && !neutral.is_empty())
}
