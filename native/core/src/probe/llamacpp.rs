//! llama.cpp's `GET /props` (its `tools/server/README.md`).

use super::{context, Facts};
use crate::json::Value;

/// What it says of the model that it serves.
pub(super) fn props(said: Value<'_>) -> Facts {
    let settings = said.get("default_generation_settings");
    let able = |group: &str, name: &str| said.get(group)?.get(name)?.as_bool();
    Facts {
        // Of one slot: what a request has for itself.
        context: settings.and_then(|settings| context(settings.get("n_ctx"))),
        tools: tools(said),
        vision: able("modalities", "vision"),
        audio: able("modalities", "audio"),
        ..Facts::default()
    }
}

/// A template without tools has them dropped in silence by versions that tell `chat_template_caps`; the one of two names that
/// a version has is enough.
fn tools(said: Value<'_>) -> Option<bool> {
    let caps = said.get("chat_template_caps")?;
    let able = |name: &str| caps.get(name).and_then(Value::as_bool);
    match (able("supports_tools"), able("supports_tool_calls")) {
        (None, None) => None,
        (tools, calls) => Some(tools.unwrap_or(true) && calls.unwrap_or(true)),
    }
}
