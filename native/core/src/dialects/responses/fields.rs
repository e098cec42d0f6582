//! The fields of a request, and what becomes of each where the upstream speaks another dialect, and of the neutral
//! request's where the upstream speaks this one. The tables of the documentation are made of these.

use crate::dialects::{Change, Loss, Places};
use crate::json::{Kind, Value};

/// Fields of a request: (its field, that of the neutral request or nothing, a note).
pub const REQUEST_FIELDS: &[(&str, &str, &str)] = &[
    ("model", "model", ""),
    ("input", "messages", "a text is one message of the user; neighbouring items of one turn are one message"),
    ("instructions", "messages", "the first message, of role `system`"),
    ("stream", "stream", ""),
    ("stream_options", "stream_options", ""),
    ("temperature", "temperature", ""),
    ("top_p", "top_p", ""),
    ("max_output_tokens", "max_completion_tokens", ""),
    ("top_logprobs", "top_logprobs", "and `logprobs`"),
    ("tools", "tools", "of other types than `function`, `custom` and `namespace`: as `native`"),
    ("tool_choice", "tool_choice", "of a tool that the provider runs: dropped"),
    ("parallel_tool_calls", "parallel_tool_calls", ""),
    ("text", "response_format", "its `verbosity` as `verbosity`"),
    ("reasoning", "reasoning_effort", "thoughts are told where the model tells them, whatever `summary` says"),
    ("include", "logprobs", "encrypted thoughts are always included; the others are dropped"),
    ("metadata", "metadata", ""),
    ("user", "user", ""),
    ("safety_identifier", "safety_identifier", ""),
    ("prompt_cache_key", "prompt_cache_key", ""),
    ("prompt_cache_retention", "prompt_cache_retention", ""),
    ("prompt_cache_options", "prompt_cache_options", ""),
    ("moderation", "moderation", ""),
    ("service_tier", "service_tier", ""),
    ("store", "store", ""),
    ("previous_response_id", "messages", "replaced by the turns that were kept; refused without them"),
    ("truncation", "", "`disabled` is what all do; `auto` is dropped"),
    ("background", "", "passed to an upstream that speaks Responses; refused where there is none"),
    ("conversation", "", "held by the provider: as `background`"),
    ("prompt", "", "held by the provider: as `background`"),
    ("max_tool_calls", "", "of tools that the provider runs"),
    ("context_management", "", ""),
    ("background_options", "", ""),
    ("access_programs", "", ""),
    ("image", "", ""),
    ("pool", "", "hoosh's own: which budget pays"),
];

/// Fields of the neutral request: (its field, that of this dialect or nothing, a note).
pub const NEUTRAL_FIELDS: &[(&str, &str, &str)] = &[
    ("model", "model", ""),
    ("messages", "input", "a first message of role `system` as `instructions`"),
    ("stream", "stream", ""),
    ("stream_options", "stream_options", "usage is always told"),
    ("temperature", "temperature", ""),
    ("top_p", "top_p", ""),
    ("max_tokens", "max_output_tokens", "at least 16"),
    ("max_completion_tokens", "max_output_tokens", "at least 16"),
    ("logprobs", "include", ""),
    ("top_logprobs", "top_logprobs", ""),
    ("tools", "tools", "those of type `native` if they are this dialect's"),
    ("tool_choice", "tool_choice", ""),
    ("parallel_tool_calls", "parallel_tool_calls", ""),
    ("response_format", "text", ""),
    ("verbosity", "text", ""),
    ("reasoning_effort", "reasoning", ""),
    ("thinking", "reasoning", "a budget as `effort`, with a summary of the thoughts"),
    ("metadata", "metadata", ""),
    ("user", "user", ""),
    ("safety_identifier", "safety_identifier", ""),
    ("prompt_cache_key", "prompt_cache_key", ""),
    ("prompt_cache_retention", "prompt_cache_retention", ""),
    ("prompt_cache_options", "prompt_cache_options", ""),
    ("moderation", "moderation", ""),
    ("service_tier", "service_tier", ""),
    ("store", "store", "`false` where nothing is said, as it is in chat"),
    ("n", "", "there is one answer"),
    ("stop", "", ""),
    ("seed", "", ""),
    ("presence_penalty", "", ""),
    ("frequency_penalty", "", ""),
    ("logit_bias", "", ""),
    ("top_k", "", ""),
    ("min_p", "", ""),
    ("modalities", "", ""),
    ("audio", "", ""),
    ("prediction", "", ""),
    ("web_search_options", "", ""),
    ("safety_settings", "", "Gemini's"),
];

/// How callers write what the neutral request has: see [`Places`].
pub(super) const PLACES: Places = &[
    ("messages", "input"),
    ("messages[].role:system", "instructions"),
    ("messages[].content[].file", "input[].content[]"),
    ("messages[].content[].input_audio", "input[].content[].input_audio"),
    ("messages[].reasoning_content", "input[].summary"),
    ("messages[].thoughts", "input[].encrypted_content"),
    ("messages[].tool_calls[]", "input[]"),
    ("messages[].tool_calls[].function.arguments", "input[].arguments"),
    ("messages[].tool_calls[].custom", "input[]"),
    ("messages[].tool_call_id", "input[].call_id"),
    ("tools[].function", "tools[]"),
    ("tools[].custom", "tools[]"),
    ("max_completion_tokens", "max_output_tokens"),
    ("max_tokens", "max_output_tokens"),
    ("response_format", "text.format"),
    ("response_format.json_schema", "text.format"),
    ("verbosity", "text.verbosity"),
    ("reasoning_effort", "reasoning.effort"),
    ("logprobs", "include|top_logprobs"),
];

/// The note of a field that `table` knows.
pub(super) fn note_of(table: &[(&'static str, &str, &'static str)], name: &[u8]) -> Option<&'static str> {
    table.iter().find(|(field, ..)| field.as_bytes() == name).map(|(.., note)| *note)
}

/// Reports a field at the top that has no place.
pub(super) fn drop_field(table: &[(&'static str, &str, &'static str)], name: &[u8], loss: &mut Loss) {
    let note = match note_of(table, name) {
        Some("") => "no place for it",
        Some(note) => note,
        None => "unknown",
    };
    loss.add(Change::Dropped, String::from_utf8_lossy(name).into_owned(), note);
}

/// The members of `object` that are named, in one pass; `null` is none. What else it holds is reported.
pub(super) fn pick<'a, const N: usize>(
    object: Value<'a>,
    names: [&str; N],
    place: &str,
    loss: &mut Loss,
) -> [Option<Value<'a>>; N] {
    let mut found = [None; N];
    for (key, value) in object.fields() {
        let at = names.iter().position(|name| key.str_eq(name));
        match at.and_then(|at| found.get_mut(at)) {
            Some(member) => *member = Some(value).filter(|value| !value.is_null()),
            None => drop_one(key, value, place, loss),
        }
    }
    found
}

/// Reports what `object` holds beside `known`, unless it says nothing. `place` is where the object is: `input[].`.
pub(super) fn drop_unknown(object: Value<'_>, known: &[&str], place: &str, loss: &mut Loss) {
    for (key, value) in object.fields() {
        if !known.iter().any(|name| key.str_eq(name)) {
            drop_one(key, value, place, loss);
        }
    }
}

fn drop_one(key: Value<'_>, value: Value<'_>, place: &str, loss: &mut Loss) {
    if !says_nothing(value) {
        let name = key.as_str().unwrap_or_default();
        loss.add(Change::Dropped, format!("{place}{name}"), "no place for it");
    }
}

/// `null`, and a list or an object of nothing.
fn says_nothing(value: Value<'_>) -> bool {
    match value.kind() {
        Kind::Null => true,
        Kind::Array => value.elements().next().is_none(),
        Kind::Object => value.fields().next().is_none(),
        _ => false,
    }
}
