//! `hoosh._native.Gateway` and its loop: what exchanges share, whose questions to a store are in `store`.

use std::sync::Arc;

use bytes::Bytes;
use hoosh_core::clock::Now;
use hoosh_core::config::{LogLevel, Secret};
use hoosh_core::gateway::{self, LoopResult, LoopStep};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::config::{source_words, Config};
use crate::engine::{card_of, NativeEngine};
use crate::exchange::{send_tuple, Exchange};
use crate::store::{StoreOp, StoreOutcome};
use crate::wake::WakeQueue;

/// Kinds of loop steps, as the first member of what `Gateway.next` returns.
pub const FETCH: u8 = 0;
/// See [`FETCH`].
pub const CANCEL: u8 = 1;
/// See [`FETCH`].
pub const STORE: u8 = 2;
/// See [`FETCH`].
pub const LOOP_WAIT: u8 = 3;
/// See [`FETCH`].
pub const LOG: u8 = 4;
/// See [`FETCH`].
pub const LOOP_OVER: u8 = 5;
/// See [`FETCH`].
pub const LOOP_READ: u8 = 6;

/// What all exchanges of a process share. `seed` makes request ids and back-off differ between processes.
#[pyclass(module = "hoosh", frozen)]
pub struct Gateway(pub Arc<gateway::Gateway>);

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
            LoopStep::Store { id, op } => (STORE, id, Bound::new(py, StoreOp::new(op))?).into_pyobject(py),
            LoopStep::Log { id, lines, file } => (LOG, id, PyBytes::new(py, &lines), file.as_deref()).into_pyobject(py),
            LoopStep::Read { id, source } => {
                let (kind, words) = source_words(&source);
                (LOOP_READ, id, kind, words).into_pyobject(py)
            }
            LoopStep::Wait { until_us } => (LOOP_WAIT, until_us).into_pyobject(py),
            LoopStep::Over => (LOOP_OVER,).into_pyobject(py),
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

    /// A credential was read, or not, for the reason given, which quotes nothing of it.
    fn read(&self, id: u64, text: String, error: Option<String>, mono_us: u64, wall_us: i64) {
        let result = error.map_or_else(|| Ok(Secret::new(text)), Err);
        self.0.done(id, LoopResult::Read(result), Now::new(mono_us, wall_us));
    }

    /// Lines of the log were written, or not, for the reason given. From any thread.
    #[pyo3(signature = (id, error, mono_us, wall_us))]
    fn logged(&self, id: u64, error: Option<String>, mono_us: u64, wall_us: i64) {
        let result = error.map_or(Ok(()), Err);
        self.0.done(id, LoopResult::Logged(result), Now::new(mono_us, wall_us));
    }

    /// Whether lines of the log wait, or are being written.
    fn log_waiting(&self) -> bool {
        self.0.log_waiting()
    }

    /// A new configuration for exchanges that begin from now on.
    fn reload(&self, config: &Config, mono_us: u64, wall_us: i64) {
        self.0.reload(config.core().clone(), Now::new(mono_us, wall_us));
    }

    /// What the engine of `provider` can do, as it says now: its models are listed, and asked only for what they can do.
    fn report_engine(&self, py: Python<'_>, provider: &str, engine: &NativeEngine, mono_us: u64, wall_us: i64) {
        py.detach(|| self.0.report_engine(provider, engine.reported(), Now::new(mono_us, wall_us)));
    }

    /// The same of an engine that is Python: a dict for each model, as `NativeEngine.cards` gives them; `model` must be there.
    ///
    /// Raises:
    ///     ValueError: a dict lacks `model`, or holds what it cannot.
    fn report_cards(&self, provider: &str, cards: Vec<Bound<'_, PyDict>>, mono_us: u64, wall_us: i64) -> PyResult<()> {
        let cards = cards.iter().map(card_of).collect::<PyResult<_>>()?;
        self.0.report_engine(provider, cards, Now::new(mono_us, wall_us));
        Ok(())
    }

    /// Whether applications of `[[server.mounts]]` can be asked; before this is said, they cannot.
    fn set_mounts_run(&self, run: bool) {
        self.0.set_mounts_run(run);
    }

    /// Whether the store outlives this process; before this is said, it does not.
    fn set_store_lasts(&self, lasts: bool) {
        self.0.set_store_lasts(lasts);
    }

    /// Seconds after which a caller that takes nothing is cut off.
    fn caller_stall(&self) -> u64 {
        self.0.caller_stall_secs()
    }

    /// On the way down: seconds for which all is served, then seconds that requests in progress may take.
    fn way_down(&self) -> (u64, u64) {
        let server = self.0.server();
        (server.settle_secs, server.drain_secs)
    }

    /// It will go down: readiness says so, and all is served as before.
    fn settle(&self) {
        self.0.settle();
    }

    /// Whoever has no whole answer yet is told `draining` at the next look, so that all must look.
    fn stop(&self) {
        self.0.stop();
    }

    /// No new request is admitted; those in progress end.
    fn drain(&self) {
        self.0.drain();
    }

    /// End the run: the loop says so once everything is stored and the store told that it is over.
    fn close(&self) {
        self.0.close();
    }

    /// Exchanges begun and not over.
    fn open_exchanges(&self) -> usize {
        self.0.open_exchanges()
    }

    /// The models that providers said they have, by the provider's name, as far as they were asked and answered.
    fn discovered(&self) -> Vec<(String, Vec<String>)> {
        self.0.discovered().into_iter().map(|(name, models)| (name.to_string(), models)).collect()
    }

    /// What whoever started this program is told on the standard error, `level` an `error`, `warn` or `info`.
    ///
    /// A line of JSON where the log is, else the words.
    fn told<'py>(
        &self,
        py: Python<'py>,
        level: &str,
        words: &str,
        mono_us: u64,
        wall_us: i64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let known = LogLevel::WORDS.iter().find(|(name, _)| *name == level);
        let level = known.ok_or_else(|| PyValueError::new_err("no such level"))?.1;
        Ok(PyBytes::new(py, &self.0.told(level, words, Now::new(mono_us, wall_us))))
    }

    /// Ledger rows and request records that the store has not confirmed yet.
    fn rows_waiting(&self) -> usize {
        self.0.rows_waiting()
    }
}
