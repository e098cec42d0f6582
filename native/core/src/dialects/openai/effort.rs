//! `thinking` in the words of `reasoning_effort`.
//!
//! | `thinking` | `reasoning_effort` |
//! | --- | --- |
//! | `enabled`, budget below 4,096 tokens | `low` |
//! | `enabled`, budget below 16,384 tokens | `medium` |
//! | `enabled`, more, or without a budget | `high` |
//! | `adaptive` | left to the upstream |
//! | `disabled` | left to the upstream |
//!
//! The bounds lie between the budgets that Google documents for the three words (1,024, 8,192 and 24,576;
//! <https://ai.google.dev/gemini-api/docs/openai>). `none`, `minimal` and `xhigh` are of single models, and a model that
//! does not think refuses the member whatever it says, so that it is not sent to say that nothing is wanted.

use crate::dialects::loss::{Change, Loss};
use crate::json::{Edits, Index, Kind, Value};

/// The smallest budgets that are `medium` and `high`.
const MEDIUM: u64 = 4_096;
const HIGH: u64 = 16_384;

/// The word for a budget of thoughts, or for none given.
pub fn word_of(budget: Option<u64>) -> &'static str {
    match budget {
        Some(budget) if budget < MEDIUM => "low",
        Some(budget) if budget < HIGH => "medium",
        _ => "high",
    }
}

/// Takes out what asks for thoughts, for a model that is known to have none: Ollama and engines of this process refuse that,
/// and the caller knows nothing of who answers. Nothing is lost where none were wanted.
pub fn leave_out(body: &[u8], index: &Index, edits: &mut Edits, loss: &mut Loss) {
    let field = |name: &str| index.get(body, name).filter(|value| !value.is_null());
    for (name, value) in ["thinking", "reasoning_effort"].into_iter().filter_map(|name| Some((name, field(name)?))) {
        edits.remove(name);
        if !value.str_eq("none") && Thinking::of(value) != Thinking::Disabled {
            loss.add(Change::Dropped, name, "this model does not think");
        }
    }
}

/// What `thinking` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinking {
    Enabled(Option<u64>),
    Adaptive,
    Disabled,
    Unknown,
}

impl Thinking {
    pub fn of(thinking: Value<'_>) -> Thinking {
        let kind = Some(thinking).filter(|thinking| thinking.kind() == Kind::Object).and_then(|it| it.get("type"));
        match kind {
            Some(kind) if kind.str_eq("enabled") => {
                Thinking::Enabled(thinking.get("budget_tokens").and_then(Value::as_u64))
            }
            Some(kind) if kind.str_eq("adaptive") => Thinking::Adaptive,
            Some(kind) if kind.str_eq("disabled") => Thinking::Disabled,
            _ => Thinking::Unknown,
        }
    }
}
