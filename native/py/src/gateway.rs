//! `hoosh._native.Gateway` and its loop: what exchanges share, and the store that it asks.

use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use hoosh_core::clock::Now;
use hoosh_core::gateway::{self, LoopResult, LoopStep};
use hoosh_core::ledger::Row;
use hoosh_core::store::{self, Store};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::config::Config;
use crate::exchange::{send_tuple, Exchange};
use crate::wake::WakeQueue;

/// Kinds of loop steps, as the first member of what `Gateway.next` returns.
pub const FETCH: u8 = 0;
/// See [`FETCH`].
pub const CANCEL: u8 = 1;
/// See [`FETCH`].
pub const STORE: u8 = 2;
/// See [`FETCH`].
pub const LOOP_WAIT: u8 = 3;

/// What all exchanges of a process share. `seed` makes request ids and back-off differ between processes.
#[pyclass(module = "hoosh", frozen)]
pub struct Gateway(pub Arc<gateway::Gateway>);

/// An operation for a store; only a store can look into it.
#[pyclass(module = "hoosh", frozen)]
pub struct StoreOp(Mutex<Option<store::Op>>);

/// What a store answered.
#[pyclass(module = "hoosh", frozen)]
pub struct StoreOutcome(store::Outcome);

/// A store that keeps everything in memory, and of the ledger the newest `max_rows`.
#[pyclass(module = "hoosh", frozen)]
pub struct MemoryStore(Mutex<store::MemoryStore>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[pymethods]
impl Gateway {
    #[new]
    fn new(config: &Config, seed: u64) -> Gateway {
        Gateway(gateway::Gateway::new(config.core().clone(), seed))
    }

    /// A new exchange, number `number` in `queue`.
    fn exchange(&self, queue: &WakeQueue, number: u64) -> Exchange {
        Exchange::new(self.0.exchange(queue.bell(number), 0))
    }

    /// Has the loop woken as number 0 of `queue`.
    fn set_waker(&self, queue: &WakeQueue) {
        self.0.set_waker(queue.bell(0));
    }

    /// What the loop must do now: a tuple that begins with its kind.
    fn next<'py>(&self, py: Python<'py>, mono_us: u64, wall_us: i64) -> PyResult<Bound<'py, PyTuple>> {
        match self.0.next(Now::new(mono_us, wall_us)) {
            LoopStep::Fetch { id, request, hooked } => {
                (FETCH, id, send_tuple(py, &request)?, hooked.as_deref()).into_pyobject(py)
            }
            LoopStep::Cancel { id } => (CANCEL, id).into_pyobject(py),
            LoopStep::Store { id, op } => (STORE, id, Bound::new(py, StoreOp(Mutex::new(Some(op))))?).into_pyobject(py),
            LoopStep::Wait { until_us } => (LOOP_WAIT, until_us).into_pyobject(py),
        }
    }

    /// A fetch ended: with status and body, or with the words of an error.
    fn fetched(&self, id: u64, status: u16, body: &[u8], error: Option<String>, mono_us: u64, wall_us: i64) {
        let result = match error {
            Some(words) => Err(words),
            None => Ok((status, Bytes::copy_from_slice(body))),
        };
        self.0.done(id, LoopResult::Fetched(result), Now::new(mono_us, wall_us));
    }

    /// The store answered.
    fn stored(&self, id: u64, outcome: &StoreOutcome, mono_us: u64, wall_us: i64) {
        self.0.done(id, LoopResult::Stored(outcome.0.clone()), Now::new(mono_us, wall_us));
    }

    /// A new configuration for exchanges that begin from now on.
    fn reload(&self, config: &Config, mono_us: u64, wall_us: i64) {
        self.0.reload(config.core().clone(), Now::new(mono_us, wall_us));
    }

    /// No new request is admitted; those in progress end.
    fn drain(&self) {
        self.0.drain();
    }

    /// Exchanges begun and not over.
    fn open_exchanges(&self) -> usize {
        self.0.open_exchanges()
    }

    /// The models that providers said they have, by the provider's name, as far as they were asked and answered.
    fn discovered(&self) -> Vec<(String, Vec<String>)> {
        self.0.discovered().into_iter().map(|(name, models)| (name.to_string(), models)).collect()
    }

    /// Ledger rows that the store has not confirmed yet.
    fn rows_waiting(&self) -> usize {
        self.0.rows_waiting()
    }
}

#[pymethods]
impl MemoryStore {
    #[new]
    fn new(max_rows: usize) -> MemoryStore {
        MemoryStore(Mutex::new(store::MemoryStore::new(max_rows)))
    }

    /// Perform `op`, once.
    fn perform(&self, op: &StoreOp) -> PyResult<StoreOutcome> {
        let op = lock(&op.0).take().ok_or_else(|| PyValueError::new_err("this operation was performed already"))?;
        Ok(StoreOutcome(lock(&self.0).perform(op)))
    }

    /// The ledger, oldest first: one dict for each exchange that reached an upstream.
    fn rows<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let loads = py.import("json")?.getattr("loads")?;
        let rows: Vec<String> = lock(&self.0).rows().map(Row::to_json).collect();
        rows.into_iter().map(|row| Ok(loads.call1((row,))?.cast_into::<PyDict>()?)).collect()
    }
}
