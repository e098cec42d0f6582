//! The exact-answer cache: bounded in entries and in bytes, never past its time, the same for the same seed.
//!
//! Eviction is SIEVE (Zhang et al., NSDI 2024): a queue in the order of insertion and one hand that passes over what was
//! used since it last came by. A hit only sets a flag, so that a scan of requests asked once cannot push out the
//! popular ones. Our own, because the ready-made caches bound weight but not entries, take locks that a model
//! checker cannot see, know about threads and clocks, or draw random numbers.

mod shard;

use std::hash::BuildHasher;

use bytes::Bytes;
use foldhash::fast::FixedState;
use smallvec::SmallVec;

use crate::dialects::Loss;
use crate::sync::{lock, Arc, Mutex};
use shard::Shard;

/// What an entry costs beside its bytes: slot, index, reference counts.
const OVERHEAD_BYTES: u64 = 256;
/// No entry may take more than 1/8 of the bytes, so there may be as many shards and the largest entry still fits one.
const SHARE: u64 = 8;
/// Below so many entries a shard would evict too unlike the whole.
const MIN_SHARD_ENTRIES: usize = 64;

/// An answer that may be given again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// HTTP status.
    pub status: u16,
    /// The body as the caller got it. Should own its memory: a slice keeps the whole buffer it was cut from.
    pub body: Bytes,
    /// Whether `body` is an event stream.
    pub stream: bool,
    /// Of an event stream: whether the usage chunk is in it.
    pub with_usage: bool,
    /// What it used, as JSON, where `body` does not tell.
    pub usage: Option<Bytes>,
    /// Who answered, as in `x-hoosh-model`.
    pub answered_by: Option<Bytes>,
    /// What was lost between the dialects of its caller and its upstream.
    pub loss: Loss,
    /// When it was stored, monotonic microseconds.
    pub stored_us: u64,
    /// When it must not be given any more, monotonic microseconds. [`Cache::put`] lowers it to the cache's own time to
    /// live, so `u64::MAX` means just that.
    pub expires_us: u64,
}

impl Entry {
    /// What it counts against [`Cache::new`]'s `max_bytes`.
    pub fn weight(&self) -> u64 {
        let beside = [&self.usage, &self.answered_by].into_iter().flatten().map(Bytes::len).sum::<usize>();
        (self.body.len() + beside) as u64 + OVERHEAD_BYTES
    }
}

/// Counts since the cache was made; `entries` and `bytes` are now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Entries held, expired ones that nobody asked for included.
    pub entries: u64,
    /// Their weight.
    pub bytes: u64,
    /// Answers given.
    pub hits: u64,
    /// Questions without an answer, expired ones included.
    pub misses: u64,
    /// Entries pushed out before their time.
    pub evictions: u64,
    /// Entries removed because their time was over.
    pub expired: u64,
}

/// The cache, shared by all threads.
#[derive(Debug)]
pub struct Cache {
    ttl_us: u64,
    max_entry_bytes: u64,
    hasher: FixedState,
    shards: Box<[Mutex<Shard>]>,
}

impl Cache {
    /// Holds at most `max_entries` and [`Entry::weight`]s of `max_bytes` in all, none longer than `ttl_us`.
    /// `seed` keys the hasher.
    pub fn new(max_entries: usize, max_bytes: u64, ttl_us: u64, seed: u64) -> Self {
        let mut shards = SHARE as usize;
        while shards > 1 && max_entries / shards < MIN_SHARD_ENTRIES {
            shards /= 2;
        }
        let shard = |_| Mutex::new(Shard::new(max_entries / shards, max_bytes / shards as u64));
        Cache {
            ttl_us,
            max_entry_bytes: if max_entries == 0 { 0 } else { max_bytes / SHARE },
            hasher: FixedState::with_seed(seed),
            shards: (0..shards).map(shard).collect(),
        }
    }

    /// The answer for `key`, if there is one that may be given at `now_us`. One whose time is over is removed.
    pub fn get(&self, key: &[u8; 32], now_us: u64) -> Option<Arc<Entry>> {
        let (hash, shard) = self.place(key);
        let found = lock(shard).get(hash, key, now_us);
        // An expired entry is freed here, without the lock.
        found.filter(|entry| entry.expires_us > now_us)
    }

    /// What [`Self::get`] would find; counts and marks nothing.
    pub fn peek(&self, key: &[u8; 32], now_us: u64) -> Option<Arc<Entry>> {
        let (hash, shard) = self.place(key);
        lock(shard).peek(hash, key, now_us)
    }

    /// Stores an answer in place of the key's older one. False, and nothing changes, if it takes more than 1/8 of
    /// `max_bytes` or its time is over already.
    pub fn put(&self, key: [u8; 32], mut entry: Entry) -> bool {
        entry.expires_us = entry.expires_us.min(entry.stored_us.saturating_add(self.ttl_us));
        let weight = entry.weight();
        if weight > self.max_entry_bytes || entry.expires_us <= entry.stored_us {
            return false;
        }
        let (hash, shard) = self.place(&key);
        let entry = Arc::new(entry);
        let mut removed: SmallVec<[Arc<Entry>; 4]> = SmallVec::new();
        lock(shard).put(hash, key, entry, weight, &mut removed);
        // What was pushed out is freed here, without the lock.
        drop(removed);
        true
    }

    /// Forgets all answers, and says how many they were. Counts stay.
    pub fn clear(&self) -> u64 {
        let mut entries = 0;
        for shard in &self.shards {
            let mut shard = lock(shard);
            entries += shard.stats().entries;
            let removed = shard.clear();
            // Freed without the lock.
            drop(shard);
            drop(removed);
        }
        entries
    }

    /// Counts, summed over the shards one after the other.
    pub fn stats(&self) -> CacheStats {
        let mut sum = CacheStats::default();
        for shard in &self.shards {
            let one = lock(shard).stats();
            sum.entries += one.entries;
            sum.bytes += one.bytes;
            sum.hits += one.hits;
            sum.misses += one.misses;
            sum.evictions += one.evictions;
            sum.expired += one.expired;
        }
        sum
    }

    /// The shard is chosen by bits that the table inside it uses neither for the bucket nor for the tag.
    fn place(&self, key: &[u8; 32]) -> (u64, &Mutex<Shard>) {
        let hash = self.hasher.hash_one(key);
        (hash, &self.shards[(hash >> 40) as usize & (self.shards.len() - 1)])
    }
}
