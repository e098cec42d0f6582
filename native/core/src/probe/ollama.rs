//! Ollama's `POST /api/show` (its `docs/api.md`, `api/types.go`).

use super::{context, Facts};
use crate::json::{Kind, Value};

/// Most letters of the name of a quantization.
const LONGEST_NAME: usize = 32;

/// What it says of one model. A key that occurs in no known version is passed over.
pub(super) fn show(said: Value<'_>) -> Facts {
    let facts = Facts { context: shortest_context(said), quantization: quantization(said), ..Facts::default() };
    abilities(said, facts)
}

/// The model's own, in `<architecture>.context_length`; and if its author or the operator set `num_ctx`, the context that
/// it is loaded with, beyond which Ollama cuts prompts off without a word (ollama/ollama#3839).
fn shortest_context(said: Value<'_>) -> Option<u64> {
    let info = said.get("model_info");
    let trained = info.and_then(|info| {
        let architecture = info.get("general.architecture")?.as_str()?;
        context(info.get(&format!("{architecture}.context_length")))
    });
    let parameters = said.get("parameters").and_then(Value::as_str);
    let loaded = parameters.as_deref().and_then(|lines| lines.lines().find_map(num_ctx));
    [trained, loaded].into_iter().flatten().min()
}

/// Of the lines of a Modelfile's parameters: `num_ctx                        4096`.
fn num_ctx(line: &str) -> Option<u64> {
    let digits = line.trim().strip_prefix("num_ctx")?;
    let tokens = digits.strip_prefix(char::is_whitespace)?.trim().parse().ok()?;
    super::CONTEXTS.contains(&tokens).then_some(tokens)
}

fn quantization(said: Value<'_>) -> Option<String> {
    let name = said.get("details")?.get("quantization_level")?.as_str()?;
    let is_name = !name.is_empty() && name.len() <= LONGEST_NAME && name.bytes().all(|byte| byte.is_ascii_graphic());
    (is_name && name != "unknown").then(|| name.into_owned())
}

/// `capabilities`, which versions before 0.6.4 do not have. Its handlers refuse chats and tools where they are not in the list
/// (`server/routes.go`), but make vectors with any model, so that the list says nothing against that.
fn abilities(said: Value<'_>, facts: Facts) -> Facts {
    let all = said.get("capabilities").filter(|all| all.kind() == Kind::Array);
    let has = |name: &str| all.is_some_and(|all| all.elements().any(|one| one.str_eq(name)));
    let (chats, embeds) = (has("completion"), has("embedding"));
    if !chats && !embeds {
        // No list, or one of a model for something else.
        return facts;
    }
    Facts {
        chat: Some(chats),
        tools: Some(has("tools")),
        vision: Some(has("vision")),
        audio: has("audio").then_some(true),
        embeddings: embeds.then_some(true),
        reasoning: Some(has("thinking")),
        ..facts
    }
}
