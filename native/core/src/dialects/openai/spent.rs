//! Writes `usage` of an answer.

use super::encode::write_number;
use crate::dialects::neutral::{Endpoint, Item};
use crate::ledger::Usage;

/// What tokens were used for, beyond [`Usage`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// Of the output, what was thought.
    pub reasoning_tokens: u64,
    /// Of the input, what was written to the provider's cache.
    pub cache_written_tokens: u64,
}

impl Detail {
    /// What an item says of it.
    pub fn of(item: &Item) -> Option<Detail> {
        match item {
            Item::UsageDetail { reasoning_tokens, cache_written_tokens } => {
                Some(Detail { reasoning_tokens: *reasoning_tokens, cache_written_tokens: *cache_written_tokens })
            }
            _ => None,
        }
    }
}

/// `usage` in OpenAI's form.
pub fn write_usage(out: &mut Vec<u8>, endpoint: Endpoint, usage: &Usage) {
    write_usage_detailed(out, endpoint, usage, Detail::default());
}

/// The same with what the tokens were used for, where something is known of it.
pub fn write_usage_detailed(out: &mut Vec<u8>, endpoint: Endpoint, usage: &Usage, detail: Detail) {
    out.extend_from_slice(b"{\"prompt_tokens\":");
    write_number(out, usage.input_tokens);
    if endpoint != Endpoint::Embeddings {
        out.extend_from_slice(b",\"completion_tokens\":");
        write_number(out, usage.output_tokens);
    }
    out.extend_from_slice(b",\"total_tokens\":");
    write_number(out, usage.total());
    if usage.cached_tokens > 0 || detail.cache_written_tokens > 0 {
        out.extend_from_slice(b",\"prompt_tokens_details\":{\"cached_tokens\":");
        write_number(out, usage.cached_tokens);
        if detail.cache_written_tokens > 0 {
            out.extend_from_slice(b",\"cache_write_tokens\":");
            write_number(out, detail.cache_written_tokens);
        }
        out.push(b'}');
    }
    if detail.reasoning_tokens > 0 {
        out.extend_from_slice(b",\"completion_tokens_details\":{\"reasoning_tokens\":");
        write_number(out, detail.reasoning_tokens);
        out.push(b'}');
    }
    out.push(b'}');
}
