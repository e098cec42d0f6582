//! Writes `usage` of an answer.

use super::encode::write_number;
use crate::dialects::neutral::Endpoint;
use crate::ledger::Usage;

/// `usage` in OpenAI's form.
pub fn write_usage(out: &mut Vec<u8>, endpoint: Endpoint, usage: &Usage) {
    write_usage_detailed(out, endpoint, usage, 0);
}

/// The same, of whose output so many tokens were thought.
pub fn write_usage_detailed(out: &mut Vec<u8>, endpoint: Endpoint, usage: &Usage, reasoning_tokens: u64) {
    out.extend_from_slice(b"{\"prompt_tokens\":");
    write_number(out, usage.input_tokens);
    if endpoint != Endpoint::Embeddings {
        out.extend_from_slice(b",\"completion_tokens\":");
        write_number(out, usage.output_tokens);
    }
    out.extend_from_slice(b",\"total_tokens\":");
    write_number(out, usage.total());
    if usage.cached_tokens > 0 || usage.cache_written_tokens > 0 {
        out.extend_from_slice(b",\"prompt_tokens_details\":{\"cached_tokens\":");
        write_number(out, usage.cached_tokens);
        if usage.cache_written_tokens > 0 {
            out.extend_from_slice(b",\"cache_write_tokens\":");
            write_number(out, usage.cache_written_tokens);
        }
        out.push(b'}');
    }
    if reasoning_tokens > 0 {
        out.extend_from_slice(b",\"completion_tokens_details\":{\"reasoning_tokens\":");
        write_number(out, reasoning_tokens);
        out.push(b'}');
    }
    out.push(b'}');
}
