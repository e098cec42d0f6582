//! What exchanges leave behind, on its way to the store: a lane for each thread, gathered by the loop.

use super::LANES;
use crate::ledger::Row;
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::sync::{lock, Mutex};

/// Ledger rows that may wait for the store. Beyond it new work is shed: what cannot be booked must not be spent.
const MAX_WAITING_ROWS: usize = 100_000;
/// Request records that may wait for the store. Refusals cannot be shed, so that records are: of those that wait for a
/// silent store, so many are kept.
const MAX_WAITING_RECORDS: usize = 10_000;
/// Those that the loop has not seen yet may be as many again: it comes every few milliseconds.
const MAX_UNSEEN_RECORDS: usize = 2 * MAX_WAITING_RECORDS;

pub(super) struct Records {
    lanes: Vec<Mutex<Vec<Row>>>,
    /// Of the ledger, not stored.
    rows: AtomicUsize,
    /// Of requests that asked nobody, not stored.
    requests: AtomicUsize,
    dropped: AtomicU64,
    /// The loop knows that there are some in the lanes.
    told: AtomicBool,
}

impl Records {
    pub fn new() -> Records {
        Records {
            lanes: (0..LANES).map(|_| Mutex::new(Vec::new())).collect(),
            rows: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            told: AtomicBool::new(false),
        }
    }

    /// Queues `row`. Whether the loop has to be told.
    pub fn add(&self, row: Row, lane: usize) -> bool {
        if row.asked {
            self.rows.fetch_add(1, Ordering::AcqRel);
        } else if self.requests.fetch_add(1, Ordering::AcqRel) >= MAX_UNSEEN_RECORDS {
            self.requests.fetch_sub(1, Ordering::AcqRel);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        lock(&self.lanes[lane % LANES]).push(row);
        // Looked at first, so that threads do not take the line from each other. Who sees `true` wrote before the loop
        // looks: the lane's lock lies between.
        !self.told.load(Ordering::Acquire) && !self.told.swap(true, Ordering::AcqRel)
    }

    /// Whether there are some that the loop has not taken.
    pub fn are_new(&self) -> bool {
        self.told.load(Ordering::Acquire)
    }

    /// Takes all that are new.
    pub fn take(&self) -> Vec<Row> {
        // Before looking: who comes after it tells the loop again.
        self.told.store(false, Ordering::Release);
        let mut rows = Vec::new();
        for lane in &self.lanes {
            rows.append(&mut lock(lane));
        }
        rows
    }

    /// Looks at those of one lane that the loop has not taken.
    pub fn look(&self, lane: usize, see: impl FnMut(&Row)) {
        lock(&self.lanes[lane]).iter().for_each(see);
    }

    /// Adds `more` to those that `wait` for the store, as far as there is room.
    pub fn keep(&self, more: Vec<Row>, wait: &mut Vec<Row>) {
        for row in more {
            if row.asked || self.requests.load(Ordering::Acquire) <= MAX_WAITING_RECORDS {
                wait.push(row);
            } else {
                self.requests.fetch_sub(1, Ordering::AcqRel);
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// These are in the store.
    pub fn stored(&self, rows: &[Row]) {
        let asked = rows.iter().filter(|row| row.asked).count();
        self.rows.fetch_sub(asked, Ordering::AcqRel);
        self.requests.fetch_sub(rows.len() - asked, Ordering::AcqRel);
    }

    /// Of both kinds, not stored yet.
    pub fn waiting(&self) -> usize {
        self.rows.load(Ordering::Relaxed) + self.requests.load(Ordering::Relaxed)
    }

    /// Whether what is begun now can be booked.
    pub fn has_room(&self) -> bool {
        self.rows.load(Ordering::Relaxed) < MAX_WAITING_ROWS
    }

    /// Request records that found no room.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}
