//! Tokens used, both ways.

use crate::dialects::neutral::Item;
use crate::json::{Kind, Value};
use crate::ledger::{Usage, UsageSource, MOST_TOKENS};

/// Puts down what `usage` says, if it says anything.
pub(super) fn read(usage: Value<'_>, items: &mut Vec<Item>) {
    if usage.kind() != Kind::Object {
        return;
    }
    let count =
        |object: Value<'_>, name: &str| object.get(name).and_then(Value::as_u64).filter(|count| *count <= MOST_TOKENS);
    let (input, output) = (count(usage, "input_tokens"), count(usage, "output_tokens"));
    if input.is_none() && output.is_none() {
        return;
    }
    let of = |details: &str, name: &str| usage.get(details).and_then(|details| count(details, name)).unwrap_or(0);
    let input_tokens = input.unwrap_or(0);
    let cached_tokens = of("input_tokens_details", "cached_tokens").min(input_tokens);
    let cache_written_tokens = of("input_tokens_details", "cache_write_tokens").min(input_tokens - cached_tokens);
    // `ttl_30m_tokens` and `ttl_12h_tokens` (openai 3.57.0, types/responses/response_usage.py).
    let kept = usage.get("input_tokens_details").and_then(|details| details.get("cache_write_tokens_details"));
    let kept_long = kept.and_then(|kept| count(kept, "ttl_12h_tokens")).unwrap_or(0);
    items.push(Item::Usage(Usage {
        input_tokens,
        output_tokens: output.unwrap_or(0),
        cached_tokens,
        cache_written_tokens,
        cache_written_long_tokens: kept_long.min(cache_written_tokens),
        source: UsageSource::Reported,
    }));
    let reasoning_tokens = of("output_tokens_details", "reasoning_tokens");
    if reasoning_tokens > 0 {
        items.push(Item::UsageDetail { reasoning_tokens });
    }
}

/// Writes `usage`, of which this dialect always says all.
pub(super) fn write(out: &mut Vec<u8>, usage: &Usage, reasoning_tokens: u64) {
    let counts: [(&str, u64); 6] = [
        ("{\"input_tokens\":", usage.input_tokens),
        (",\"input_tokens_details\":{\"cached_tokens\":", usage.cached_tokens),
        (",\"cache_write_tokens\":", usage.cache_written_tokens),
        ("},\"output_tokens\":", usage.output_tokens),
        (",\"output_tokens_details\":{\"reasoning_tokens\":", reasoning_tokens),
        ("},\"total_tokens\":", usage.total()),
    ];
    for (before, count) in counts {
        out.extend_from_slice(before.as_bytes());
        out.extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
    }
    out.push(b'}');
}
