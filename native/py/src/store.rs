//! `hoosh._native.Store` and `MemoryStore`: what the gateway's loop asks of a store, and what the command line does.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use hoosh_core::ledger::Row;
use hoosh_core::store::{self, Store as _};
use hoosh_core::wake::Waker;
use hoosh_edge::Keeper;
use hoosh_store::{Key, Kind, Settings, StoreError, Writer};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::config::{config_error, Config};
use crate::edge::Edge;
use crate::wake::WakeQueue;

/// An operation for a store; only a store can look into it.
#[pyclass(module = "hoosh", frozen)]
pub struct StoreOp(Mutex<Option<store::Op>>);

/// What a store answered.
#[pyclass(module = "hoosh", frozen)]
pub struct StoreOutcome(pub store::Outcome);

/// A store that keeps everything in memory, and of the ledger and the request records the newest `max_rows`.
#[pyclass(module = "hoosh", frozen)]
pub struct MemoryStore(Arc<Memory>);

struct Memory {
    store: Mutex<store::MemoryStore>,
    answers: Mutex<Vec<(u64, store::Outcome)>>,
}

/// A store in a file, which this process alone has while it is open. A thread of its own writes it.
///
/// Making one opens the file at `path` and begins a run. `holder` says to an operator which program this is; `queue` is
/// told, as number 0, of answers.
///
/// Raises:
///     ConfigError: another process has it, it is not ours, or cannot be written.
#[pyclass(module = "hoosh", frozen, weakref)]
pub struct Store {
    writer: Arc<Mutex<Option<Writer>>>,
    path: String,
    pid: u32,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl StoreOp {
    /// What the loop asks.
    pub fn new(op: store::Op) -> StoreOp {
        StoreOp(Mutex::new(Some(op)))
    }

    fn take(&self) -> PyResult<store::Op> {
        lock(&self.0).take().ok_or_else(|| PyValueError::new_err("this operation was performed already"))
    }
}

#[pymethods]
impl StoreOutcome {
    /// Why it was not done; None if it was.
    #[getter]
    fn failure(&self) -> Option<&str> {
        match &self.0 {
            store::Outcome::Failed(words) => Some(words),
            _ => None,
        }
    }
}

#[pymethods]
impl MemoryStore {
    #[new]
    fn new(max_rows: usize) -> MemoryStore {
        let store = Mutex::new(store::MemoryStore::new(max_rows));
        MemoryStore(Arc::new(Memory { store, answers: Mutex::default() }))
    }

    /// None: it is in no file.
    #[getter]
    fn path(&self) -> Option<String> {
        None
    }

    /// Have `op` performed, once.
    fn ask(&self, id: u64, op: &StoreOp) -> PyResult<()> {
        self.0.ask(id, op.take()?);
        Ok(())
    }

    /// The answers since the last call.
    fn take(&self) -> Vec<(u64, StoreOutcome)> {
        self.0.answers().into_iter().map(|(id, outcome)| (id, StoreOutcome(outcome))).collect()
    }

    /// Keeps nothing of keys.
    fn note_keys(&self, _config: &Config) {}

    /// The newest rows of the ledger, at most `most`, oldest first: a dict for each exchange that reached an upstream.
    #[pyo3(signature = (most = 100_000))]
    fn rows<'py>(&self, py: Python<'py>, most: usize) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let mut rows: Vec<String> = lock(&self.0.store).rows().map(Row::to_json).collect();
        rows.drain(..rows.len().saturating_sub(most));
        dicts(py, &rows)
    }

    /// The newest requests that asked no upstream, at most `most`, oldest first: refusals, answers of the cache, lists.
    #[pyo3(signature = (most = 100_000))]
    fn requests<'py>(&self, py: Python<'py>, most: usize) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let mut rows: Vec<String> = lock(&self.0.store).requests().map(Row::to_json).collect();
        rows.drain(..rows.len().saturating_sub(most));
        dicts(py, &rows)
    }

    /// There is nothing to close.
    fn close(&self) {}
}

#[pymethods]
impl Store {
    #[new]
    fn new(py: Python<'_>, path: String, config: &Config, holder: String, queue: Told<'_>) -> PyResult<Store> {
        let settings = Settings { holder, request_days: config.core().storage.request_days, max_pages: None };
        let (bell, keys) = (queue.waker(), keys(config));
        let opened = py.detach(|| Writer::open(Path::new(&path), settings, bell));
        let writer = opened.map_err(|error| raise(py, &error))?;
        writer.note_keys(keys);
        Ok(Store { writer: Arc::new(Mutex::new(Some(writer))), path, pid: std::process::id() })
    }

    /// Where it is.
    #[getter]
    fn path(&self) -> &str {
        &self.path
    }

    /// Have `op` performed, once; its answer comes under `id`.
    fn ask(&self, id: u64, op: &StoreOp) -> PyResult<()> {
        self.with(|writer| op.take().map(|op| writer.ask(id, op)))?
    }

    /// The answers since the last call.
    fn take(&self) -> PyResult<Vec<(u64, StoreOutcome)>> {
        let answers = self.with(|writer| writer.answers())?;
        Ok(answers.into_iter().map(|(id, outcome)| (id, StoreOutcome(outcome))).collect())
    }

    /// Note which keys are configured now.
    fn note_keys(&self, config: &Config) -> PyResult<()> {
        self.with(|writer| writer.note_keys(keys(config)))
    }

    /// The newest rows of the ledger, at most `most`, oldest first, whether the store is open or not.
    #[pyo3(signature = (most = 100_000))]
    fn rows<'py>(&self, py: Python<'py>, most: usize) -> PyResult<Vec<Bound<'py, PyDict>>> {
        self.newest(py, Kind::Ledger, most)
    }

    /// The newest requests that asked no upstream, at most `most`, oldest first.
    #[pyo3(signature = (most = 100_000))]
    fn requests<'py>(&self, py: Python<'py>, most: usize) -> PyResult<Vec<Bound<'py, PyDict>>> {
        self.newest(py, Kind::Requests, most)
    }

    /// Perform what was asked, and let go of the file.
    ///
    /// What was leased stays so unless the gateway ended its run.
    fn close(&self, py: Python<'_>) {
        if self.pid == std::process::id() {
            // Let go of at once: what the thread still wakes must not wait for this.
            let writer = lock(&self.writer).take();
            py.detach(|| drop(writer));
        }
    }

    /// In a child of a fork: let go of the copy of the lock. Everything else raises there.
    fn forked(&self) {
        if self.pid != std::process::id() {
            if let Some(writer) = self.writer.try_lock().ok().and_then(|mut writer| writer.take()) {
                writer.abandon_in_child();
            }
        }
    }
}

impl Store {
    fn newest<'py>(&self, py: Python<'py>, kind: Kind, most: usize) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let rows = py.detach(|| hoosh_store::newest_rows(Path::new(&self.path), kind, most));
        dicts(py, &rows.map_err(|error| raise(py, &error))?)
    }

    fn with<R>(&self, work: impl FnOnce(&Writer) -> R) -> PyResult<R> {
        if self.pid != std::process::id() {
            return Err(PyRuntimeError::new_err(
                "This gateway was made before a fork, and its store belongs to the process that made it. Make the \
                 gateway in the process that uses it.",
            ));
        }
        let writer = lock(&self.writer);
        writer.as_ref().map(work).ok_or_else(|| PyRuntimeError::new_err("The store is closed."))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.forked();
    }
}

/// Who is told of a store's answers: the loop in Python, as number 0 of its queue, or that of the edge.
#[derive(FromPyObject)]
enum Told<'py> {
    Queue(Bound<'py, WakeQueue>),
    Edge(Bound<'py, Edge>),
}

impl Told<'_> {
    fn waker(&self) -> Waker {
        match self {
            Told::Queue(queue) => queue.get().bell(0),
            Told::Edge(edge) => Arc::new(edge.get().0.ring()),
        }
    }
}

impl MemoryStore {
    /// As the loop of the edge asks it.
    pub fn keeper(&self) -> Arc<dyn Keeper> {
        self.0.clone()
    }
}

impl Keeper for Memory {
    fn ask(&self, id: u64, op: store::Op) {
        let outcome = lock(&self.store).perform(op);
        lock(&self.answers).push((id, outcome));
    }

    fn answers(&self) -> Vec<(u64, store::Outcome)> {
        std::mem::take(&mut lock(&self.answers))
    }
}

impl Store {
    /// As the loop of the edge asks it.
    pub fn keeper(&self) -> Arc<dyn Keeper> {
        Arc::new(File(self.writer.clone()))
    }
}

/// A store's thread, as long as the store is open.
struct File(Arc<Mutex<Option<Writer>>>);

impl Keeper for File {
    fn ask(&self, id: u64, op: store::Op) {
        if let Some(writer) = &*lock(&self.0) {
            writer.ask(id, op);
        }
    }

    fn answers(&self) -> Vec<(u64, store::Outcome)> {
        lock(&self.0).as_ref().map(Writer::answers).unwrap_or_default()
    }

    fn lasts(&self) -> bool {
        true
    }
}

/// What is in the store at `path`; with `check` whether it is whole too. Beside a process that has it, or without.
///
/// Raises:
///     ConfigError: there is none, it is not ours, or cannot be read.
#[pyfunction]
pub fn store_inspect(py: Python<'_>, path: String, check: bool) -> PyResult<Bound<'_, PyDict>> {
    let read = py.detach(|| hoosh_store::inspect(Path::new(&path), check));
    let report = read.map_err(|error| raise(py, &error))?;
    let budgets = report.budgets.iter().map(|budget| {
        let told = PyDict::new(py);
        told.set_item("name", &budget.name)?;
        told.set_item("capacity", budget.capacity)?;
        told.set_item("used", budget.used)?;
        told.set_item("lost", budget.lost)?;
        told.set_item("leased", budget.leased)?;
        Ok(told)
    });
    let told = PyDict::new(py);
    told.set_item("budgets", budgets.collect::<PyResult<Vec<_>>>()?)?;
    told.set_item("holder", report.holder)?;
    told.set_item("format", report.format)?;
    told.set_item("bytes", report.bytes)?;
    told.set_item("runs", report.runs)?;
    told.set_item("crashed", report.crashed)?;
    told.set_item("rows", report.rows)?;
    told.set_item("requests", report.requests)?;
    told.set_item("turns", report.turns)?;
    told.set_item("turn_bytes", report.turn_bytes)?;
    told.set_item("homes", report.homes)?;
    told.set_item("problems", report.problems)?;
    Ok(told)
}

/// Copy the store at `path` to the new file `to`, as of one instant, also while a server writes to it.
///
/// Raises:
///     ConfigError: there is none, or `to` is there already or cannot be written.
#[pyfunction]
pub fn store_backup(py: Python<'_>, path: String, to: String) -> PyResult<()> {
    let done = py.detach(|| hoosh_store::backup(Path::new(&path), Path::new(&to)));
    done.map_err(|error| raise(py, &error))
}

fn keys(config: &Config) -> Vec<Key> {
    let key = |token: &hoosh_core::config::Token| Key { name: token.name.clone(), token: token.token.expose().into() };
    config.core().auth.tokens.iter().map(key).collect()
}

fn dicts<'py>(py: Python<'py>, rows: &[String]) -> PyResult<Vec<Bound<'py, PyDict>>> {
    let loads = py.import("json")?.getattr("loads")?;
    let dict = |row: &String| Ok(loads.call1((PyString::new(py, row),))?.cast_into::<PyDict>()?);
    rows.iter().map(dict).collect()
}

fn raise(py: Python<'_>, error: &StoreError) -> PyErr {
    config_error(py, &error.message, None)
}
