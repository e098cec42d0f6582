//! An answer that an engine of this process speaks.

use bytes::Bytes;

use super::attempt::Follow;
use super::verdict::Fall;
use super::Exchange;
use crate::clock::SECOND;
use crate::dialects::neutral::Item;
use crate::dialects::openai::encode::{Collected, Stamp};
use crate::dialects::openai::pieces::Pieces;
use crate::error::Code;
use crate::ledger::Usage;
use crate::metrics::Outcome;

impl Exchange {
    pub(super) fn take_delta(&mut self, item: Item) {
        let (endpoint, streams) = (self.endpoint(), self.facts().stream);
        let stamp = self.stamp();
        let neutral = self.is_neutral();
        let Some(attempt) = &mut self.attempt else { return };
        let Follow::Engine(collected) = &mut attempt.follow else { return };
        attempt.since_us = self.now.mono_us;
        let size = item_bytes(&item);
        attempt.credit = attempt.credit.saturating_sub(size);
        attempt.first_byte_us.get_or_insert(self.now.mono_us - attempt.opened_us);
        if let Item::Usage(usage) = item {
            self.account.engine_usage = Some(usage);
            return;
        }
        let chunk = if streams { stamp.chunk(endpoint, &item) } else { None };
        let content =
            matches!(&item, Item::Text { text, .. } if !text.is_empty()) || matches!(item, Item::ToolCall { .. });
        if !collected.add(item) {
            let words = "The engine said something that makes no sense.";
            self.fall(Fall::upstream(Code::UpstreamMalformed, Outcome::Malformed, words), true);
            return;
        }
        self.hold(size);
        self.account.engine_bytes += size;
        if let Some(chunk) = chunk {
            let content = content || self.out.has_content();
            self.say(Pieces::from_iter([framed(chunk, neutral)]), content);
        }
    }

    pub(super) fn finish_engine(&mut self, mut collected: Collected) {
        let (endpoint, streams) = (self.endpoint(), self.facts().stream);
        if !collected.is_complete(endpoint) {
            let words = "The engine ended before its answer was complete.";
            self.fall(Fall::upstream(Code::UpstreamTruncated, Outcome::Truncated, words), false);
            return;
        }
        collected.sort();
        let bytes = std::mem::take(&mut self.account.engine_bytes);
        self.free(bytes);
        let usage = self.account.engine_usage;
        let stamp = self.stamp();
        if streams {
            let mut pieces = Pieces::new();
            let owed = usage.is_none() && self.facts().include_usage;
            if let Some(usage) = usage.filter(|_| self.facts().include_usage) {
                pieces.push(framed(stamp.usage_chunk(endpoint, &usage), self.is_neutral()));
            }
            if !self.is_neutral() && !owed {
                pieces.push(Bytes::from_static(b"data: [DONE]\n\n"));
            }
            self.say(pieces, true);
            self.succeed(usage, false, (collected.text().into_bytes(), 0));
            self.attempt = None;
            if owed {
                self.count_owed(Bytes::from(stamp.usage_chunk(endpoint, &Usage::default())));
            } else {
                self.finish();
            }
        } else {
            let body = stamp.whole(endpoint, &collected, &usage.unwrap_or_default());
            self.succeed(usage, collected.is_clean(), (collected.text().into_bytes(), 0));
            self.reply_whole(Bytes::from(body));
        }
    }

    pub(super) fn stamp(&self) -> Stamp {
        let prefix =
            if self.endpoint() == crate::dialects::neutral::Endpoint::Completions { "cmpl" } else { "chatcmpl" };
        Stamp {
            id: format!("{prefix}-{}", self.request_id()),
            created: self.begun.wall_us / SECOND as i64,
            model: self.facts.as_ref().map_or_else(String::new, |facts| facts.model.clone()),
        }
    }
}

/// What an engine's item counts against credit and buffers.
pub(super) fn item_bytes(item: &Item) -> usize {
    let bytes = match item {
        Item::Text { text, .. } => text.len(),
        Item::ToolCall { id, name, arguments, .. } => {
            id.as_ref().map_or(0, String::len) + name.as_ref().map_or(0, String::len) + arguments.len()
        }
        Item::Embedding { vector, .. } => vector.len() * 4,
        Item::Finish { .. } | Item::Usage(_) => 1,
    };
    bytes.max(1)
}

fn framed(json: Vec<u8>, neutral: bool) -> Bytes {
    if neutral {
        return Bytes::from(json);
    }
    let mut out = Vec::with_capacity(json.len() + 8);
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(&json);
    out.extend_from_slice(b"\n\n");
    Bytes::from(out)
}
