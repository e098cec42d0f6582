//! One lock's worth of the cache: a table from keys to slots, and the slots linked in the order of insertion.

use hashbrown::HashTable;
use smallvec::SmallVec;

use super::{CacheStats, Entry};
use crate::sync::Arc;

/// No slot.
const NONE: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Shard {
    table: HashTable<u32>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    newest: u32,
    oldest: u32,
    /// Where the search for a victim goes on; `NONE` means at the oldest.
    hand: u32,
    max_entries: usize,
    max_bytes: u64,
    stats: CacheStats,
}

#[derive(Debug)]
struct Slot {
    hash: u64,
    key: [u8; 32],
    /// `None` in a free slot.
    entry: Option<Arc<Entry>>,
    weight: u64,
    /// Given since the hand last came by.
    used: bool,
    newer: u32,
    older: u32,
}

impl Shard {
    pub(super) fn new(max_entries: usize, max_bytes: u64) -> Self {
        Shard {
            table: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            newest: NONE,
            oldest: NONE,
            hand: NONE,
            max_entries: max_entries.min(NONE as usize),
            max_bytes,
            stats: CacheStats::default(),
        }
    }

    pub(super) fn stats(&self) -> CacheStats {
        self.stats
    }

    /// The entry of `key`; the one found expired is removed and returned too, so that the caller frees it.
    pub(super) fn get(&mut self, hash: u64, key: &[u8; 32], now_us: u64) -> Option<Arc<Entry>> {
        let Some(at) = self.find(hash, key) else {
            self.stats.misses += 1;
            return None;
        };
        let slot = &mut self.slots[at as usize];
        if slot.entry.as_ref().is_some_and(|entry| entry.expires_us <= now_us) {
            self.stats.misses += 1;
            self.stats.expired += 1;
            return self.remove(at);
        }
        slot.used = true;
        self.stats.hits += 1;
        slot.entry.clone()
    }

    pub(super) fn peek(&self, hash: u64, key: &[u8; 32], now_us: u64) -> Option<Arc<Entry>> {
        let entry = self.find(hash, key).and_then(|at| self.slots[at as usize].entry.as_ref());
        entry.filter(|entry| entry.expires_us > now_us).cloned()
    }

    /// Puts `entry` at the young end, after making room; what had to go is pushed onto `removed`.
    pub(super) fn put(
        &mut self,
        hash: u64,
        key: [u8; 32],
        entry: Arc<Entry>,
        weight: u64,
        removed: &mut SmallVec<[Arc<Entry>; 4]>,
    ) {
        if let Some(at) = self.find(hash, &key) {
            removed.extend(self.remove(at));
        }
        while self.stats.entries as usize >= self.max_entries || self.stats.bytes + weight > self.max_bytes {
            let Some(victim) = self.victim() else { return };
            removed.extend(self.evict(victim, entry.stored_us));
        }
        let slot = Slot { hash, key, entry: Some(entry), weight, used: false, newer: NONE, older: self.newest };
        let at = self.occupy(slot);
        match self.newest {
            NONE => self.oldest = at,
            newest => self.slots[newest as usize].newer = at,
        }
        self.newest = at;
        self.stats.entries += 1;
        self.stats.bytes += weight;
        self.table.insert_unique(hash, at, |at| self.slots[*at as usize].hash);
    }

    /// Empties the shard; the returned one holds what it held, to be freed without the lock.
    pub(super) fn clear(&mut self) -> Shard {
        let stats = CacheStats { entries: 0, bytes: 0, ..self.stats };
        let emptied = Shard { stats, ..Shard::new(self.max_entries, self.max_bytes) };
        std::mem::replace(self, emptied)
    }

    fn find(&self, hash: u64, key: &[u8; 32]) -> Option<u32> {
        self.table.find(hash, |at| self.slots[*at as usize].key == *key).copied()
    }

    /// SIEVE's step: passes over the used ones, towards the young end and round again, and stops at the first other.
    /// Ends within two rounds, because it takes the mark off each one that it passes.
    fn victim(&mut self) -> Option<u32> {
        let mut at = if self.hand == NONE { self.oldest } else { self.hand };
        while at != NONE {
            let slot = &mut self.slots[at as usize];
            if !slot.used {
                self.hand = at;
                return Some(at);
            }
            slot.used = false;
            at = if slot.newer == NONE { self.oldest } else { slot.newer };
        }
        None
    }

    fn evict(&mut self, at: u32, now_us: u64) -> Option<Arc<Entry>> {
        let entry = self.remove(at);
        if entry.as_ref().is_some_and(|entry| entry.expires_us <= now_us) {
            self.stats.expired += 1;
        } else {
            self.stats.evictions += 1;
        }
        entry
    }

    fn occupy(&mut self, slot: Slot) -> u32 {
        match self.free.pop() {
            Some(at) => {
                self.slots[at as usize] = slot;
                at
            }
            None => {
                self.slots.push(slot);
                (self.slots.len() - 1) as u32
            }
        }
    }

    /// Takes a slot out of the table and the queue.
    fn remove(&mut self, at: u32) -> Option<Arc<Entry>> {
        let slot = &mut self.slots[at as usize];
        let (hash, weight, newer, older, entry) = (slot.hash, slot.weight, slot.newer, slot.older, slot.entry.take());
        if let Ok(occupied) = self.table.find_entry(hash, |found| *found == at) {
            occupied.remove();
        }
        match newer {
            NONE => self.newest = older,
            newer => self.slots[newer as usize].older = older,
        }
        match older {
            NONE => self.oldest = newer,
            older => self.slots[older as usize].newer = newer,
        }
        if self.hand == at {
            self.hand = newer;
        }
        self.free.push(at);
        self.stats.entries -= 1;
        self.stats.bytes -= weight;
        entry
    }
}
