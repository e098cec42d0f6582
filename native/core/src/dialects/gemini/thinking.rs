//! How much a model shall think, both ways. What a model takes stands in [`abilities`].
//!
//! Words become budgets by Google's own table (ai.google.dev, "OpenAI compatibility"):
//!
//! | `reasoning_effort` | `thinkingLevel` | `thinkingBudget` |
//! | --- | --- | --- |
//! | `none` | the least there is | 0 |
//! | `minimal` | `MINIMAL` | 1024 |
//! | `low` | `LOW` | 1024 |
//! | `medium` | `MEDIUM` | 8192 |
//! | `high` | `HIGH` | 24576 |
//! | `xhigh`, `max` | `HIGH`, which no model goes beyond | 32768 |

use super::abilities::{self, Off, Thinking, LEVELS};
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

/// The bounds of a budget, if anybody knows them. Models of levels take one for the sake of older callers.
fn bounds(kind: Option<Thinking>) -> (u64, u64) {
    match kind {
        Some(Thinking::Budgets(least, most, _)) => (least, most),
        _ => (0, i32::MAX.unsigned_abs().into()),
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
    if let Some(level) = level.as_ref().filter(|level| **level != "THINKING_LEVEL_UNSPECIFIED") {
        let effort = EFFORTS.iter().skip(1).find(|(_, known, _)| level.eq_ignore_ascii_case(known));
        match effort {
            Some((effort, ..)) => {
                out.text_member("reasoning_effort", effort);
            }
            None => loss.add(Change::Dropped, format!("{AT}.thinkingLevel"), "unknown level"),
        }
    }
    // That no thoughts are shown is what Google does of itself: it says something only where some are asked for.
    if shown == Some(false) && budget.map_or(level.is_some(), |budget| budget != 0) {
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
    let word = effort.and_then(Value::as_str);
    let known = word.as_ref().and_then(|word| EFFORTS.iter().find(|(known, ..)| word == known));
    if effort.is_some() && known.is_none() {
        loss.add(Change::Dropped, "reasoning_effort", "unknown effort");
    }
    let Some((field, wanted)) = wanted(thinking, known, loss) else { return };
    match (abilities::of(model).thinking, wanted) {
        (Some(Thinking::Never), Wanted::None) => {}
        (Some(Thinking::Never), _) => loss.add(Change::Dropped, field, "the model does not think"),
        (kind, Wanted::None) => none(kind, field, config, loss),
        (Some(Thinking::Levels(_)), Wanted::Some) => {
            open(config).close_object();
        }
        (_, Wanted::Some) => {
            open(config).key("thinkingBudget").raw(b"-1").close_object();
        }
        (Some(Thinking::Levels(levels)), Wanted::Effort(word, _)) => level(levels, word, field, config, loss),
        (kind, Wanted::Effort(_, tokens)) => {
            loss.add(Change::Renamed, field, "the budget that Google has for the word");
            budget(bounds(kind), tokens, field, config, loss);
        }
        (kind, Wanted::Budget(tokens)) => budget(bounds(kind), tokens, field, config, loss),
    }
}

/// How much a caller wants.
#[derive(Clone, Copy)]
enum Wanted {
    None,
    /// As much as the model likes.
    Some,
    Budget(u64),
    /// A level, and the tokens that stand for it.
    Effort(&'static str, u64),
}

/// How much is wanted, and the field that says so.
fn wanted(
    thinking: Option<Value<'_>>,
    effort: Option<&'static (&'static str, &'static str, u64)>,
    loss: &mut Loss,
) -> Option<(&'static str, Wanted)> {
    let kind = thinking.and_then(|thinking| thinking.get("type"));
    let is = |wanted: &str| kind.is_some_and(|kind| kind.str_eq(wanted));
    let tokens = thinking.and_then(|thinking| thinking.get("budget_tokens")).and_then(Value::as_u64);
    let more_exact = match tokens.filter(|_| is("enabled")) {
        _ if is("disabled") => Some(("thinking", Wanted::None)),
        Some(tokens) => Some(("thinking.budget_tokens", Wanted::Budget(tokens))),
        None => None,
    };
    match (more_exact, effort) {
        (Some(wanted), effort) => {
            if effort.is_some() {
                loss.add(Change::Dropped, "reasoning_effort", "Gemini takes a level or a budget: thinking says more");
            }
            Some(wanted)
        }
        (None, Some(("none", ..))) => Some(("reasoning_effort", Wanted::None)),
        (None, Some((_, level, tokens))) => Some(("reasoning_effort", Wanted::Effort(level, *tokens))),
        (None, None) if is("enabled") || is("adaptive") => Some(("thinking", Wanted::Some)),
        (None, None) => {
            if thinking.is_some() {
                loss.add(Change::Dropped, "thinking", "unknown kind");
            }
            None
        }
    }
}

/// Thoughts that are asked for are also shown.
fn open(config: &mut Writer) -> &mut Writer {
    config.key("thinkingConfig").open_object().key("includeThoughts").boolean(true)
}

/// The level, or the next that the model has: the one above, else the highest.
fn level(levels: &[&str], word: &str, field: &'static str, config: &mut Writer, loss: &mut Loss) {
    let rank = |level: &str| LEVELS.iter().position(|known| *known == level).unwrap_or(LEVELS.len());
    let next = levels.iter().find(|level| rank(level) >= rank(word)).or(levels.last());
    let Some(taken) = next else { return };
    if *taken != word {
        loss.add(Change::Clamped, field, "the levels of thinking that the model has");
    }
    open(config).text_member("thinkingLevel", taken).close_object();
}

fn budget(bounds: (u64, u64), tokens: u64, field: &'static str, config: &mut Writer, loss: &mut Loss) {
    let taken = tokens.clamp(bounds.0, bounds.1);
    if taken != tokens {
        loss.add(Change::Clamped, field, "the model's bounds of a thinking budget");
    }
    open(config).key("thinkingBudget").integer(taken).close_object();
}

/// No thoughts, or as few as the model can.
fn none(kind: Option<Thinking>, field: &'static str, config: &mut Writer, loss: &mut Loss) {
    config.key("thinkingConfig").open_object();
    match kind {
        Some(Thinking::Levels(levels)) => {
            loss.add(Change::Approximated, field, "the model cannot but think: its least level");
            config.text_member("thinkingLevel", levels.first().unwrap_or(&"LOW"));
        }
        Some(Thinking::Budgets(least, _, Off::Refused)) => {
            loss.add(Change::Approximated, field, "the model cannot but think: its least budget");
            config.key("thinkingBudget").integer(least);
        }
        _ => {
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
        let lost = loss.fields().iter().filter(|lost| lost.change.loses()).count();
        (String::from_utf8(config.into_bytes()).unwrap(), lost)
    }

    const SHOWN: &str = r#""thinkingConfig":{"includeThoughts":true"#;

    /// What is written for a model, without its frame.
    fn told(model: &str, neutral: &str) -> (String, usize) {
        let (config, lost) = written(model, neutral);
        (config.trim_start_matches(SHOWN).trim_matches([',', '}']).to_owned(), lost)
    }

    #[test]
    fn each_model_is_told_what_it_takes() {
        let effort = |word: &str| format!(r#"{{"reasoning_effort":"{word}"}}"#);
        let level = |word: &str| format!(r#""thinkingLevel":"{word}""#);
        for (model, word, expected, lost) in [
            ("gemini-3.1-pro-preview", "medium", level("MEDIUM"), 0),
            ("gemini-3.1-pro-preview", "minimal", level("LOW"), 1),
            ("gemini-3-pro-preview", "medium", level("HIGH"), 1),
            ("gemini-3.5-flash", "minimal", level("MINIMAL"), 0),
            ("gemini-3.8-flash", "max", level("HIGH"), 1),
            ("gemini-3-pro-image", "low", level("HIGH"), 1),
            ("gemini-flash-latest", "high", level("HIGH"), 0),
            ("gemini-2.5-flash", "xhigh", r#""thinkingBudget":24576"#.into(), 1),
            ("gemini-2.5-pro", "xhigh", r#""thinkingBudget":32768"#.into(), 0),
            ("gemini-2.5-computer-use-preview-10-2025", "low", r#""thinkingBudget":1024"#.into(), 0),
            ("a-name-of-ones-own", "low", r#""thinkingBudget":1024"#.into(), 0),
        ] {
            assert_eq!(told(model, &effort(word)), (expected, lost), "{model} {word}");
        }
        let adaptive = r#"{"thinking":{"type":"adaptive"}}"#;
        assert_eq!(told("gemini-2.5-flash", adaptive), (r#""thinkingBudget":-1"#.into(), 0));
        assert_eq!(told("gemini-3.8-flash", adaptive), (String::new(), 0));
        let both = r#"{"reasoning_effort":"low","thinking":{"type":"enabled","budget_tokens":9000}}"#;
        assert_eq!(told("gemini-2.5-flash", both), (r#""thinkingBudget":9000"#.into(), 1));
    }

    /// Google refuses to be told of thinking where there is none.
    #[test]
    fn models_that_do_not_think_are_told_nothing() {
        for model in ["gemini-2.0-flash", "gemini-2.5-flash-image", "gemma-4-31b-it"] {
            assert_eq!(written(model, r#"{"reasoning_effort":"high"}"#), (String::new(), 1), "{model}");
            assert_eq!(written(model, r#"{"thinking":{"type":"enabled","budget_tokens":9}}"#), (String::new(), 1));
            assert_eq!(written(model, r#"{"reasoning_effort":"none"}"#), (String::new(), 0), "{model}");
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
        assert_eq!(written(new, off), (r#""thinkingConfig":{"thinkingLevel":"LOW"}"#.into(), 1));
        let least = (r#""thinkingConfig":{"thinkingLevel":"MINIMAL"}"#.into(), 1);
        assert_eq!(written("gemini-3-flash-preview", off), least);
        let much = r#"{"thinking":{"type":"enabled","budget_tokens":99999}}"#;
        assert_eq!(
            written(old, much),
            (r#""thinkingConfig":{"includeThoughts":true,"thinkingBudget":32768}"#.into(), 1)
        );
        assert_eq!(written(new, "{}"), (String::new(), 0));
    }
}
