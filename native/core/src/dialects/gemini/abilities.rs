//! What a model's name says that it can do.
//!
//! Sources: [1] ai.google.dev/gemini-api/docs/generate-content/thinking, its table of budgets; [2]
//! docs.cloud.google.com/gemini-enterprise-agent-platform/models/thinking, its table of levels; [3]
//! ai.google.dev/gemini-api/docs/generate-content/long-decode; [4] what pydantic-ai 2.68 asked the API itself
//! (`profiles/google.py`).

/// How a model is told how much to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinking {
    /// Not at all: it refuses to be told ("An error will be returned if this field is set for models that don't support
    /// thinking", google-genai 3.6, `types.GenerationConfig`).
    Never,
    /// By `thinkingBudget`, from the first to the second; -1 leaves it to the model.
    Budgets(u64, u64, Off),
    /// By `thinkingLevel`, in these words.
    Levels(&'static [&'static str]),
}

/// Whether a budget of 0 is taken, and turns thinking off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Off {
    Possible,
    Refused,
}

/// The levels, the least first.
pub(super) const LEVELS: &[&str] = &["MINIMAL", "LOW", "MEDIUM", "HIGH"];
const NOT_MINIMAL: &[&str] = &["LOW", "MEDIUM", "HIGH"];

/// The beginnings of names, each before those that begin it.
const MODELS: &[(&str, Thinking)] = &[
    ("gemini-4-argon", Thinking::Levels(NOT_MINIMAL)),   // [3]
    ("gemini-4-carbon", Thinking::Levels(NOT_MINIMAL)),  // [2], [4]
    ("gemini-3.8-flash", Thinking::Levels(NOT_MINIMAL)), // [2]
    ("gemini-3.7-flash", Thinking::Levels(NOT_MINIMAL)), // [2]
    ("gemini-3.6-flash", Thinking::Levels(LEVELS)),      // [2]
    ("gemini-3.5-flash", Thinking::Levels(LEVELS)),      // [2], also -lite
    ("gemini-3.1-pro", Thinking::Levels(NOT_MINIMAL)),   // [2]
    ("gemini-3.1-flash-lite-image", Thinking::Levels(&["MINIMAL", "HIGH"])), // [2]
    ("gemini-3.1-flash-image", Thinking::Levels(&["MINIMAL", "HIGH"])), // [2]
    ("gemini-3.1-flash-lite", Thinking::Levels(LEVELS)), // [2]
    ("gemini-3-pro-image", Thinking::Levels(&["HIGH"])), // [2]
    ("gemini-3-pro", Thinking::Levels(&["LOW", "HIGH"])), // [4]
    ("gemini-3-flash", Thinking::Levels(LEVELS)),        // [2]
    ("gemini-2.5-pro-preview-tts", Thinking::Never),     // [1]: speech is not in it
    ("gemini-2.5-flash-preview-tts", Thinking::Never),   // [1]: speech is not in it
    ("gemini-2.5-flash-image", Thinking::Never),         // [4]
    ("gemini-2.5-flash-lite", Thinking::Budgets(512, 24576, Off::Possible)), // [1]
    ("gemini-2.5-flash", Thinking::Budgets(1, 24576, Off::Possible)), // [1]
    ("gemini-2.5-pro", Thinking::Budgets(128, 32768, Off::Refused)), // [1]
    ("gemini-robotics-er-1.5", Thinking::Budgets(1, 24576, Off::Possible)), // [1]
    // Families. What all of them take, for those of tomorrow.
    ("gemini-2.5", Thinking::Budgets(512, 24576, Off::Refused)), // [1]
    ("gemini-2.", Thinking::Never),                              // [1]: from 2.5 on
    ("gemini-1.", Thinking::Never),                              // [1]: from 2.5 on
    ("gemini-embedding", Thinking::Never),
    ("gemma", Thinking::Never),                 // [4]
    ("gemini-", Thinking::Levels(NOT_MINIMAL)), // [2]
];

/// What a model can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Abilities {
    /// `None` for a name that is not Google's: another's server may do anything.
    pub thinking: Option<Thinking>,
    /// It refuses calls of the present turn that are not signed: Gemini 3 and later, but for those that make pictures
    /// (docs.cloud.google.com, "Thought signatures": "Gemini 3 Pro Image doesn't enforce this validation").
    pub wants_signatures: bool,
    /// It takes functions beside Google's own tools and beside a format of its answer: Gemini 3 and later
    /// (ai.google.dev/gemini-api/docs/tool-combination; googleapis/python-genai#867).
    pub combines: bool,
}

/// Of `gemini-3-pro-preview`, `models/gemini-2.5-flash` or `google/gemini-flash-latest`.
pub(super) fn of(model: &str) -> Abilities {
    let name = model.rsplit('/').next().unwrap_or_default();
    let thinking = MODELS.iter().find(|(known, _)| name.starts_with(known)).map(|(_, thinking)| *thinking);
    let is_new = matches!(thinking, Some(Thinking::Levels(_)));
    Abilities { thinking, wants_signatures: is_new && !name.contains("image"), combines: is_new || thinking.is_none() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_a_model_can_do() {
        let newest = Some(Thinking::Levels(NOT_MINIMAL));
        for (model, thinking, wants_signatures, combines) in [
            ("models/gemini-2.5-pro", Some(Thinking::Budgets(128, 32768, Off::Refused)), false, false),
            ("gemini-2.5-flash-lite-preview-09-2025", Some(Thinking::Budgets(512, 24576, Off::Possible)), false, false),
            ("gemini-2.0-flash", Some(Thinking::Never), false, false),
            ("gemma-4-31b-it", Some(Thinking::Never), false, false),
            ("gemini-3-pro-preview", Some(Thinking::Levels(&["LOW", "HIGH"])), true, true),
            ("gemini-3-pro-image-preview", Some(Thinking::Levels(&["HIGH"])), false, true),
            ("google/gemini-3.5-flash-lite", Some(Thinking::Levels(LEVELS)), true, true),
            ("gemini-flash-latest", newest, true, true),
            ("gemini-10-pro", newest, true, true),
            ("a-name-of-ones-own", None, false, true),
            ("", None, false, true),
        ] {
            assert_eq!(of(model), Abilities { thinking, wants_signatures, combines }, "{model}");
        }
    }

    #[test]
    fn each_row_is_found() {
        for (name, thinking) in MODELS {
            assert_eq!(of(name).thinking, Some(*thinking), "{name}");
        }
    }
}
