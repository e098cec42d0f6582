//! How much the model shall think: `thinking` with a budget of tokens, or `reasoning_effort` in words.
//!
//! | `reasoning_effort` | budget, tokens |
//! | --- | --- |
//! | `none` | thinking is off |
//! | `minimal`, `low` | 1,024 |
//! | `medium` | 8,192 |
//! | `high` | 16,384 |
//! | `xhigh`, `max` | 32,768 |
//!
//! Since version 2026-10-21 of the API the words themselves are sent (`output_config.effort`), and the model decides.

use super::read_request::{invalid, missing, object};
use crate::dialects::{Change, Loss};
use crate::error::Failure;
use crate::json::{Kind, Value, Writer};

/// The smallest budget that Anthropic takes.
pub(super) const LEAST: u64 = 1_024;
/// Since this version the sampling fields are refused, and effort is in words.
const IN_WORDS: &str = "2026-10-21";
/// Words of OpenAI's, those of Anthropic's, and budgets.
const EFFORTS: [(&str, &str, u64); 6] = [
    ("minimal", "low", LEAST),
    ("low", "low", LEAST),
    ("medium", "medium", 8_192),
    ("high", "high", 16_384),
    ("xhigh", "xhigh", 32_768),
    ("max", "max", 32_768),
];
/// The budget of who asks for thoughts and says no more.
const USUAL: u64 = 8_192;

/// A caller's `thinking` in the neutral form.
pub(super) fn read_thinking(thinking: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    object("thinking", thinking)?;
    let kind = thinking.get("type").and_then(Value::as_str).unwrap_or_default();
    match &*kind {
        "enabled" => {
            let budget = thinking.get("budget_tokens").ok_or_else(|| missing("thinking.budget_tokens"))?;
            if budget.as_u64().is_none_or(|budget| budget == 0) {
                let words = "'thinking.budget_tokens' must be a whole number above 0.";
                return Err(invalid("thinking.budget_tokens", words));
            }
            out.key("thinking").open_object().text_member("type", "enabled");
            out.key("budget_tokens").value(budget).close_object();
        }
        "adaptive" | "disabled" => {
            out.key("thinking").open_object().text_member("type", &kind).close_object();
        }
        // Thinking is off, and the model tells of its progress between calls (`ThinkingTypes.between_tools` of the SDK).
        "between_tools" => {
            loss.add(Change::Approximated, "thinking.type", "between_tools as disabled");
            out.key("thinking").open_object().text_member("type", "disabled").close_object();
        }
        _ => {
            let words = "'thinking.type' must be enabled, adaptive, between_tools or disabled.";
            return Err(invalid("thinking.type", words));
        }
    }
    for (key, _) in thinking.fields().filter(|(_, value)| !value.is_null() && !value.str_eq("summarized")) {
        if !key.str_eq("type") && !key.str_eq("budget_tokens") {
            let key = key.as_str().unwrap_or_default();
            loss.add(Change::Dropped, format!("thinking.{key}"), "thoughts are told where the model tells them");
        }
    }
    Ok(())
}

/// Whether the model thinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Unsaid,
    Off,
    /// The model decides.
    Adaptive,
    /// So many tokens.
    Budget(u64),
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Thinking {
    mode: Mode,
    /// In one of Anthropic's words.
    effort: Option<&'static str>,
}

impl Thinking {
    /// Of the neutral members `thinking` and `reasoning_effort`.
    pub fn of(thinking: Option<Value<'_>>, effort: Option<Value<'_>>, version: &str, loss: &mut Loss) -> Thinking {
        let said = thinking.and_then(|thinking| mode_of(thinking, loss));
        let Some(effort) = effort else { return Thinking { mode: said.unwrap_or(Mode::Unsaid), effort: None } };
        let word = effort.as_str().unwrap_or_default();
        if word == "none" {
            return Thinking { mode: said.unwrap_or(Mode::Off), effort: None };
        }
        let known = EFFORTS.iter().find(|(known, ..)| *known == word);
        let Some((_, own, budget)) = known else {
            loss.add(Change::Dropped, "reasoning_effort", "an unknown word");
            return Thinking { mode: said.unwrap_or(Mode::Unsaid), effort: None };
        };
        match said {
            Some(Mode::Off) => {
                loss.add(Change::Dropped, "reasoning_effort", "thinking is off");
                Thinking { mode: Mode::Off, effort: None }
            }
            _ if version >= IN_WORDS => {
                if *own != word {
                    loss.add(Change::Clamped, "reasoning_effort", "minimal as low");
                }
                Thinking { mode: said.unwrap_or(Mode::Adaptive), effort: Some(own) }
            }
            Some(mode) => {
                loss.add(Change::Dropped, "reasoning_effort", "thinking says how much");
                Thinking { mode, effort: None }
            }
            None => {
                loss.add(Change::Approximated, "reasoning_effort", "as a budget of thoughts");
                Thinking { mode: Mode::Budget(*budget), effort: None }
            }
        }
    }

    /// Within `most` output tokens, of which the budget is a part.
    pub fn within(self, most: u64, loss: &mut Loss) -> Thinking {
        let Mode::Budget(budget) = self.mode else { return self };
        if most <= LEAST {
            loss.add(Change::Dropped, "thinking", "max_tokens leaves no room for 1,024 tokens of it");
            return Thinking { mode: Mode::Unsaid, ..self };
        }
        let clamped = budget.clamp(LEAST, most - 1);
        if clamped != budget {
            loss.add(Change::Clamped, "thinking.budget_tokens", "from 1,024 to below max_tokens");
        }
        Thinking { mode: Mode::Budget(clamped), ..self }
    }

    /// Not in this turn.
    pub fn off(&mut self) {
        *self = Thinking { mode: Mode::Off, effort: None };
    }

    /// Tokens that it takes of the output.
    pub fn budget(&self) -> u64 {
        match self.mode {
            Mode::Budget(budget) => budget,
            _ => 0,
        }
    }

    /// In one of Anthropic's words.
    pub fn effort(&self) -> Option<&'static str> {
        self.effort
    }

    /// Whether the model may think.
    pub fn is_on(&self) -> bool {
        matches!(self.mode, Mode::Adaptive | Mode::Budget(_))
    }

    /// The member `thinking`.
    pub fn write(&self, out: &mut Writer) {
        match self.mode {
            Mode::Unsaid => {}
            Mode::Off => {
                out.key("thinking").raw(b"{\"type\":\"disabled\"}");
            }
            Mode::Adaptive => {
                out.key("thinking").raw(b"{\"type\":\"adaptive\"}");
            }
            Mode::Budget(budget) => {
                out.key("thinking").open_object().text_member("type", "enabled");
                out.key("budget_tokens").integer(budget).close_object();
            }
        }
    }
}

/// Of the neutral member `thinking`.
fn mode_of(thinking: Value<'_>, loss: &mut Loss) -> Option<Mode> {
    let kind = match thinking.kind() {
        Kind::Object => thinking.get("type").and_then(Value::as_str),
        _ => None,
    };
    match kind.as_deref() {
        Some("disabled") => Some(Mode::Off),
        Some("adaptive" | "auto") => Some(Mode::Adaptive),
        Some("enabled") => Some(Mode::Budget(thinking.get("budget_tokens").and_then(Value::as_u64).unwrap_or(USUAL))),
        _ => {
            loss.add(Change::Dropped, "thinking", "of an unknown type");
            None
        }
    }
}

/// Whether the sampling fields are taken.
pub(super) fn takes_sampling(version: &str) -> bool {
    version < IN_WORDS
}
