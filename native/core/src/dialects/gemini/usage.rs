//! `usageMetadata`, both ways.
//!
//! The Gemini API counts thoughts beside `candidatesTokenCount`, Vertex at times within it (BerriAI/litellm#36981,
//! simonw/llm-gemini#75): the total tells which. What tools put into the prompt comes on top of `promptTokenCount`.

use super::names::{fields, whole};
use crate::json::{Value, Writer};
use crate::ledger::{Usage, UsageSource, MOST_TOKENS};

/// The counts of `usageMetadata` as they are told. Each event of a stream counts what was used up to it, and may leave out
/// what an earlier one told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    prompt: Option<u64>,
    tools: Option<u64>,
    cached: Option<u64>,
    candidates: Option<u64>,
    thoughts: Option<u64>,
    total: Option<u64>,
}

impl Counts {
    /// Reads `usageMetadata`. Negative and absurd counts are not counts.
    pub fn read(metadata: Value<'_>) -> Counts {
        let mut counts = Counts::default();
        for (name, value) in fields(metadata) {
            let place = match &*name {
                "promptTokenCount" => &mut counts.prompt,
                "toolUsePromptTokenCount" => &mut counts.tools,
                "cachedContentTokenCount" => &mut counts.cached,
                "candidatesTokenCount" | "responseTokenCount" => &mut counts.candidates,
                "thoughtsTokenCount" => &mut counts.thoughts,
                "totalTokenCount" => &mut counts.total,
                _ => continue,
            };
            *place = whole(value).and_then(|count| u64::try_from(count).ok()).filter(|count| *count <= MOST_TOKENS);
        }
        counts
    }

    /// With what a later event tells.
    pub fn larger(self, later: Counts) -> Counts {
        Counts {
            prompt: self.prompt.max(later.prompt),
            tools: self.tools.max(later.tools),
            cached: self.cached.max(later.cached),
            candidates: self.candidates.max(later.candidates),
            thoughts: self.thoughts.max(later.thoughts),
            total: self.total.max(later.total),
        }
    }

    /// Tokens, and how many of the output were thoughts. `None` if the input is told neither by itself nor by the total:
    /// no request has none, so that it must be counted.
    pub fn usage(&self) -> Option<(Usage, u64)> {
        let thoughts = self.thoughts.unwrap_or(0);
        let said = self.candidates.map(|candidates| candidates + thoughts);
        let input = match self.prompt {
            Some(prompt) => prompt + self.tools.unwrap_or(0),
            None => self.total?.saturating_sub(said?),
        };
        if input == 0 {
            return None;
        }
        let output = match (self.candidates, self.total) {
            (Some(candidates), Some(total)) if thoughts > 0 && total == input + candidates => candidates,
            (Some(candidates), _) => candidates + thoughts,
            (None, Some(total)) => total.saturating_sub(input).max(thoughts),
            (None, None) => thoughts,
        };
        let usage = Usage {
            input_tokens: input,
            output_tokens: output,
            cached_tokens: self.cached.unwrap_or(0).min(input),
            source: UsageSource::Reported,
            // What a cache holds is made, and paid for, by requests of its own.
            ..Usage::default()
        };
        Some((usage, thoughts.min(output)))
    }
}

/// Writes the member `usageMetadata`.
pub(super) fn write(json: &mut Writer, usage: &Usage, thoughts: u64) {
    let thoughts = thoughts.min(usage.output_tokens);
    json.key("usageMetadata").open_object().key("promptTokenCount").integer(usage.input_tokens);
    if usage.cached_tokens > 0 {
        json.key("cachedContentTokenCount").integer(usage.cached_tokens);
    }
    json.key("candidatesTokenCount").integer(usage.output_tokens - thoughts);
    if thoughts > 0 {
        json.key("thoughtsTokenCount").integer(thoughts);
    }
    json.key("totalTokenCount").integer(usage.total()).close_object();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(text: &str) -> Option<(u64, u64, u64, u64)> {
        let value = crate::json::validate(text.as_bytes(), Default::default()).unwrap();
        let told = Counts::read(value).usage();
        told.map(|(usage, thoughts)| (usage.input_tokens, usage.output_tokens, usage.cached_tokens, thoughts))
    }

    /// BerriAI/litellm#36981, #8140, #3154; simonw/llm-gemini#75.
    #[test]
    fn thoughts_are_counted_once_whether_beside_or_within_the_candidates() {
        let beside = r#"{"promptTokenCount":10,"candidatesTokenCount":5,"thoughtsTokenCount":20,"totalTokenCount":35}"#;
        let within =
            r#"{"promptTokenCount":10,"candidatesTokenCount":25,"thoughtsTokenCount":20,"totalTokenCount":35}"#;
        assert_eq!(counts(beside), Some((10, 25, 0, 20)));
        assert_eq!(counts(within), Some((10, 25, 0, 20)));
        let unsaid = r#"{"promptTokenCount":10,"thoughtsTokenCount":20,"totalTokenCount":30}"#;
        assert_eq!(counts(unsaid), Some((10, 20, 0, 20)));
    }

    /// lingyuins/octopus#243.
    #[test]
    fn negative_usage_is_none() {
        assert_eq!(counts(r#"{"promptTokenCount":-5}"#), None);
        assert_eq!(counts(r#"{"promptTokenCount":7,"candidatesTokenCount":-5}"#), Some((7, 0, 0, 0)));
        assert_eq!(counts("{}"), None);
    }

    /// BerriAI/litellm#36981: no request has an input of nothing.
    #[test]
    fn an_input_that_is_not_told_is_of_the_total_or_none() {
        assert_eq!(counts(r#"{"candidatesTokenCount":5}"#), None);
        assert_eq!(counts(r#"{"candidatesTokenCount":5,"totalTokenCount":5}"#), None);
        assert_eq!(counts(r#"{"totalTokenCount":5}"#), None);
        let text = r#"{"candidatesTokenCount":5,"thoughtsTokenCount":2,"totalTokenCount":17}"#;
        assert_eq!(counts(text), Some((10, 7, 0, 2)));
        assert_eq!(counts(r#"{"promptTokenCount":9,"totalTokenCount":9}"#), Some((9, 0, 0, 0)));
    }

    #[test]
    fn tools_and_the_cache_belong_to_the_input() {
        let text = r#"{"promptTokenCount":10,"toolUsePromptTokenCount":4,"cachedContentTokenCount":6,"candidatesTokenCount":1}"#;
        assert_eq!(counts(text), Some((14, 1, 6, 0)));
    }
}
