//! `thinking` in the words of `reasoning.effort`.
//!
//! | `thinking` | `reasoning.effort` |
//! | --- | --- |
//! | `enabled`, budget below 4,096 tokens | `low` |
//! | `enabled`, budget below 16,384 tokens | `medium` |
//! | `enabled`, more, or without a budget | `high` |
//! | `adaptive`, `disabled` | left to the upstream |
//!
//! The bounds lie between the budgets that Google documents for the three words (1,024, 8,192 and 24,576;
//! <https://ai.google.dev/gemini-api/docs/openai>). A model that does not think refuses the member whatever it says, and
//! older ones `none`, so that it is not sent to say that nothing is wanted.

use crate::dialects::{Change, Loss};
use crate::json::{Value, Writer};

/// The smallest budgets that are `medium` and `high`.
const MEDIUM: u64 = 4_096;
const HIGH: u64 = 16_384;

/// Writes `reasoning`. Whether thoughts are wanted.
pub(super) fn write_reasoning(
    out: &mut Writer,
    effort: Option<Value<'_>>,
    thinking: Option<Value<'_>>,
    loss: &mut Loss,
) -> bool {
    let is = |wanted: &str| thinking.and_then(|asked| asked.get("type")).is_some_and(|kind| kind.str_eq(wanted));
    let (enabled, adaptive) = (is("enabled"), is("adaptive"));
    let budget = thinking.and_then(|asked| asked.get("budget_tokens")).and_then(Value::as_u64);
    let word = match budget {
        Some(budget) if budget < MEDIUM => "low",
        Some(budget) if budget < HIGH => "medium",
        _ => "high",
    };
    if enabled {
        loss.add(Change::Approximated, "thinking", "as reasoning.effort");
    } else if thinking.is_some() && !adaptive && effort.is_none() {
        loss.add(Change::Approximated, "thinking", "left to the provider's default");
    }
    if effort.is_none() && !enabled && !adaptive {
        return false;
    }
    out.key("reasoning").open_object().member("effort", effort);
    if effort.is_none() && enabled {
        out.text_member("effort", word);
    }
    // Who asks for thoughts by `thinking` reads them, and here they come only as a summary.
    if enabled || adaptive {
        out.text_member("summary", "auto");
    }
    out.close_object();
    enabled || adaptive || !effort.is_some_and(|word| word.str_eq("none"))
}
