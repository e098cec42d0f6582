//! Durable state behind one trait. The core asks ([`Op`]), a driver or thread performs, the answer ([`Outcome`]) comes
//! back through [`crate::gateway::Gateway::done`]. [`MemoryStore`] is the store of a process that keeps nothing.

use crate::sync::Arc;
use std::collections::{HashMap, VecDeque};

use crate::ledger::Row;

/// What the gateway's loop asks of a store.
#[derive(Clone, Debug)]
pub enum Op {
    /// Take up to `tokens` of the named budget for this process to spend.
    Lease {
        /// Budget name.
        budget: Arc<str>,
        /// Its capacity as configured now, tokens.
        capacity: u64,
        /// The slice wanted, tokens.
        tokens: u64,
    },
    /// Give back what was leased of a removed budget and not spent.
    Return {
        /// Budget name.
        budget: Arc<str>,
        /// Tokens.
        tokens: u64,
    },
    /// Append rows to the ledger, and the request records among them to the requests, all or none.
    Append {
        /// Number of the group. A group that was appended already is not appended again: an answer may have been lost.
        group: u64,
        /// In the order of settling.
        rows: Vec<Row>,
    },
}

/// What a store answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// So many tokens are leased: from 0 (exhausted) to what was asked.
    Leased {
        /// Tokens.
        tokens: u64,
    },
    /// Done.
    Stored,
    /// Not done; the words are for the operator's log.
    Failed(String),
}

/// A store as a plain function. Implementations may block: the driver decides where they run.
pub trait Store: Send {
    /// Performs one operation.
    fn perform(&mut self, op: Op) -> Outcome;
}

/// Keeps everything in memory, the ledger within a bound.
#[derive(Debug)]
pub struct MemoryStore {
    leased: HashMap<Arc<str>, u64>,
    rows: VecDeque<Row>,
    requests: VecDeque<Row>,
    max_rows: usize,
    last_group: u64,
}

impl MemoryStore {
    /// Remembers at most `max_rows` ledger rows, the newest, and as many request records.
    pub fn new(max_rows: usize) -> Self {
        MemoryStore {
            leased: HashMap::new(),
            rows: VecDeque::new(),
            requests: VecDeque::new(),
            max_rows,
            last_group: 0,
        }
    }

    /// The remembered ledger rows, oldest first.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter()
    }

    /// The remembered request records, oldest first.
    pub fn requests(&self) -> impl Iterator<Item = &Row> {
        self.requests.iter()
    }
}

impl Store for MemoryStore {
    fn perform(&mut self, op: Op) -> Outcome {
        match op {
            Op::Lease { budget, capacity, tokens } => {
                let leased = self.leased.entry(budget).or_default();
                let granted = tokens.min(capacity.saturating_sub(*leased));
                *leased += granted;
                Outcome::Leased { tokens: granted }
            }
            Op::Return { budget, tokens } => {
                let leased = self.leased.entry(budget).or_default();
                *leased = leased.saturating_sub(tokens);
                Outcome::Stored
            }
            Op::Append { group, rows } => {
                if group <= self.last_group {
                    return Outcome::Stored;
                }
                self.last_group = group;
                let (rows, requests): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.asked);
                for (kept, more) in [(&mut self.rows, rows), (&mut self.requests, requests)] {
                    kept.extend(more);
                    let excess = kept.len().saturating_sub(self.max_rows);
                    kept.drain(..excess);
                }
                Outcome::Stored
            }
        }
    }
}
