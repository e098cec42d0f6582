//! `hoosh._native.Exchange`: the doors and steps of the core's exchange, as plain calls and tuples.

use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use hoosh_core::clock::Now;
use hoosh_core::dialects::neutral::{CallKind, Item, Request, TokenLogprob};
use hoosh_core::error::{Code, Failure};
use hoosh_core::exchange::{self as core, Caller, ChildAnswer, RequestHead, Stage, Step};
use hoosh_core::http::{Body, HeaderView, Headers, UpstreamRequest};
use hoosh_core::ledger::{Usage, UsageSource};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList, PyTuple};

use crate::egress::{proxy_tuple, TlsTerms};
use crate::engine;

/// Text, bytes and logarithm of a token, and the same of the likeliest in its place.
pub type Logprob = (String, Vec<u8>, f32, Vec<(String, Vec<u8>, f32)>);

/// Kinds of steps, as the first member of what `Exchange.next` returns, in this order.
const STEPS: [&str; 17] = [
    "CONTINUE",
    "READ_CALLER",
    "SEND",
    "READ",
    "ABORT",
    "CALL",
    "WORK",
    "CHILD",
    "REPLY",
    "START",
    "EMIT",
    "FINISH",
    "BREAK",
    "WAIT",
    "DONE",
    "SEND_BODY",
    "END_BODY",
];

/// The kinds of steps, by number.
#[pyfunction]
pub fn step_names() -> [&'static str; 17] {
    STEPS
}

/// One caller request. See `native/core/src/exchange/step.rs` for the contract of every door and step.
#[pyclass(module = "hoosh", frozen)]
pub struct Exchange(Mutex<core::Exchange>);

/// CPU work for any thread.
#[pyclass(module = "hoosh", frozen)]
pub struct Job(Mutex<Option<core::Job>>);

/// What a job found.
#[pyclass(module = "hoosh", frozen)]
pub struct JobResult(Mutex<Option<core::JobResult>>);

struct View(Vec<(PyBackedBytes, PyBackedBytes)>);

impl HeaderView for View {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| &**value)
    }
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A buffer of Python's as a slice of the core, without a copy.
pub fn shared(bytes: PyBackedBytes) -> Bytes {
    Bytes::from_owner(bytes)
}

impl Exchange {
    pub fn new(exchange: core::Exchange) -> Exchange {
        Exchange(Mutex::new(exchange))
    }
}

#[pymethods]
impl Exchange {
    /// The caller's request head. `neutral`: a caller of this process, without framing.
    fn begin(&self, method: &str, target: &str, headers: Vec<(PyBackedBytes, PyBackedBytes)>, neutral: bool) {
        let caller = if neutral { Caller::Neutral } else { Caller::Http };
        lock(&self.0).begin(RequestHead { method, target, headers: &View(headers), caller });
    }

    /// The listener could not read the request.
    fn refused(&self, refusal: &crate::wire::WireRefusal) {
        lock(&self.0).refused(refusal.failure.clone());
    }

    /// More of the caller's body.
    fn body(&self, data: PyBackedBytes) {
        lock(&self.0).body(shared(data));
    }

    /// The caller's body is complete.
    fn body_end(&self) {
        lock(&self.0).body_end();
    }

    /// A connection stands.
    fn connected(&self, u: u32) {
        lock(&self.0).connected(u);
    }

    /// The upstream's transport took `size` more bytes of a streamed body.
    fn took(&self, u: u32, size: usize) {
        lock(&self.0).took(u, size);
    }

    /// The request was written whole.
    fn sent(&self, u: u32) {
        lock(&self.0).sent(u);
    }

    /// The answer's head came.
    fn head(&self, u: u32, status: u16, headers: Vec<(PyBackedBytes, PyBackedBytes)>) {
        lock(&self.0).head(u, status, &View(headers));
    }

    /// More of the answer's body.
    fn data(&self, u: u32, data: PyBackedBytes) {
        lock(&self.0).data(u, shared(data));
    }

    /// The answer is complete.
    fn end(&self, u: u32) {
        lock(&self.0).end(u);
    }

    /// The attempt failed, at `connect`, `tls`, `send`, `head`, `body`, `protocol` or `hook`.
    fn failed(&self, u: u32, stage: &str, reused: bool) -> PyResult<()> {
        let stage = stage_of(stage)?;
        lock(&self.0).failed(u, stage, reused);
        Ok(())
    }

    /// A hook of the provider declines; `status` (400 to 499), `message` and `param` are for the caller.
    #[pyo3(signature = (u, status, message, param))]
    fn declined(&self, u: u32, status: u16, message: String, param: Option<String>) {
        lock(&self.0).declined(u, declined(status, message, param));
    }

    /// Hand on what an engine of Rust says, as far as the credit goes: bytes handed on, and how its answer stands.
    ///
    /// That is None where more will come, `("end",)`, `("refused", status, headers, body)` or `("failed", words)`.
    fn pump<'py>(
        &self,
        py: Python<'py>,
        u: u32,
        answer: &engine::Answer,
        credit: usize,
    ) -> PyResult<(usize, Option<Bound<'py, PyTuple>>)> {
        engine::pump(py, &self.0, u, answer, credit)
    }

    /// An engine said more text, with how likely its tokens were.
    #[pyo3(signature = (u, choice, text, logprobs = None))]
    fn delta_text(&self, u: u32, choice: u32, text: String, logprobs: Option<Vec<Logprob>>) {
        lock(&self.0).delta(u, Item::Text { choice, text, logprobs: tokens_of(logprobs) });
    }

    /// An engine said more of what it thinks.
    fn delta_reasoning(&self, u: u32, choice: u32, text: String) {
        lock(&self.0).delta(u, Item::Reasoning { choice, text });
    }

    /// An engine said more of a tool call.
    #[pyo3(signature = (u, choice, index, id, name, arguments))]
    fn delta_tool_call(
        &self,
        u: u32,
        choice: u32,
        index: u32,
        id: Option<String>,
        name: Option<String>,
        arguments: String,
    ) {
        lock(&self.0).delta(u, Item::ToolCall { choice, index, id, name, arguments, kind: CallKind::Function });
    }

    /// An engine finished a choice.
    fn delta_finish(&self, u: u32, choice: u32, reason: String) {
        lock(&self.0).delta(u, Item::Finish { choice, reason });
    }

    /// An engine gave one input's vector.
    fn delta_embedding(&self, u: u32, index: u32, vector: Vec<f32>) {
        lock(&self.0).delta(u, Item::Embedding { index, vector });
    }

    /// An engine said what it used.
    #[pyo3(signature = (u, input_tokens, output_tokens, cached_tokens = 0))]
    fn delta_usage(&self, u: u32, input_tokens: u64, output_tokens: u64, cached_tokens: u64) {
        let usage =
            Usage { input_tokens, output_tokens, cached_tokens, source: UsageSource::Reported, ..Usage::default() };
        lock(&self.0).delta(u, Item::Usage(usage));
    }

    /// A job is done.
    fn worked(&self, result: &JobResult) {
        if let Some(result) = lock(&result.0).take() {
            lock(&self.0).worked(result);
        }
    }

    /// A child answered.
    fn child(&self, c: u32, status: u16, body: PyBackedBytes) {
        lock(&self.0).child(c, ChildAnswer { status, body: shared(body) });
    }

    /// The caller's transport took `size` more body bytes.
    fn written(&self, size: usize) {
        lock(&self.0).written(size);
    }

    /// The caller left.
    fn caller_gone(&self) {
        lock(&self.0).caller_gone();
    }

    /// Leave to have a mounted application answer: the mount's path, the request's id, and the name of the caller's key.
    ///
    /// None: the request is none of its, or is refused. The name is None where no key was asked for.
    fn passage(&self, mono_us: u64, wall_us: i64) -> Option<(String, String, Option<String>)> {
        let passage = lock(&self.0).passage(Now::new(mono_us, wall_us))?;
        Some((passage.mount.path.to_string(), passage.request_id.to_string(), passage.key.map(|key| key.to_string())))
    }

    /// The application is about to answer; False: it must not, because the exchange does, or has ended.
    fn mount_began(&self, status: u16) -> bool {
        lock(&self.0).mount_began(status)
    }

    /// Its answer is complete.
    fn mount_ended(&self) {
        lock(&self.0).mount_ended();
    }

    /// It broke off.
    fn mount_failed(&self) {
        lock(&self.0).mount_failed();
    }

    /// `x-request-id`; empty before `begin` or `refused`.
    #[getter]
    fn request_id(&self) -> String {
        lock(&self.0).request_id().to_owned()
    }

    /// What to do now: a tuple that begins with its kind.
    fn next<'py>(&self, py: Python<'py>, mono_us: u64, wall_us: i64) -> PyResult<Bound<'py, PyTuple>> {
        let step = lock(&self.0).next(Now::new(mono_us, wall_us));
        match step {
            Step::Continue => (0,).into_pyobject(py),
            Step::ReadCaller { credit } => (1, credit).into_pyobject(py),
            Step::Send { u, request } => (2, u, send_tuple(py, &request)?).into_pyobject(py),
            Step::Read { u, credit } => (3, u, credit).into_pyobject(py),
            Step::Abort { u } => (4, u).into_pyobject(py),
            Step::Call { u, engine, request } => {
                let Request { endpoint, body, upstream, standing } = request;
                let standing = (standing.priority as u8, standing.tenant);
                match upstream {
                    // With the same body: copied once.
                    Some(request) => {
                        (5, u, &*engine, endpoint.as_str(), py.None(), standing, send_tuple(py, &request)?)
                            .into_pyobject(py)
                    }
                    None => {
                        let body = PyBytes::new(py, &body);
                        (5, u, &*engine, endpoint.as_str(), body, standing, py.None()).into_pyobject(py)
                    }
                }
            }
            Step::Work { job } => (6, Bound::new(py, Job(Mutex::new(Some(job))))?).into_pyobject(py),
            Step::Child { c, exchange } => (7, c, Bound::new(py, Exchange::new(*exchange))?).into_pyobject(py),
            Step::Reply { status, headers, body } => {
                (8, status, header_list(py, &headers)?, PyBytes::new(py, &body)).into_pyobject(py)
            }
            Step::Start { status, headers } => (9, status, header_list(py, &headers)?).into_pyobject(py),
            Step::Emit { bytes } => (10, PyBytes::new(py, &bytes)).into_pyobject(py),
            Step::Finish => (11,).into_pyobject(py),
            Step::Break => (12,).into_pyobject(py),
            Step::Wait { until_us } => (13, until_us).into_pyobject(py),
            Step::Done => (14,).into_pyobject(py),
            Step::SendBody { u, bytes } => (15, u, PyBytes::new(py, &bytes)).into_pyobject(py),
            Step::EndBody { u } => (16, u).into_pyobject(py),
        }
    }
}

#[pymethods]
impl Job {
    /// Do it, with the interpreter lock released.
    fn run(&self, py: Python<'_>) -> PyResult<JobResult> {
        let job = lock(&self.0).take().ok_or_else(|| PyValueError::new_err("this job was done already"))?;
        Ok(JobResult(Mutex::new(Some(py.detach(|| job.run())))))
    }
}

/// How likely tokens were, as the core has it.
pub fn tokens_of(logprobs: Option<Vec<Logprob>>) -> Vec<TokenLogprob> {
    let token = |(token, bytes, logprob, top): Logprob| TokenLogprob { token, bytes, logprob, top };
    logprobs.unwrap_or_default().into_iter().map(token).collect()
}

/// Where an attempt failed, by its word.
pub fn stage_of(stage: &str) -> PyResult<Stage> {
    Ok(match stage {
        "connect" => Stage::Connect,
        "tls" => Stage::Tls,
        "send" => Stage::Send,
        "head" => Stage::Head,
        "body" => Stage::Body,
        "protocol" => Stage::Protocol,
        "hook" => Stage::Hook,
        other => return Err(PyValueError::new_err(format!("unknown stage {other:?}"))),
    })
}

/// Why a hook declines, for the caller.
pub fn declined(status: u16, message: String, param: Option<String>) -> Failure {
    let mut why = Failure::new(Code::UpstreamRefused, message);
    why.status = Some(if (400..500).contains(&status) { status } else { 400 });
    why.param = param;
    why
}

pub fn header_list<'py>(py: Python<'py>, headers: &Headers) -> PyResult<Bound<'py, PyList>> {
    PyList::new(py, headers.iter().map(|(name, value)| (PyBytes::new(py, name), PyBytes::new(py, value))))
}

/// (tls, host, port, trusted, terms, proxy, authority, method, target, headers, body); where the body is streamed, `body` is its length, or -1.
pub fn send_tuple<'py>(py: Python<'py>, request: &UpstreamRequest) -> PyResult<Bound<'py, PyTuple>> {
    let origin = &request.origin;
    let body = match &request.body {
        Body::Whole(bytes) => PyBytes::new(py, bytes).into_any(),
        Body::Streamed { length } => {
            length.map_or(-1, |length| i64::try_from(length).unwrap_or(i64::MAX)).into_pyobject(py)?.into_any()
        }
    };
    (
        origin.tls,
        origin.host.as_str(),
        origin.port,
        origin.trusted,
        origin.terms.clone().map(TlsTerms),
        origin.proxy.as_deref().map(|proxy| proxy_tuple(py, proxy)),
        PyBytes::new(py, origin.authority().as_bytes()),
        request.method,
        PyBytes::new(py, &request.target),
        header_list(py, &request.headers)?,
        body,
    )
        .into_pyobject(py)
}
