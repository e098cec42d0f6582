//! The thread that owns the store: whoever asks goes on, and is woken when there are answers.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hoosh_core::store::{Op, Outcome};
use hoosh_core::wake::Waker;

use crate::error::StoreError;
use crate::keys::Key;
use crate::lock::Lock;
use crate::sqlite::{Settings, SqliteStore};

/// Old records of requests are looked for so often.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);
/// Pause between two parts of one such work.
const PRUNE_PAUSE: Duration = Duration::from_millis(100);

/// A store in a thread of its own. Whatever waits there when the thread comes back from the disk is one transaction.
pub struct Writer {
    path: PathBuf,
    orders: Option<Sender<Order>>,
    answers: Arc<Answers>,
    thread: Option<JoinHandle<()>>,
    lock: Lock,
}

enum Order {
    Ask(u64, Op),
    Keys(Vec<Key>),
}

struct Answers {
    given: Mutex<Vec<(u64, Outcome)>>,
    waker: Waker,
}

impl Answers {
    fn lock(&self) -> MutexGuard<'_, Vec<(u64, Outcome)>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give(&self, answers: impl Iterator<Item = (u64, Outcome)>) {
        self.lock().extend(answers);
        self.waker.wake();
    }
}

impl Writer {
    /// Opens the store here, so that whoever starts hears why it cannot be, and hands it to its thread. `waker` is
    /// called from there when there are answers.
    pub fn open(path: &Path, settings: Settings, waker: Waker) -> Result<Writer, StoreError> {
        let store = SqliteStore::open(path, settings)?;
        let answers = Arc::new(Answers { given: Mutex::default(), waker });
        let (orders, taken) = channel();
        let (path, lock, gives) = (store.path().to_owned(), store.lock(), answers.clone());
        let thread = std::thread::Builder::new()
            .name("hoosh-store".into())
            .spawn(move || run(store, &taken, &gives))
            .map_err(|error| StoreError::io(&path, &error))?;
        Ok(Writer { path, orders: Some(orders), answers, thread: Some(thread), lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Has `op` performed; its answer comes under `id`.
    pub fn ask(&self, id: u64, op: Op) {
        self.order(Order::Ask(id, op));
    }

    /// Has it noted which keys are configured now.
    pub fn note_keys(&self, keys: Vec<Key>) {
        self.order(Order::Keys(keys));
    }

    /// The answers since the last call.
    pub fn answers(&self) -> Vec<(u64, Outcome)> {
        std::mem::take(&mut self.answers.lock())
    }

    /// Performs what was asked, closes the file and lets go of it. What was leased stays so unless the run was ended.
    pub fn close(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        // The store is gone with its thread, and this is the other handle to the same lock.
        self.lock.let_go();
    }

    /// In a child of a fork, which has neither the thread nor a right to the file: lets go of the lock's copy, and
    /// leaves everything else as it is.
    pub fn abandon_in_child(self) {
        self.lock.close_in_child();
        std::mem::forget(self);
    }

    fn order(&self, order: Order) {
        let unsent = match &self.orders {
            Some(orders) => orders.send(order).err().map(|error| error.0),
            None => Some(order),
        };
        if let Some(Order::Ask(id, _)) = unsent {
            let words = format!("The store {} is closed.", self.path.display());
            self.answers.give(std::iter::once((id, Outcome::Failed(words))));
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

fn run(mut store: SqliteStore, orders: &Receiver<Order>, answers: &Answers) {
    let mut prune_at = Instant::now();
    loop {
        let first = match orders.recv_timeout(prune_at.saturating_duration_since(Instant::now())) {
            Ok(order) => order,
            Err(RecvTimeoutError::Timeout) => {
                // A failure is told by the next operation, or it is over by then.
                let more = store.prune().unwrap_or(false);
                prune_at = Instant::now() + if more { PRUNE_PAUSE } else { PRUNE_EVERY };
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let (mut ids, mut ops) = (Vec::new(), Vec::new());
        for order in std::iter::once(first).chain(orders.try_iter()) {
            match order {
                Order::Ask(id, op) => {
                    ids.push(id);
                    ops.push(op);
                }
                Order::Keys(keys) => drop(store.note_keys(&keys)),
            }
        }
        if !ops.is_empty() {
            let outcomes = store.perform_all(&ops);
            answers.give(ids.into_iter().zip(outcomes));
        }
    }
}
