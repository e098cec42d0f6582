//! Tokens used, as Anthropic counts them: `input_tokens` are those that no cache read or wrote; the neutral form has all.

use crate::dialects::neutral::Item;
use crate::json::{Kind, Value, Writer};
use crate::ledger::{Usage, UsageSource, MOST_TOKENS};

/// Counts of an answer so far: of a stream they come in parts, each the newest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    input: Option<u64>,
    output: Option<u64>,
    written: Option<u64>,
    written_for_an_hour: Option<u64>,
    read: Option<u64>,
    thought: Option<u64>,
}

impl Counts {
    /// Takes a `usage` object. What is null or missing stays as it was said before.
    pub fn take(&mut self, usage: Value<'_>) {
        if usage.kind() != Kind::Object {
            return;
        }
        for (key, value) in usage.fields() {
            let number = || value.as_u64().filter(|number| *number <= MOST_TOKENS);
            match key.raw() {
                b"\"input_tokens\"" => self.input = number().or(self.input),
                b"\"output_tokens\"" => self.output = number().or(self.output),
                b"\"cache_creation_input_tokens\"" => self.written = number().or(self.written),
                // Of `message_start` alone; what counts up later is the sum (anthropic 2.14.0, types/message_delta_usage.py).
                b"\"cache_creation\"" if value.kind() == Kind::Object => {
                    let hour = value.get("ephemeral_1h_input_tokens").and_then(Value::as_u64);
                    self.written_for_an_hour =
                        hour.filter(|number| *number <= MOST_TOKENS).or(self.written_for_an_hour);
                }
                b"\"cache_read_input_tokens\"" => self.read = number().or(self.read),
                b"\"output_tokens_details\"" if value.kind() == Kind::Object => {
                    let thought = value.get("thinking_tokens").and_then(Value::as_u64);
                    self.thought = thought.filter(|number| *number <= MOST_TOKENS).or(self.thought);
                }
                _ => {}
            }
        }
    }

    /// Tells them, if anything was said.
    pub fn tell(&self, items: &mut Vec<Item>) {
        let (Some(input), Some(output)) = (self.input, self.output) else { return };
        let (written, read) = (self.written.unwrap_or(0), self.read.unwrap_or(0));
        let usage = Usage {
            input_tokens: input + written + read,
            output_tokens: output,
            cached_tokens: read,
            cache_written_tokens: written,
            cache_written_long_tokens: self.written_for_an_hour.unwrap_or(0).min(written),
            source: UsageSource::Reported,
        };
        items.push(Item::Usage(usage));
        let reasoning_tokens = self.thought.unwrap_or(0);
        if reasoning_tokens > 0 {
            items.push(Item::UsageDetail { reasoning_tokens });
        }
    }
}

/// Writes a `usage` object; of the output, `thought` tokens were thoughts.
pub(super) fn write_usage(out: &mut Writer, usage: &Usage, thought: u64) {
    let written = usage.cache_written_tokens;
    let fresh = usage.input_tokens.saturating_sub(usage.cached_tokens).saturating_sub(written);
    out.open_object().key("input_tokens").integer(fresh);
    out.key("cache_creation_input_tokens").integer(written);
    out.key("cache_read_input_tokens").integer(usage.cached_tokens);
    out.key("output_tokens").integer(usage.output_tokens);
    if thought > 0 {
        out.key("output_tokens_details").open_object().key("thinking_tokens").integer(thought).close_object();
    }
    out.close_object();
}
