//! What was spent: the ledger rows of this process, summed up by provider and model.

use std::collections::BTreeMap;

use super::{Gateway, LANES};
use crate::json;
use crate::ledger::Row;
use crate::price::usd;
use crate::sync::{lock, Arc};

/// Pairs of provider and model that are summed up by name; the rest is `other`. Under a wildcard callers choose models.
const MAX_PAIRS: usize = 1_000;

type Pair = (Option<Arc<str>>, Option<Arc<str>>);

/// Sums of one pair.
#[derive(Clone, Copy, Default)]
struct Sum {
    requests: u64,
    input_tokens: u64,
    output_tokens: u64,
    cached_tokens: u64,
    cache_written_tokens: u64,
    priced: u64,
    /// Used tokens, at no price that is known.
    unpriced: u64,
    cost_nano_usd: u64,
}

#[derive(Clone, Default)]
pub(super) struct Costs {
    pairs: BTreeMap<Pair, Sum>,
    /// Wall clock of the loop's first look.
    pub since_us: Option<i64>,
}

impl Sum {
    fn add(&mut self, row: &Row) {
        self.requests += 1;
        self.input_tokens = self.input_tokens.saturating_add(row.usage.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(row.usage.output_tokens);
        self.cached_tokens = self.cached_tokens.saturating_add(row.usage.cached_tokens);
        self.cache_written_tokens = self.cache_written_tokens.saturating_add(row.usage.cache_written_tokens);
        match row.cost_nano_usd {
            Some(cost) => {
                self.priced += 1;
                self.cost_nano_usd = self.cost_nano_usd.saturating_add(cost);
            }
            None => self.unpriced += u64::from(row.usage.total() > 0),
        }
    }

    fn write(&self, (provider, model): &Pair, out: &mut Vec<u8>) {
        let text = |out: &mut Vec<u8>, name: &str, text: Option<&str>| {
            out.extend_from_slice(name.as_bytes());
            match text {
                Some(text) => json::write_string(out, text),
                None => out.extend_from_slice(b"null"),
            }
        };
        text(out, "{\"provider\":", provider.as_deref());
        text(out, ",\"model\":", model.as_deref());
        let priced = self.priced > 0;
        let cost = if priced { self.cost_nano_usd.to_string() } else { "null".into() };
        out.extend_from_slice(
            format!(
                ",\"requests\":{},\"input_tokens\":{},\"output_tokens\":{},\"cached_tokens\":{},\"cache_written_tokens\":{},\"cost_nano_usd\":{cost}",
                self.requests, self.input_tokens, self.output_tokens, self.cached_tokens, self.cache_written_tokens
            )
            .as_bytes(),
        );
        text(out, ",\"cost_usd\":", priced.then(|| usd(self.cost_nano_usd)).as_deref());
        out.push(b'}');
    }
}

impl Costs {
    pub fn add(&mut self, row: &Row) {
        // What a provider refused or failed costs nothing, and a name that no model has must not take a place.
        let is_free = row.usage.total() == 0 && row.cost_nano_usd.is_none() && row.status >= 400;
        if !row.asked || is_free {
            return;
        }
        let mut pair = (row.provider.clone(), row.upstream_model.clone());
        if self.pairs.len() >= MAX_PAIRS && !self.pairs.contains_key(&pair) {
            pair = (Some(Arc::from("other")), Some(Arc::from("other")));
        }
        self.pairs.entry(pair).or_default().add(row);
    }

    fn to_json(&self) -> Vec<u8> {
        let mut out = format!("{{\"since_us\":{},\"records\":[", self.since_us.unwrap_or(0)).into_bytes();
        for (at, (pair, sum)) in self.pairs.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            sum.write(pair, &mut out);
        }
        let total = self.pairs.values().fold(0u64, |total, sum| total.saturating_add(sum.cost_nano_usd));
        let unpriced: u64 = self.pairs.values().map(|sum| sum.unpriced).sum();
        let tail = format!("],\"total_cost_usd\":\"{}\",\"unpriced_requests\":{unpriced}}}", usd(total));
        out.extend_from_slice(tail.as_bytes());
        out
    }
}

impl Gateway {
    /// `GET /v1/costs`: what the loop summed up, and what it has not seen yet.
    pub(crate) fn costs_json(&self, now_us: i64) -> Vec<u8> {
        // The loop takes rows out of the lanes under the same lock, so that none is counted twice or not at all.
        let costs = lock(&self.costs);
        let mut sums = costs.clone();
        for lane in 0..LANES {
            self.records.look(lane, |row| sums.add(row));
        }
        drop(costs);
        sums.since_us.get_or_insert(now_us);
        sums.to_json()
    }
}
