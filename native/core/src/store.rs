//! Durable state behind one trait. The core asks ([`Op`]), a driver or thread performs, the answer ([`Outcome`]) comes
//! back through [`crate::gateway::Gateway::done`]. [`MemoryStore`] is the store of a process that keeps nothing.

use crate::sync::Arc;
use std::collections::{HashMap, VecDeque};

use crate::history::{ResponseKey, Turn};
use crate::homes::{Home, Known};
use crate::ledger::Row;

mod shelf;

pub use shelf::Shelf;

/// What the gateway's loop asks of a store.
///
/// A process spends in a *run*, from its first question to [`Op::End`] or its crash. Of a budget's capacity a run takes
/// what it leased and did not return, or what its rows say it used, if that is more. So a crash can leave tokens
/// unspent, which stay taken ([`Earlier::lost`]), and never spends any twice.
#[derive(Clone, Debug)]
pub enum Op {
    /// Say what earlier runs took of each of these budgets. Asked before the first lease of each.
    Restore {
        /// Budget names.
        budgets: Vec<Arc<str>>,
    },
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
    /// What changed of the responses that are kept, in this order, all or none. To do it again changes nothing. Only a store
    /// that outlives the process is asked this, and the next.
    Remember {
        /// The oldest first.
        changes: Vec<Change>,
        /// What of all is kept then.
        bounds: Bounds,
    },
    /// What is known of a response.
    Recall {
        /// Whose it is, and its id.
        key: ResponseKey,
        /// Microseconds since 1970: what is kept until then or before is not known any more.
        now_us: i64,
    },
    /// This run is over: what it leased is free again, but for what its rows used and what is still `held`. What is
    /// asked after that belongs to the next run.
    End {
        /// Budget names, and the tokens that somebody holds of each all the same.
        held: Vec<(Arc<str>, u64)>,
    },
}

/// Something that changed of the responses that are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// In the place of another of the same response.
    KeepTurn(ResponseKey, Turn),
    /// It is not kept any more.
    ForgetTurn(ResponseKey),
    /// In the place of another of the same response.
    KeepHome(ResponseKey, Home),
    /// Its upstream does not keep it any more.
    ForgetHome(ResponseKey),
    /// No turn is kept.
    ForgetTurns,
}

impl Change {
    /// About as many as it takes while it waits.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Change::KeepTurn(_, turn) => 128 + turn.bytes(),
            _ => 128,
        }
    }
}

/// How much of what is kept of responses stays: of turns those whose time is not over, and then the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Microseconds since 1970.
    pub now_us: i64,
    /// Bytes of all turns.
    pub turn_bytes: u64,
    /// How many homes.
    pub homes: u64,
}

/// What a store knows of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recalled {
    /// What is kept of it.
    pub turn: Option<Turn>,
    /// Which upstream keeps it.
    pub home: Known,
}

/// What runs before this one took of a budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Earlier {
    /// Their rows, tokens.
    pub used: u64,
    /// What those that crashed had leased and nobody can account for, tokens.
    pub lost: u64,
    /// As much of it as the run right before this one left.
    pub lost_by_last: u64,
}

/// What a store answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// In the order of the budgets asked for.
    Restored(Vec<Earlier>),
    /// So many tokens are leased: from 0 (exhausted) to what was asked.
    Leased {
        /// Tokens.
        tokens: u64,
    },
    /// What is known of the response.
    Recalled(Recalled),
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
    accounts: HashMap<Arc<str>, Account>,
    rows: VecDeque<Row>,
    requests: VecDeque<Row>,
    max_rows: usize,
    last_group: u64,
    shelf: Shelf,
}

/// One budget: what this run took, and those before it.
#[derive(Debug, Default)]
struct Account {
    /// Leased and not returned.
    leased: u64,
    used: u64,
    earlier: Earlier,
}

impl Account {
    fn committed(&self) -> u64 {
        self.leased.max(self.used).saturating_add(self.earlier.used).saturating_add(self.earlier.lost)
    }

    fn end(&mut self, held: u64) {
        self.earlier.lost_by_last = self.leased.saturating_sub(self.used).min(held);
        self.earlier.lost += self.earlier.lost_by_last;
        self.earlier.used = self.earlier.used.saturating_add(self.used);
        (self.leased, self.used) = (0, 0);
    }
}

impl MemoryStore {
    /// Remembers at most `max_rows` ledger rows, the newest, and as many request records.
    pub fn new(max_rows: usize) -> Self {
        MemoryStore {
            accounts: HashMap::new(),
            rows: VecDeque::new(),
            requests: VecDeque::new(),
            max_rows,
            last_group: 0,
            shelf: Shelf::default(),
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

    fn append(&mut self, group: u64, rows: Vec<Row>) {
        if group <= self.last_group {
            return;
        }
        self.last_group = group;
        for row in rows.iter().filter(|row| row.asked) {
            let Some(budget) = &row.budget else { continue };
            let account = self.accounts.entry(budget.clone()).or_default();
            account.used = account.used.saturating_add(row.usage.total());
        }
        let (rows, requests): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.asked);
        for (kept, more) in [(&mut self.rows, rows), (&mut self.requests, requests)] {
            kept.extend(more);
            let excess = kept.len().saturating_sub(self.max_rows);
            kept.drain(..excess);
        }
    }
}

impl Store for MemoryStore {
    fn perform(&mut self, op: Op) -> Outcome {
        match op {
            Op::Restore { budgets } => {
                let earlier = |name| self.accounts.get(name).map_or_else(Earlier::default, |account| account.earlier);
                Outcome::Restored(budgets.iter().map(earlier).collect())
            }
            Op::Lease { budget, capacity, tokens } => {
                let account = self.accounts.entry(budget).or_default();
                let granted = tokens.min(capacity.saturating_sub(account.committed()));
                account.leased += granted;
                Outcome::Leased { tokens: granted }
            }
            Op::Return { budget, tokens } => {
                let account = self.accounts.entry(budget).or_default();
                account.leased = account.leased.saturating_sub(tokens);
                Outcome::Stored
            }
            Op::Append { group, rows } => {
                self.append(group, rows);
                Outcome::Stored
            }
            Op::Remember { changes, bounds } => {
                self.shelf.remember(changes, bounds);
                Outcome::Stored
            }
            Op::Recall { key, now_us } => Outcome::Recalled(self.shelf.recall(&key, now_us)),
            Op::End { held } => {
                for (name, account) in &mut self.accounts {
                    let held = held.iter().filter(|(budget, _)| budget == name).map(|(_, tokens)| tokens).sum();
                    account.end(held);
                }
                Outcome::Stored
            }
        }
    }
}
