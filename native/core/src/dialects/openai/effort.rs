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

use crate::json::{Kind, Value};

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
