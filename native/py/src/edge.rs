//! `hoosh._native.Edge`: the native listener, and the queue to what Python answers behind it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hoosh_core::dialects::neutral::{CallKind, Item, Request};
use hoosh_core::exchange::Stage;
use hoosh_core::http::Headers;
use hoosh_core::ledger::{Usage, UsageSource};
use hoosh_core::wake::Wake;
use hoosh_edge::host::{Ask, Line, Told};
use hoosh_edge::{self as edge, Settings};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList, PyTuple};

use crate::config::source_words;
use crate::engine::NativeEngine;
use crate::exchange::{declined, send_tuple, shared, stage_of, tokens_of, Logprob};
use crate::gateway::Gateway;
use crate::store::{MemoryStore, Store};
use crate::wake::WakeQueue;

/// The native listener of `hoosh serve`. Making one opens its sockets; `accept` begins to answer.
///
/// Raises:
///     OSError: the address is taken, not ours, or none.
#[pyclass(module = "hoosh", frozen)]
pub struct Edge(pub edge::Edge);

/// A call that the engine host answers: the doors of its exchange, under any number.
#[pyclass(module = "hoosh", frozen)]
pub struct HostedCall(Arc<Line>);

#[pymethods]
impl Edge {
    /// `bind`: where it listens; None: nowhere, it answers calls of this program.
    ///
    /// `prefix`: where its paths begin, mostly empty. `threads`: 0 is one for each core. `mono_us`: what the clock says now by
    /// which the gateway is told the time.
    #[new]
    #[pyo3(signature = (gateway, bind, port, prefix, threads, mono_us))]
    fn new(
        gateway: &Gateway,
        bind: Option<String>,
        port: u16,
        prefix: String,
        threads: usize,
        mono_us: u64,
    ) -> PyResult<Edge> {
        let Some(bind) = bind else { return Ok(Edge(edge::Edge::inside(gateway.0.clone(), threads, mono_us))) };
        let settings = Settings { bind, port, prefix, threads, mono_us };
        edge::Edge::listen(gateway.0.clone(), &settings).map(Edge).map_err(PyErr::from)
    }

    /// Host and port.
    #[getter]
    fn address(&self) -> (String, u16) {
        let address = self.0.address();
        (address.ip().to_string(), address.port())
    }

    /// Start the gateway's loop in a thread of its own, over `store`, which rings this edge.
    fn start_loop(&self, store: &Bound<'_, PyAny>) -> PyResult<()> {
        let started = match store.cast::<Store>() {
            Ok(store) => self.0.start_loop(store.get().keeper()),
            Err(_) => self.0.start_loop(store.cast::<MemoryStore>()?.get().keeper()),
        };
        started.map_err(PyErr::from)
    }

    /// Whether the providers that are asked for their models have said them, or had their time.
    #[getter]
    fn is_listed(&self) -> bool {
        self.0.is_listed()
    }

    /// Have applications that are mounted asked over the Unix socket at `socket`; `secret` begins the header that says who asks.
    fn pass_to(&self, socket: std::path::PathBuf, secret: &str) {
        self.0.pass_to(socket, secret);
    }

    /// Begin to answer.
    fn accept(&self) -> PyResult<()> {
        self.0.accept().map_err(PyErr::from)
    }

    /// Have these engines of Rust answer here, by their provider's name, and no others.
    fn engines(&self, py: Python<'_>, engines: HashMap<String, Bound<'_, NativeEngine>>) {
        let engines = engines.into_iter().map(|(name, engine)| (name.into(), engine.get().engine())).collect();
        py.detach(|| self.0.engines(engines));
    }

    /// Put what no engine of Rust answers into the host's queue, and tell `queue` under `number`.
    fn open_host(&self, queue: &WakeQueue, number: u64) {
        self.0.host().open(queue.bell(number));
        self.0.has_host();
    }

    /// What the host must do, oldest first: tuples that begin with `call`, `credit`, `abort`, `fetch`, `read` or `cancel`.
    fn take<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let asks = self.0.host().take().into_iter().map(|ask| ask_tuple(py, ask));
        PyList::new(py, asks.collect::<PyResult<Vec<_>>>()?)
    }

    /// Have the gateway's loop look.
    fn ring(&self) {
        self.0.ring().wake();
    }

    /// Accept no connection any more, and end each after the request that it is in.
    fn close(&self) {
        self.0.close();
    }

    /// Have all exchanges look: something changed for them all.
    fn look(&self) {
        self.0.look();
    }

    /// Close all connections now.
    fn cut(&self) {
        self.0.cut();
    }

    /// Callers' connections that are open.
    #[getter]
    fn connections(&self) -> usize {
        self.0.connections()
    }

    /// End its threads, and the gateway's run: whether everything was stored and written within `seconds`.
    fn end(&self, py: Python<'_>, seconds: f64) -> bool {
        py.detach(|| self.0.end(Duration::from_secs_f64(seconds)))
    }

    /// Have `words` written to the standard error, in turn with the log; whether there was room for them.
    fn say(&self, words: &[u8]) -> bool {
        self.0.log().say(Bytes::copy_from_slice(words))
    }

    /// Wait until what was said is written, for `seconds` at most.
    fn flush(&self, py: Python<'_>, seconds: f64) {
        py.detach(|| self.0.log().flush(Duration::from_secs_f64(seconds)));
    }
}

fn ask_tuple<'py>(py: Python<'py>, ask: Ask) -> PyResult<Bound<'py, PyTuple>> {
    match ask {
        Ask::Call { number, caller, name, request, line } => {
            let Request { endpoint, body, upstream, standing } = request;
            let standing = (standing.priority as u8, standing.tenant);
            let doors = Bound::new(py, HostedCall(line))?;
            let (body, request) = match upstream {
                // With the same body: copied once.
                Some(request) => (py.None().into_bound(py), send_tuple(py, &request)?.into_any()),
                None => (PyBytes::new(py, &body).into_any(), py.None().into_bound(py)),
            };
            ("call", number, caller, doors, &*name, endpoint.as_str(), body, standing, request).into_pyobject(py)
        }
        Ask::Credit { number, credit } => ("credit", number, credit).into_pyobject(py),
        Ask::Abort { number } => ("abort", number).into_pyobject(py),
        Ask::Fetch { id, request, hooked } => ("fetch", id, send_tuple(py, &request)?, &*hooked).into_pyobject(py),
        Ask::Read { id, source } => {
            let (kind, words) = source_words(&source);
            ("read", id, kind, words).into_pyobject(py)
        }
        Ask::Cancel { id } => ("cancel", id).into_pyobject(py),
    }
}

/// The doors as `Exchange` has them; the number of the attempt is the call's own, and not looked at.
#[pymethods]
impl HostedCall {
    fn connected(&self, _u: u32) {
        self.0.tell(Told::Connected);
    }

    fn sent(&self, _u: u32) {
        self.0.tell(Told::Sent);
    }

    fn head(&self, _u: u32, status: u16, headers: Vec<(PyBackedBytes, PyBackedBytes)>) {
        let headers: Headers = headers.into_iter().map(|(name, value)| (shared(name), shared(value))).collect();
        self.0.tell(Told::Head(status, headers));
    }

    fn data(&self, _u: u32, data: PyBackedBytes) {
        self.0.tell(Told::Data(shared(data)));
    }

    fn end(&self, _u: u32) {
        self.0.tell(Told::End);
    }

    fn failed(&self, _u: u32, stage: &str, reused: bool) -> PyResult<()> {
        let stage: Stage = stage_of(stage)?;
        self.0.tell(Told::Failed(stage, reused));
        Ok(())
    }

    #[pyo3(signature = (_u, status, message, param))]
    fn declined(&self, _u: u32, status: u16, message: String, param: Option<String>) {
        self.0.tell(Told::Declined(declined(status, message, param)));
    }

    #[pyo3(signature = (_u, choice, text, logprobs = None))]
    fn delta_text(&self, _u: u32, choice: u32, text: String, logprobs: Option<Vec<Logprob>>) {
        self.0.tell(Told::Delta(Item::Text { choice, text, logprobs: tokens_of(logprobs) }));
    }

    fn delta_reasoning(&self, _u: u32, choice: u32, text: String) {
        self.0.tell(Told::Delta(Item::Reasoning { choice, text }));
    }

    #[pyo3(signature = (_u, choice, index, id, name, arguments))]
    fn delta_tool_call(
        &self,
        _u: u32,
        choice: u32,
        index: u32,
        id: Option<String>,
        name: Option<String>,
        arguments: String,
    ) {
        self.0.tell(Told::Delta(Item::ToolCall { choice, index, id, name, arguments, kind: CallKind::Function }));
    }

    fn delta_finish(&self, _u: u32, choice: u32, reason: String) {
        self.0.tell(Told::Delta(Item::Finish { choice, reason }));
    }

    fn delta_embedding(&self, _u: u32, index: u32, vector: Vec<f32>) {
        self.0.tell(Told::Delta(Item::Embedding { index, vector }));
    }

    #[pyo3(signature = (_u, input_tokens, output_tokens, cached_tokens = 0))]
    fn delta_usage(&self, _u: u32, input_tokens: u64, output_tokens: u64, cached_tokens: u64) {
        let usage =
            Usage { input_tokens, output_tokens, cached_tokens, source: UsageSource::Reported, ..Usage::default() };
        self.0.tell(Told::Delta(Item::Usage(usage)));
    }
}
