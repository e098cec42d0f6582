//! Reads a whole answer: is it what was asked for, what did it use, may it be cached.

use super::choices::is_clean_value;
use super::chunk::read_delta;
use super::words::apart;
use crate::dialects::neutral::Endpoint;
use crate::json::{Index, Kind, Limits, Outline, Value};
use crate::ledger::{Usage, UsageSource, MOST_TOKENS};

/// What a whole body of status 200 is.
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// The shape that was asked for.
    Whole {
        /// Tokens used, if it says.
        usage: Option<Usage>,
        /// Every choice ended by itself and as it was meant to, so that the answer may be given again.
        clean: bool,
    },
    /// An error object in spite of the status.
    Error(String),
    /// Not JSON, or another shape.
    Malformed,
}

/// Reads the body of a 200, of which `wanted` choices or vectors were asked for. `text` receives the answer's words if
/// usage is missing or cannot be.
pub fn read(body: &[u8], endpoint: Endpoint, wanted: u64, text: &mut Vec<u8>) -> Answer {
    let mut outline = Outline::default();
    let mut index = Index::default();
    if outline.scan(&mut index, body, Limits::default()).is_err() {
        return Answer::Malformed;
    }
    let field = |name| outline.get(&index, body, name);
    if let Some(error) = field("error").filter(|error| !error.is_null()) {
        return Answer::Error(error_message(error));
    }
    let list = match endpoint {
        Endpoint::Chat | Endpoint::Completions => field("choices"),
        Endpoint::Embeddings => field("data"),
    };
    let Some(list) = list.filter(|list| list.kind() == Kind::Array) else { return Answer::Malformed };
    let usage = field("usage").and_then(read_usage);
    let (mut clean, mut count) = (true, 0);
    if endpoint == Endpoint::Embeddings {
        count = list.elements().count() as u64;
    } else {
        let is_sure = usage.is_some_and(|usage| usage.is_likely());
        for choice in list.elements() {
            count += 1;
            if choice.kind() != Kind::Object {
                return Answer::Malformed;
            }
            clean &= choice.get("finish_reason").is_some_and(is_clean_value);
            if !is_sure {
                apart(text, |text| choice_text(choice, text));
            }
        }
    }
    if count == 0 {
        return Answer::Malformed;
    }
    // Words cannot have cost nothing.
    let usage = usage.filter(|usage| usage.is_likely() || text.is_empty());
    Answer::Whole { usage, clean: clean && count == wanted }
}

fn choice_text(choice: Value<'_>, text: &mut Vec<u8>) {
    if let Some(words) = choice.get("text") {
        words.append_str(text);
    }
    if let Some(message) = choice.get("message") {
        read_delta(message, text);
    }
}

/// `usage` as OpenAI and its like write it. `None` if it names no tokens at all.
pub fn read_usage(usage: Value<'_>) -> Option<Usage> {
    if usage.kind() != Kind::Object {
        return None;
    }
    let (mut input, mut output, mut total) = (None, None, None);
    let (mut cached, mut written) = (0, 0);
    let count_of = |value: Value<'_>| tokens(value).unwrap_or(0);
    for (key, value) in usage.fields() {
        if key.str_eq("prompt_tokens") {
            input = tokens(value);
        } else if key.str_eq("completion_tokens") {
            output = tokens(value);
        } else if key.str_eq("total_tokens") {
            total = tokens(value);
        } else if key.str_eq("prompt_tokens_details") && value.kind() == Kind::Object {
            cached = cached.max(value.get("cached_tokens").map_or(0, count_of));
            written = written.max(value.get("cache_write_tokens").map_or(0, count_of));
        } else if key.str_eq("cache_creation_input_tokens") {
            // Of gateways in front of Anthropic's models.
            written = written.max(count_of(value));
        } else if key.str_eq("prompt_cache_hit_tokens") || key.str_eq("cached_tokens") {
            // DeepSeek's (https://api-docs.deepseek.com/guides/kv_cache), and Moonshot's
            // (https://platform.moonshot.ai/docs/api/chat).
            cached = cached.max(count_of(value));
        }
    }
    let (input, output) = match (input, output, total) {
        (None, None, None) => return None,
        (Some(input), Some(output), _) => (input, output),
        (Some(input), None, total) => (input, total.unwrap_or(input).saturating_sub(input)),
        (None, Some(output), total) => (total.unwrap_or(output).saturating_sub(output), output),
        (None, None, Some(total)) => (total, 0),
    };
    Some(Usage {
        input_tokens: input,
        output_tokens: output,
        cached_tokens: cached.min(input),
        cache_written_tokens: written.min(input - cached.min(input)),
        source: UsageSource::Reported,
        ..Usage::default()
    })
}

/// A count of tokens: whole numbers as they are, negative ones, and more than there can be, not at all.
pub(super) fn tokens(value: Value<'_>) -> Option<u64> {
    let number = value.as_f64().filter(|number| *number >= 0.0)?;
    value.as_u64().or_else(|| (number < 1e12).then_some(number as u64)).filter(|tokens| *tokens <= MOST_TOKENS)
}

/// The words of an error object, or of a string, at most 512 characters.
pub fn error_message(error: Value<'_>) -> String {
    let words = match error.kind() {
        Kind::String => error.as_str(),
        Kind::Object => error.get("message").and_then(|message| message.as_str()),
        _ => None,
    };
    words.unwrap_or_default().chars().take(512).collect()
}

/// Whether an error says that the credential may spend no more (OpenAI's `insufficient_quota`, and the older
/// `billing_hard_limit_reached`), which no pause mends.
pub fn is_spent(body: &[u8]) -> bool {
    let Ok(index) = Index::scan(body, Limits::default()) else { return false };
    let Some(error) = index.get(body, "error").filter(|error| error.kind() == Kind::Object) else { return false };
    let words = ["code", "type"].into_iter().filter_map(|field| error.get(field)?.as_str());
    words.into_iter().any(|word| matches!(&*word, "insufficient_quota" | "billing_hard_limit_reached"))
}

/// Whether `body` is an error in the OpenAI shape (`{"error":{"message":…}}`), fit to be passed on as it is.
pub fn is_error_shape(body: &[u8]) -> bool {
    let Ok(index) = Index::scan(body, Limits::default()) else { return false };
    index
        .get(body, "error")
        .filter(|error| error.kind() == Kind::Object)
        .and_then(|error| error.get("message"))
        .is_some_and(|message| message.kind() == Kind::String)
}
