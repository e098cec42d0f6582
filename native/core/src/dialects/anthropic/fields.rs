//! The fields of a request, and what becomes of each where the upstream speaks another dialect. The tables of the
//! documentation are made of these.

use crate::dialects::{Change, Loss, Places};
use crate::json::Value;

/// Fields of a request: (its field, that of the neutral request or nothing, a note).
pub const REQUEST_FIELDS: &[(&str, &str, &str)] = &[
    ("model", "model", ""),
    ("max_tokens", "max_tokens", "0, which only fills the cache, as 1"),
    ("messages", "messages", ""),
    ("system", "messages", "a message of role `system` before the others"),
    ("stream", "stream", ""),
    ("temperature", "temperature", ""),
    ("top_p", "top_p", ""),
    ("top_k", "top_k", ""),
    ("stop_sequences", "stop", ""),
    ("tools", "tools", "those that Anthropic runs: as `native`"),
    ("tool_choice", "tool_choice", "`disable_parallel_tool_use` as `parallel_tool_calls`"),
    ("thinking", "thinking", "`between_tools` as `disabled`; without `display`"),
    ("output_config", "response_format", "its `effort` as `reasoning_effort`"),
    ("output_format", "response_format", "the beta's name of it"),
    ("metadata", "user", "its `user_id`"),
    ("service_tier", "service_tier", "`standard_only` as `default`"),
    ("cache_control", "messages", "the marker of the last message"),
    ("container", "", "where Anthropic's own tools run"),
    ("context_management", "", "what Anthropic takes out of long conversations"),
    ("diagnostics", "", "why Anthropic's cache was missed"),
    ("inference_geo", "", "where the model runs"),
    ("mcp_servers", "", "servers of tools that Anthropic asks"),
    ("speed", "", ""),
    ("thread", "", "refused: Anthropic holds what was said before"),
    ("user_profile_id", "", ""),
    ("workspace_id", "", ""),
    ("pool", "", "hoosh's own: which budget pays"),
];

/// Fields of the blocks of content that are carried: (the block's type, its fields). Blocks of other types, and other
/// fields of these, have no place elsewhere.
pub const BLOCK_FIELDS: &[(&str, &[&str])] = &[
    ("text", &["text", "citations", "cache_control"]),
    ("image", &["source", "cache_control"]),
    ("document", &["source", "title", "context", "citations", "cache_control"]),
    ("search_result", &["source", "title", "content", "citations", "cache_control"]),
    ("thinking", &["thinking", "signature"]),
    ("redacted_thinking", &["data"]),
    ("tool_use", &["id", "name", "input", "cache_control"]),
    ("tool_result", &["tool_use_id", "content", "is_error", "cache_control"]),
];

/// How callers write what the neutral request has: see [`Places`].
pub(super) const PLACES: Places = &[
    ("messages[].role:system", "system"),
    ("messages[].content[].image_url", "messages[].content[].source"),
    ("messages[].content[].file", "messages[].content[].source"),
    ("messages[].content[].file.filename", "messages[].content[].title"),
    ("messages[].reasoning_content", "messages[].content[].thinking"),
    ("messages[].thoughts", "messages[].content[].signature"),
    ("messages[].tool_calls[]", "messages[].content[]"),
    ("messages[].tool_calls[].function.arguments", "messages[].content[].input"),
    ("messages[].tool_call_id", "messages[].content[].tool_use_id"),
    ("messages[].is_error", "messages[].content[].is_error"),
    ("messages[].cache_control", "messages[].content[].cache_control|cache_control"),
    ("tools[].function", "tools[]"),
    ("tools[].function.parameters", "tools[].input_schema"),
    ("parallel_tool_calls", "tool_choice.disable_parallel_tool_use"),
    ("stop", "stop_sequences"),
    ("user", "metadata.user_id"),
    ("response_format", "output_config.format|output_format"),
    ("response_format.json_schema", "output_config.format|output_format"),
    ("response_format.json_schema.schema", "output_config.format.schema|output_format.schema"),
    ("reasoning_effort", "output_config.effort"),
];

/// Whether the neutral request has a place for a field of a request.
pub(super) fn is_carried(name: &str) -> bool {
    REQUEST_FIELDS.iter().any(|(field, neutral, _)| *field == name && !neutral.is_empty())
}

/// Reports the fields of a block that are not carried.
pub(super) fn report_unknown(block: Value<'_>, kind: &str, loss: &mut Loss) {
    let known = BLOCK_FIELDS.iter().find(|(own, _)| *own == kind).map_or(&[][..], |(_, fields)| fields);
    for (key, value) in block.fields() {
        let is_known = key.str_eq("type") || known.iter().any(|field| key.str_eq(field));
        if is_known || says_nothing(value) {
            continue;
        }
        let name = key.as_str().unwrap_or_default();
        // Who called a tool: the model itself, as everywhere.
        if name == "caller" && value.get("type").is_some_and(|caller| caller.str_eq("direct")) {
            continue;
        }
        loss.add(Change::Dropped, format!("messages[].content[].{name}"), "unknown to other dialects");
    }
}

fn says_nothing(value: Value<'_>) -> bool {
    value.is_null() || value.as_bool() == Some(false)
}
