//! The cache of merged candidate lists: 32,768 names at most, in shards, each with two generations.
//!
//! A full young generation becomes the old one, and the old one is dropped whole; what is asked for again moves to the
//! young one. That is least-recently-used to within a factor of two, at the cost of a map look-up, and callers who
//! send made-up names push out nothing that is in use.

use std::sync::Arc;

use hashbrown::HashTable;

use super::Candidate;
use crate::sync::{lock, Mutex};

/// Shards, so that threads seldom meet.
const SHARDS: usize = 16;
/// Entries of one generation of one shard: 16 × 2 × 1,024 = 32,768 names.
const MAX_ENTRIES: usize = 1_024;
/// Candidates of one generation of one shard, about 1.5 MiB: 16 × 2 × 32,768 of 48 bytes are 48 MiB in all.
const MAX_CANDIDATES: usize = 32_768;
/// Longest name that is worth remembering, bytes.
const MAX_NAME: usize = 512;

struct Entry {
    hash: u64,
    name: Box<str>,
    candidates: Arc<[Candidate]>,
}

#[derive(Default)]
struct Generation {
    entries: HashTable<Entry>,
    candidates: usize,
}

#[derive(Default)]
struct Shard {
    young: Generation,
    old: Generation,
}

/// See the module.
pub(super) struct Merged {
    shards: [Mutex<Shard>; SHARDS],
}

impl Default for Merged {
    fn default() -> Self {
        Merged { shards: std::array::from_fn(|_| Mutex::new(Shard::default())) }
    }
}

impl Merged {
    /// The list of `name`; does not allocate unless the entry moves to a generation that has to grow.
    pub fn get(&self, hash: u64, name: &str) -> Option<Arc<[Candidate]>> {
        let mut shard = lock(self.shard(hash));
        if let Some(entry) = shard.young.entries.find(hash, |e| *e.name == *name) {
            return Some(entry.candidates.clone());
        }
        let (entry, _) = shard.old.entries.find_entry(hash, |e| *e.name == *name).ok()?.remove();
        let candidates = entry.candidates.clone();
        shard.insert(entry);
        Some(candidates)
    }

    /// Remembers a list.
    pub fn put(&self, hash: u64, name: &str, candidates: &Arc<[Candidate]>) {
        if name.len() > MAX_NAME || candidates.len() > MAX_CANDIDATES {
            return;
        }
        let entry = Entry { hash, name: name.into(), candidates: candidates.clone() };
        let mut shard = lock(self.shard(hash));
        // Two threads may have merged the same name at once.
        if shard.young.entries.find(hash, |e| *e.name == *name).is_none() {
            shard.insert(entry);
        }
    }

    /// Names remembered now.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|s| lock(s)).map(|s| s.young.entries.len() + s.old.entries.len()).sum()
    }

    /// The table uses the low and the very top bits of the hash; these lie between.
    fn shard(&self, hash: u64) -> &Mutex<Shard> {
        &self.shards[(hash >> 40) as usize % SHARDS]
    }
}

impl Shard {
    fn insert(&mut self, entry: Entry) {
        let full = self.young.entries.len() >= MAX_ENTRIES;
        if full || self.young.candidates + entry.candidates.len() > MAX_CANDIDATES {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.entries.clear();
            self.young.candidates = 0;
        }
        self.young.candidates += entry.candidates.len();
        self.young.entries.insert_unique(entry.hash, entry, |e| e.hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(len: usize) -> Arc<[Candidate]> {
        let one = Candidate { provider: 0, step: 0, model: "m".into(), priority: 0, bounds: None };
        vec![one; len].into()
    }

    fn hash(n: u64) -> u64 {
        n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[test]
    fn stays_within_its_bound_and_keeps_what_is_asked_for() {
        let merged = Merged::default();
        merged.put(hash(0), "hot", &list(1));
        for n in 1..100_000u64 {
            merged.put(hash(n), &n.to_string(), &list(1));
            assert!(merged.get(hash(0), "hot").is_some(), "lost after {n} others");
        }
        assert!(merged.len() <= 32_768, "{}", merged.len());
        assert!(merged.len() > 8_192, "{}", merged.len());
        assert!(merged.get(hash(1), "1").is_none());
    }

    #[test]
    fn weighs_long_lists() {
        let merged = Merged::default();
        for n in 1..200u64 {
            merged.put(hash(n), &n.to_string(), &list(MAX_CANDIDATES));
        }
        assert!(merged.len() <= 2 * SHARDS);
        merged.put(hash(7), "too long", &list(MAX_CANDIDATES + 1));
        assert!(merged.get(hash(7), "too long").is_none());
    }
}
