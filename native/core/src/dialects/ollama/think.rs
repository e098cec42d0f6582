//! Whether and how much a model thinks.
//!
//! | `think` | Neutral |
//! | --- | --- |
//! | `true` | `"thinking":{"type":"adaptive"}` |
//! | `false` | `"thinking":{"type":"disabled"}` |
//! | `"low"`, `"medium"`, `"high"`, `"max"` | `reasoning_effort`, the last as `xhigh` |
//!
//! | Neutral | `think` |
//! | --- | --- |
//! | `"disabled"`, effort `none` | `false` |
//! | effort `minimal`, `low` | `"low"` |
//! | effort `medium` | `"medium"` |
//! | effort `high`, `xhigh`, `max` | `"high"` |
//! | budget below 4,096 tokens | `"low"` |
//! | budget below 16,384 tokens | `"medium"` |
//! | any other budget | `"high"` |
//! | `"adaptive"` | nothing: models that can think do so unless they are told not to, and others would refuse to be told |

use super::errors::invalid;
use crate::dialects::{Change, Loss};
use crate::error::Failure;
use crate::json::{Kind, Value, Writer};

const LOW_BELOW: u64 = 4_096;
const MEDIUM_BELOW: u64 = 16_384;

/// A caller's `think`.
pub(super) fn read_think(think: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    let kind = match (think.as_bool(), think.as_str().as_deref()) {
        (Some(true), _) => "adaptive",
        (Some(false), _) => "disabled",
        (_, Some(word @ ("low" | "medium" | "high"))) => {
            out.text_member("reasoning_effort", word);
            return Ok(());
        }
        (_, Some("max")) => {
            loss.add(Change::Renamed, "think", "max as xhigh");
            out.text_member("reasoning_effort", "xhigh");
            return Ok(());
        }
        (_, Some("")) => return Ok(()),
        _ => return Err(invalid("think", "think must be true, false, \"low\", \"medium\" or \"high\"")),
    };
    out.key("thinking").open_object().text_member("type", kind).close_object();
    Ok(())
}

/// The neutral request's wish. Effort in words says more plainly what is meant than a budget does.
pub(super) fn write_think(thinking: Option<Value<'_>>, effort: Option<Value<'_>>, out: &mut Writer, loss: &mut Loss) {
    let thinking = thinking.filter(|thinking| thinking.kind() == Kind::Object);
    let kind = thinking.and_then(|thinking| thinking.get("type")).and_then(Value::as_str);
    if kind.as_deref() == Some("disabled") {
        if effort.is_some_and(|effort| !effort.str_eq("none")) {
            loss.add(Change::Dropped, "reasoning_effort", "thinking is disabled");
        }
        out.key("think").boolean(false);
        return;
    }
    if let Some(effort) = effort {
        if thinking.is_some() {
            loss.add(Change::Approximated, "thinking", "by the effort in words");
        }
        return write_effort(effort, out, loss);
    }
    let Some(thinking) = thinking else { return };
    match thinking.get("budget_tokens").and_then(Value::as_u64) {
        Some(budget) => {
            let word = match budget {
                0..LOW_BELOW => "low",
                LOW_BELOW..MEDIUM_BELOW => "medium",
                _ => "high",
            };
            loss.add(Change::Approximated, "thinking", "its budget as effort: low, medium or high");
            out.text_member("think", word);
        }
        None => loss.add(Change::Approximated, "thinking", "left to the model"),
    }
}

fn write_effort(effort: Value<'_>, out: &mut Writer, loss: &mut Loss) {
    let word = match effort.as_str().as_deref() {
        Some("none") => {
            out.key("think").boolean(false);
            return;
        }
        Some("low") => "low",
        Some("medium") => "medium",
        Some("high") => "high",
        Some("minimal") => {
            loss.add(Change::Clamped, "reasoning_effort", "minimal as low");
            "low"
        }
        Some("xhigh" | "max") => {
            loss.add(Change::Clamped, "reasoning_effort", "as high");
            "high"
        }
        _ => {
            loss.add(Change::Dropped, "reasoning_effort", "not an effort that is known");
            return;
        }
    };
    out.text_member("think", word);
}
