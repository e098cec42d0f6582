//! The fields of a request, and what becomes of each where the upstream speaks another dialect. The tables of the
//! documentation are made of these.

/// Fields of a request: (its field, that of the neutral request or nothing, a note).
pub const REQUEST_FIELDS: &[(&str, &str, &str)] = &[
    ("model", "model", ""),
    ("max_tokens", "max_tokens", ""),
    ("messages", "messages", ""),
    ("system", "messages", "a message of role `system` before the others"),
    ("stream", "stream", ""),
    ("temperature", "temperature", ""),
    ("top_p", "top_p", ""),
    ("top_k", "top_k", ""),
    ("stop_sequences", "stop", ""),
    ("tools", "tools", "those that Anthropic runs: as `native`"),
    ("tool_choice", "tool_choice", "`disable_parallel_tool_use` as `parallel_tool_calls`"),
    ("thinking", "thinking", ""),
    ("output_config", "response_format", "its `effort` as `reasoning_effort`"),
    ("output_format", "response_format", "the beta's name of it"),
    ("metadata", "user", "its `user_id`"),
    ("service_tier", "service_tier", "`standard_only` as `default`"),
];

/// Fields of a request that other dialects have no place for.
pub(super) fn is_carried(name: &str) -> bool {
    REQUEST_FIELDS.iter().any(|(field, ..)| *field == name)
}
