//! What the cache holds and how it did, for its operator.

use super::{Gateway, Snapshot};
use crate::metrics::CacheResult;

impl Gateway {
    /// The body of `GET /v1/cache/stats`. Requests are counted since the process began, as in the metrics; all else since
    /// the cache was made, which a reload of other providers or other `[cache]` does anew.
    pub(crate) fn cache_stats(&self, snapshot: &Snapshot) -> Vec<u8> {
        let stats = snapshot.cache.as_ref().map(|cache| cache.stats()).unwrap_or_default();
        let results = self.metrics.cache_results();
        let of = |result: CacheResult| results[result as usize];
        let (given, missed) = (of(CacheResult::Hit) + of(CacheResult::Shared), of(CacheResult::Miss));
        let asked = given + missed;
        let hit_rate = if asked == 0 { 0.0 } else { given as f64 / asked as f64 };
        let config = &snapshot.config.cache;
        let numbers = [
            ("entries", stats.entries),
            ("max_entries", config.max_entries as u64),
            ("bytes", stats.bytes),
            ("max_bytes", config.max_bytes),
            ("ttl_secs", config.ttl_secs),
            ("hits", of(CacheResult::Hit)),
            ("shared", of(CacheResult::Shared)),
            ("misses", missed),
            ("bypasses", of(CacheResult::Bypass)),
            ("evictions", stats.evictions),
            ("expired", stats.expired),
        ];
        let mut out = format!("{{\"object\":\"cache.stats\",\"enabled\":{}", config.enabled);
        for (name, number) in numbers {
            out.push_str(&format!(",\"{name}\":{number}"));
        }
        out.push_str(&format!(",\"hit_rate\":{hit_rate:.4}}}"));
        out.into_bytes()
    }
}
