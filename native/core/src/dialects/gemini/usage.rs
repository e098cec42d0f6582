//! `usageMetadata`, both ways.
//!
//! The Gemini API counts thoughts beside `candidatesTokenCount`, Vertex at times within it (BerriAI/litellm#36981,
//! simonw/llm-gemini#75): the total tells which. What tools put into the prompt comes on top of `promptTokenCount`.

use super::names::{fields, whole};
use crate::json::{Value, Writer};
use crate::ledger::{Usage, UsageSource};

/// Tokens, and how many of the output were thoughts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub usage: Usage,
    pub thoughts: u64,
}

/// Reads `usageMetadata`; `None` if it names no tokens. Negative and absurd counts are not counts.
pub(super) fn read(metadata: Value<'_>) -> Option<Counts> {
    let (mut prompt, mut tools, mut cached, mut candidates, mut thoughts, mut total) = (None, 0, 0, None, 0, None);
    for (name, value) in fields(metadata) {
        let count = whole(value).and_then(|count| u64::try_from(count).ok()).filter(|count| *count < 1 << 40);
        match &*name {
            "promptTokenCount" => prompt = count,
            "toolUsePromptTokenCount" => tools = count.unwrap_or(0),
            "cachedContentTokenCount" => cached = count.unwrap_or(0),
            "candidatesTokenCount" | "responseTokenCount" => candidates = count,
            "thoughtsTokenCount" => thoughts = count.unwrap_or(0),
            "totalTokenCount" => total = count,
            _ => {}
        }
    }
    if prompt.is_none() && candidates.is_none() && total.is_none() {
        return None;
    }
    let input = prompt.unwrap_or(0) + tools;
    let output = match (candidates, total) {
        (Some(candidates), Some(total)) if thoughts > 0 && total == input + candidates => candidates,
        (Some(candidates), _) => candidates + thoughts,
        (None, Some(total)) => total.saturating_sub(input).max(thoughts),
        (None, None) => thoughts,
    };
    let usage = Usage {
        input_tokens: input,
        output_tokens: output,
        cached_tokens: cached.min(input),
        source: UsageSource::Reported,
    };
    Some(Counts { usage, thoughts: thoughts.min(output) })
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
        read(value).map(|c| (c.usage.input_tokens, c.usage.output_tokens, c.usage.cached_tokens, c.thoughts))
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

    #[test]
    fn tools_and_the_cache_belong_to_the_input() {
        let text = r#"{"promptTokenCount":10,"toolUsePromptTokenCount":4,"cachedContentTokenCount":6,"candidatesTokenCount":1}"#;
        assert_eq!(counts(text), Some((14, 1, 6, 0)));
    }
}
