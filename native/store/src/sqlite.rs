//! The store itself: any number of operations in one transaction, all durable or none done.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use hoosh_core::store::{Op, Outcome, Store};
use rusqlite::{Connection, TransactionBehavior};

use crate::error::StoreError;
use crate::keys::{self, Key};
use crate::lock::Lock;
use crate::{accounts, file, ledger, responses};

const DAY_US: i64 = 86_400_000_000;
/// Records of requests that are deleted at once, so that the ledger need not wait for more.
const PRUNED_AT_ONCE: usize = 1_000;
/// The same of turns, which are larger.
const TURNS_PRUNED_AT_ONCE: usize = 50;

/// How a store is kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// By which words an operator knows this program, in the message to one who wants the same store.
    pub holder: String,
    /// Days that records of requests are kept.
    pub request_days: u32,
    /// The most pages (of 4 KiB) that the file may have. `None`: as many as the disk.
    pub max_pages: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { holder: "hoosh".into(), request_days: 30, max_pages: None }
    }
}

/// An open store. This process has it alone while this lives.
pub struct SqliteStore {
    path: PathBuf,
    settings: Settings,
    /// `None` after a failure, until it is opened anew.
    connection: Option<Connection>,
    /// `None` once it was ended: the next operation begins another.
    run: Option<i64>,
    /// Of all turns, once they were added up.
    turn_bytes: Option<u64>,
    lock: Lock,
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path).field("run", &self.run).finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the store at `path`, created if it is not there, and begins a run.
    ///
    /// Errors: another process has it, it is not ours or of a newer format, or the disk fails.
    pub fn open(path: &Path, settings: Settings) -> Result<SqliteStore, StoreError> {
        file::create_folder_of(path).map_err(|error| StoreError::io(path, &error))?;
        let lock = Lock::take(path, &settings.holder)?;
        let connection = file::open(path, settings.max_pages)?;
        let path = path.to_owned();
        let mut store = SqliteStore { path, settings, connection: Some(connection), run: None, turn_bytes: None, lock };
        store.begin_run()?;
        Ok(store)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn lock(&self) -> Lock {
        self.lock.clone()
    }

    /// Performs `ops` in one transaction: when this returns they are durable, or all of them have failed. What only reads
    /// is told behind that, whether they failed or not: a disk that is full can be read.
    pub fn perform_all(&mut self, ops: &[Op]) -> Vec<Outcome> {
        let (reads, writes): (Vec<&Op>, Vec<&Op>) = ops.iter().partition(|op| matches!(op, Op::Recall { .. }));
        let mut written = self.write_all(&writes).into_iter();
        let mut read = reads.into_iter().map(|op| self.read(op)).collect::<Vec<_>>().into_iter();
        let outcomes = ops.iter().map(|op| match op {
            Op::Recall { .. } => read.next(),
            _ => written.next(),
        });
        outcomes.map(|outcome| outcome.unwrap_or_else(|| Outcome::Failed("it was not performed".into()))).collect()
    }

    fn write_all(&mut self, ops: &[&Op]) -> Vec<Outcome> {
        if ops.is_empty() {
            return Vec::new();
        }
        let done = self.try_all(ops).unwrap_or_else(|error| {
            self.suspect();
            vec![Outcome::Failed(error.message); ops.len()]
        });
        if ops.iter().zip(&done).any(|(op, outcome)| matches!((op, outcome), (Op::End { .. }, Outcome::Stored))) {
            self.run = None;
        }
        done
    }

    fn read(&mut self, op: &Op) -> Outcome {
        let Op::Recall { key, now_us } = op else { return Outcome::Failed("it does not read".into()) };
        let recalled = self.connected().and_then(|(connection, path)| {
            responses::recall(connection, key, *now_us).map_err(|error| StoreError::sqlite(path, &error))
        });
        match recalled {
            Ok(recalled) => Outcome::Recalled(recalled),
            Err(error) => {
                self.suspect();
                Outcome::Failed(error.message)
            }
        }
    }

    /// Notes which keys are configured now.
    pub fn note_keys(&mut self, keys: &[Key]) -> Result<(), StoreError> {
        let day = now_us() / DAY_US;
        self.change(|connection| keys::note(connection, keys, day))
    }

    /// Deletes some of the records of requests that are too old, and of the turns whose time is over; whether there may be
    /// more.
    pub fn prune(&mut self) -> Result<bool, StoreError> {
        let before_us = now_us() - i64::from(self.settings.request_days) * DAY_US;
        let (requests, turns) = self.change(|connection| {
            let requests = ledger::prune_requests(connection, before_us, PRUNED_AT_ONCE)?;
            let (turns, _) = responses::prune_expired(connection, now_us(), TURNS_PRUNED_AT_ONCE)?;
            Ok((requests, turns))
        })?;
        self.turn_bytes = self.turn_bytes.filter(|_| turns == 0);
        Ok(requests == PRUNED_AT_ONCE || turns == TURNS_PRUNED_AT_ONCE)
    }

    fn try_all(&mut self, ops: &[&Op]) -> Result<Vec<Outcome>, StoreError> {
        let run = self.begin_run()?;
        let mut turn_bytes = self.turn_bytes.take();
        let done = self.write(|connection| {
            ops.iter().map(|op| perform(connection, run, op, &mut turn_bytes)).collect::<rusqlite::Result<Vec<_>>>()
        })?;
        self.turn_bytes = turn_bytes;
        Ok(done)
    }

    /// This run's number. Its own transaction: a group must never be asked for again under another run.
    fn begin_run(&mut self) -> Result<i64, StoreError> {
        if let Some(run) = self.run {
            return Ok(run);
        }
        let values = (now_us(), std::process::id());
        let run = self.change(|connection| {
            connection.execute("INSERT INTO runs (started_us, pid) VALUES (?1, ?2)", values)?;
            Ok(connection.last_insert_rowid())
        })?;
        self.run = Some(run);
        Ok(run)
    }

    fn change<R>(&mut self, work: impl FnOnce(&Connection) -> rusqlite::Result<R>) -> Result<R, StoreError> {
        self.write(work).inspect_err(|_| self.suspect())
    }

    fn write<R>(&mut self, work: impl FnOnce(&Connection) -> rusqlite::Result<R>) -> Result<R, StoreError> {
        let (connection, path) = self.connected()?;
        let transact = || {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        transact().map_err(|error| StoreError::sqlite(path, &error))
    }

    fn connected(&mut self) -> Result<(&mut Connection, &Path), StoreError> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(file::open(&self.path, self.settings.max_pages)?),
        };
        Ok((connection, &self.path))
    }

    /// Something failed: what the connection believes to be in the file need not be.
    fn suspect(&mut self) {
        self.connection = None;
        self.turn_bytes = None;
    }
}

impl Store for SqliteStore {
    fn perform(&mut self, op: Op) -> Outcome {
        self.perform_all(&[op]).remove(0)
    }
}

fn perform(connection: &Connection, run: i64, op: &Op, turn_bytes: &mut Option<u64>) -> rusqlite::Result<Outcome> {
    match op {
        Op::Restore { budgets } => accounts::restore(connection, run, budgets).map(Outcome::Restored),
        Op::Lease { budget, capacity, tokens } => {
            let tokens = accounts::lease(connection, run, budget, *capacity, *tokens)?;
            Ok(Outcome::Leased { tokens })
        }
        Op::Return { budget, tokens } => {
            accounts::give_back(connection, run, budget, *tokens).map(|()| Outcome::Stored)
        }
        Op::Append { group, rows } => ledger::append(connection, run, *group, rows).map(|()| Outcome::Stored),
        Op::Remember { changes, bounds } => {
            responses::remember(connection, changes, bounds, turn_bytes).map(|()| Outcome::Stored)
        }
        // Not among what is written: see `perform_all`.
        Op::Recall { key, now_us } => responses::recall(connection, key, *now_us).map(Outcome::Recalled),
        Op::End { held } => accounts::end(connection, run, held, now_us()).map(|()| Outcome::Stored),
    }
}

fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |past| past.as_micros() as i64)
}
