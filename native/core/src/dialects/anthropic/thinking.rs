//! How much the model shall think: `thinking` with a budget of tokens, or `reasoning_effort` in words.
//!
//! | `reasoning_effort` | budget, tokens |
//! | --- | --- |
//! | `none` | thinking is off |
//! | `minimal`, `low` | 1,024 |
//! | `medium` | 8,192 |
//! | `high` | 16,384 |
//! | `xhigh` | 32,768 |
//!
//! Since version 2026-10-21 of the API the words themselves are sent (`output_config.effort`), and the model decides.

use crate::dialects::{Change, Loss};
use crate::json::{Kind, Value, Writer};

/// The smallest budget that Anthropic takes.
const LEAST: u64 = 1_024;
/// Since this version the sampling fields are refused, and effort is in words.
const IN_WORDS: &str = "2026-10-21";

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Thinking {
    /// Nothing is said.
    Unsaid,
    Off,
    /// The model decides.
    Adaptive,
    /// So many tokens.
    Budget(u64),
    /// In one of Anthropic's words.
    Effort(&'static str),
}

impl Thinking {
    /// Of the neutral members `thinking` and `reasoning_effort`.
    pub fn of(thinking: Option<Value<'_>>, effort: Option<Value<'_>>, version: &str, loss: &mut Loss) -> Thinking {
        if let Some(thinking) = thinking.filter(|thinking| thinking.kind() == Kind::Object) {
            return match thinking.get("type").and_then(Value::as_str).as_deref() {
                Some("disabled") => Thinking::Off,
                Some("adaptive") => Thinking::Adaptive,
                Some("enabled") => match thinking.get("budget_tokens").and_then(Value::as_u64) {
                    Some(budget) => Thinking::Budget(budget),
                    None => Thinking::Budget(budget_of("medium")),
                },
                _ => {
                    loss.add(Change::Dropped, "thinking", "of an unknown type");
                    Thinking::Unsaid
                }
            };
        }
        let Some(effort) = effort else { return Thinking::Unsaid };
        match effort.as_str().as_deref() {
            Some("none") => Thinking::Off,
            Some(word) if version >= IN_WORDS => {
                let words =
                    [("minimal", "low"), ("low", "low"), ("medium", "medium"), ("high", "high"), ("xhigh", "max")];
                match words.into_iter().find(|(known, _)| *known == word) {
                    Some((_, word)) => Thinking::Effort(word),
                    None => {
                        loss.add(Change::Dropped, "reasoning_effort", "an unknown word");
                        Thinking::Unsaid
                    }
                }
            }
            Some(word @ ("minimal" | "low" | "medium" | "high" | "xhigh")) => {
                loss.add(Change::Approximated, "reasoning_effort", "as a budget of thoughts");
                Thinking::Budget(budget_of(word))
            }
            _ => {
                loss.add(Change::Dropped, "reasoning_effort", "an unknown word");
                Thinking::Unsaid
            }
        }
    }

    /// Within `most` output tokens, of which the budget is a part.
    pub fn within(self, most: u64, loss: &mut Loss) -> Thinking {
        let Thinking::Budget(budget) = self else { return self };
        if most <= LEAST {
            loss.add(Change::Dropped, "thinking", "max_tokens leaves no room for 1,024 tokens of it");
            return Thinking::Unsaid;
        }
        let clamped = budget.clamp(LEAST, most - 1);
        if clamped != budget {
            loss.add(Change::Clamped, "thinking.budget_tokens", "from 1,024 to below max_tokens");
        }
        Thinking::Budget(clamped)
    }

    /// Tokens that it takes of the output.
    pub fn budget(&self) -> u64 {
        match self {
            Thinking::Budget(budget) => *budget,
            _ => 0,
        }
    }

    /// Whether the model may think.
    pub fn is_on(&self) -> bool {
        matches!(self, Thinking::Adaptive | Thinking::Budget(_) | Thinking::Effort(_))
    }

    /// The member `thinking`.
    pub fn write(&self, out: &mut Writer) {
        match self {
            Thinking::Unsaid => {}
            Thinking::Off => {
                out.key("thinking").raw(b"{\"type\":\"disabled\"}");
            }
            Thinking::Adaptive | Thinking::Effort(_) => {
                out.key("thinking").raw(b"{\"type\":\"adaptive\"}");
            }
            Thinking::Budget(budget) => {
                out.key("thinking").open_object().text_member("type", "enabled");
                out.key("budget_tokens").integer(*budget).close_object();
            }
        }
    }
}

fn budget_of(word: &str) -> u64 {
    match word {
        "minimal" | "low" => LEAST,
        "medium" => 8_192,
        "high" => 16_384,
        _ => 32_768,
    }
}

/// Whether the sampling fields are taken.
pub(super) fn takes_sampling(version: &str) -> bool {
    version < IN_WORDS
}
