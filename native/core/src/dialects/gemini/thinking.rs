//! How much a model shall think, both ways.
//!
//! Gemini 2.5 takes budgets, later models levels (and budgets for the sake of older callers). Words become budgets by
//! Google's own table (ai.google.dev, "OpenAI compatibility"):
//!
//! | `reasoning_effort` | `thinkingLevel` | `thinkingBudget` |
//! | --- | --- | --- |
//! | `none` | `MINIMAL`, the least there is | 0 |
//! | `minimal` | `MINIMAL` | 1024 |
//! | `low` | `LOW` | 1024 |
//! | `medium` | `MEDIUM` | 8192 |
//! | `high` | `HIGH` | 24576 |
//! | `xhigh`, `max` | `XHIGH` | 32768 |

use super::names::{fields, string, whole, wrong};
use crate::dialects::{Change, Loss};
use crate::error::Failure;
use crate::json::{Value, Writer};

const EFFORTS: &[(&str, &str, u64)] = &[
    ("none", "MINIMAL", 0),
    ("minimal", "MINIMAL", 1024),
    ("low", "LOW", 1024),
    ("medium", "MEDIUM", 8192),
    ("high", "HIGH", 24576),
    ("xhigh", "XHIGH", 32768),
    ("max", "XHIGH", 32768),
];

/// What a model's name says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Generation {
    /// Gemini 3 and later: levels of thinking, and calls that must come back with their signatures.
    Levels,
    /// Gemini 2.5 and whatever else is asked in this dialect.
    Budgets,
}

impl Generation {
    /// `gemini-3-pro-preview`, `models/gemini-2.5-flash`; an alias such as `gemini-flash-latest` is of the newest.
    pub fn of(model: &str) -> Generation {
        let Some((_, rest)) = model.rsplit('/').next().and_then(|name| name.split_once("gemini-")) else {
            return Generation::Budgets;
        };
        let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next().unwrap_or_default();
        match digits.parse::<u32>() {
            Ok(..=2) => Generation::Budgets,
            Ok(_) => Generation::Levels,
            Err(_) if rest.contains("latest") => Generation::Levels,
            Err(_) => Generation::Budgets,
        }
    }
}

/// The budgets that a model takes (ai.google.dev, "Thinking"); `None` if nobody knows.
fn budgets(model: &str) -> Option<(u64, u64)> {
    if model.contains("2.5-pro") {
        Some((128, 32768))
    } else if model.contains("2.5-flash-lite") {
        Some((512, 24576))
    } else if model.contains("2.5-flash") {
        Some((1, 24576))
    } else {
        None
    }
}

/// What a caller's `thinkingConfig` says, as members of the neutral request.
pub(super) fn read(config: Value<'_>, out: &mut Writer, loss: &mut Loss) -> Result<(), Failure> {
    const AT: &str = "generationConfig.thinkingConfig";
    let (mut budget, mut level, mut shown) = (None, None, None);
    for (name, value) in fields(config) {
        match &*name {
            "thinkingBudget" => {
                let number = whole(value).filter(|number| *number >= -1);
                let wanted = "a whole number from -1";
                budget = Some(number.ok_or_else(|| wrong(format!("{AT}.thinkingBudget"), wanted, value))?);
            }
            "thinkingLevel" => level = Some(string(value, format!("{AT}.thinkingLevel"))?),
            "includeThoughts" => shown = value.as_bool(),
            name => loss.add(Change::Dropped, format!("{AT}.{name}"), "unknown"),
        }
    }
    match budget {
        Some(0) => {
            out.key("thinking").open_object().text_member("type", "disabled").close_object();
        }
        Some(-1) => {
            out.key("thinking").open_object().text_member("type", "adaptive").close_object();
        }
        Some(tokens) => {
            out.key("thinking").open_object().text_member("type", "enabled");
            out.key("budget_tokens").integer(tokens.unsigned_abs()).close_object();
        }
        None if shown == Some(true) && level.is_none() => {
            out.key("thinking").open_object().text_member("type", "adaptive").close_object();
        }
        None => {}
    }
    if let Some(level) = level.filter(|level| level != "THINKING_LEVEL_UNSPECIFIED") {
        let effort = EFFORTS.iter().skip(1).find(|(_, known, _)| level.eq_ignore_ascii_case(known));
        match effort {
            Some((effort, ..)) => {
                out.text_member("reasoning_effort", effort);
            }
            None => loss.add(Change::Dropped, format!("{AT}.thinkingLevel"), "unknown level"),
        }
    }
    if shown == Some(false) {
        loss.add(Change::Dropped, format!("{AT}.includeThoughts"), "thoughts come if the model shows them");
    }
    Ok(())
}

/// Writes `thinkingConfig` into `config`, if the neutral request says how much to think.
pub(super) fn write(
    model: &str,
    thinking: Option<Value<'_>>,
    effort: Option<Value<'_>>,
    config: &mut Writer,
    loss: &mut Loss,
) {
    let kind = thinking.and_then(|thinking| thinking.get("type"));
    let is = |wanted: &str| kind.is_some_and(|kind| kind.str_eq(wanted));
    let word = effort.and_then(Value::as_str);
    let known = word.as_ref().and_then(|word| EFFORTS.iter().find(|(known, ..)| word == known));
    if word.is_some() && known.is_none() {
        loss.add(Change::Dropped, "reasoning_effort", "unknown effort");
    }
    if is("disabled") {
        return none(model, "thinking", config, loss);
    }
    let tokens = thinking.and_then(|thinking| thinking.get("budget_tokens")).and_then(Value::as_u64);
    match (tokens.filter(|_| is("enabled")), known) {
        (Some(tokens), _) => budget(model, tokens, "thinking.budget_tokens", config, loss),
        (None, Some(("none", ..))) => none(model, "reasoning_effort", config, loss),
        (None, Some((_, level, tokens))) => match Generation::of(model) {
            Generation::Levels => {
                open(config).text_member("thinkingLevel", level).close_object();
            }
            Generation::Budgets => budget(model, *tokens, "reasoning_effort", config, loss),
        },
        (None, None) if is("enabled") || is("adaptive") => match Generation::of(model) {
            Generation::Levels => {
                open(config).close_object();
            }
            Generation::Budgets => {
                open(config).key("thinkingBudget").raw(b"-1").close_object();
            }
        },
        (None, None) if thinking.is_some() => loss.add(Change::Dropped, "thinking", "unknown kind"),
        (None, None) => {}
    }
}

/// Thoughts that are asked for are also shown.
fn open(config: &mut Writer) -> &mut Writer {
    config.key("thinkingConfig").open_object().key("includeThoughts").boolean(true)
}

fn budget(model: &str, tokens: u64, field: &'static str, config: &mut Writer, loss: &mut Loss) {
    let most = i32::MAX.unsigned_abs().into();
    let (low, high) = budgets(model).unwrap_or((0, most));
    let taken = tokens.clamp(low, high);
    if taken != tokens {
        loss.add(Change::Clamped, field, "the model's bounds of a thinking budget");
    }
    open(config).key("thinkingBudget").integer(taken).close_object();
}

/// No thoughts, or as few as the model can.
fn none(model: &str, field: &'static str, config: &mut Writer, loss: &mut Loss) {
    config.key("thinkingConfig").open_object();
    match (Generation::of(model), budgets(model)) {
        (Generation::Levels, _) => {
            loss.add(Change::Approximated, field, "the model cannot but think: its least level");
            config.text_member("thinkingLevel", "MINIMAL");
        }
        (Generation::Budgets, Some((least @ 128, _))) => {
            loss.add(Change::Approximated, field, "the model cannot but think: its least budget");
            config.key("thinkingBudget").integer(least);
        }
        (Generation::Budgets, _) => {
            config.key("thinkingBudget").integer(0);
        }
    }
    config.close_object();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(model: &str, neutral: &str) -> (String, usize) {
        let value = crate::json::validate(neutral.as_bytes(), Default::default()).unwrap();
        let (mut config, mut loss) = (Writer::default(), Loss::default());
        write(model, value.get("thinking"), value.get("reasoning_effort"), &mut config, &mut loss);
        (String::from_utf8(config.into_bytes()).unwrap(), loss.fields().len())
    }

    #[test]
    fn names_tell_the_generation() {
        for (model, generation) in [
            ("gemini-2.5-pro", Generation::Budgets),
            ("models/gemini-3-pro-preview", Generation::Levels),
            ("google/gemini-3.8-flash", Generation::Levels),
            ("gemini-flash-latest", Generation::Levels),
            ("gemini-10-pro", Generation::Levels),
            ("gemini-embedding-001", Generation::Budgets),
            ("gemma-3", Generation::Budgets),
            ("", Generation::Budgets),
        ] {
            assert_eq!(Generation::of(model), generation, "{model}");
        }
    }

    #[test]
    fn words_and_budgets_go_where_the_model_takes_them() {
        let high = r#"{"reasoning_effort":"high"}"#;
        let (new, old) = ("gemini-3-pro", "gemini-2.5-pro");
        assert_eq!(written(new, high).0, r#""thinkingConfig":{"includeThoughts":true,"thinkingLevel":"HIGH"}"#);
        assert_eq!(written(old, high).0, r#""thinkingConfig":{"includeThoughts":true,"thinkingBudget":24576}"#);
        let off = r#"{"thinking":{"type":"disabled"}}"#;
        assert_eq!(written("gemini-2.5-flash", off), (r#""thinkingConfig":{"thinkingBudget":0}"#.into(), 0));
        assert_eq!(written(old, off), (r#""thinkingConfig":{"thinkingBudget":128}"#.into(), 1));
        assert_eq!(written(new, off), (r#""thinkingConfig":{"thinkingLevel":"MINIMAL"}"#.into(), 1));
        let much = r#"{"thinking":{"type":"enabled","budget_tokens":99999}}"#;
        assert_eq!(
            written(old, much),
            (r#""thinkingConfig":{"includeThoughts":true,"thinkingBudget":32768}"#.into(), 1)
        );
        assert_eq!(written(new, "{}"), (String::new(), 0));
    }
}
