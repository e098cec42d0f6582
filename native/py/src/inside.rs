//! `hoosh._native.InsideCall`: a request of this program, answered in the threads of an edge.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use bytes::Bytes;
use hoosh_core::exchange::Caller;
use hoosh_core::http::Headers;
use hoosh_core::wake::{Wake, Waker};
use hoosh_edge::inside::{Call, End, Question, Taken};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::edge::Edge;
use crate::exchange::header_list;
use crate::wake::WakeQueue;

/// What one thread without an event loop waits by.
#[pyclass(module = "hoosh", frozen)]
pub struct Waiter {
    bell: Arc<Sender>,
    receiver: UnixStream,
}

struct Sender(UnixStream);

impl Wake for Sender {
    fn wake(&self) {
        // A full socket has bytes in it already, which is all that is wanted.
        let _ = (&self.0).write(&[1]);
    }
}

#[pymethods]
impl Waiter {
    #[new]
    fn new() -> PyResult<Waiter> {
        let (sender, receiver) = UnixStream::pair()?;
        sender.set_nonblocking(true)?;
        Ok(Waiter { bell: Arc::new(Sender(sender)), receiver })
    }

    /// Wait until a call that has it as its caller has something to take; perhaps for nothing.
    ///
    /// The interpreter lock is released, and signals are handled meanwhile.
    fn wait(&self, py: Python<'_>) -> PyResult<()> {
        loop {
            match py.detach(|| (&self.receiver).read(&mut [0; 64])) {
                Err(error) if error.kind() == ErrorKind::Interrupted => py.check_signals()?,
                Err(error) => return Err(error.into()),
                Ok(_) => return Ok(()),
            }
        }
    }
}

/// Who is told that there is something to take.
#[derive(FromPyObject)]
pub enum Told<'py> {
    Queue(Bound<'py, WakeQueue>),
    Waiter(Bound<'py, Waiter>),
}

/// A request of this program, being answered. Dropping it ends its work.
///
/// Raises:
///     ValueError: the edge does not answer, or not any more.
#[pyclass(module = "hoosh", frozen)]
pub struct InsideCall {
    /// Taken out where a child of a fork drops it.
    call: Option<Call>,
    pid: u32,
}

#[pymethods]
impl InsideCall {
    /// `told` hears of what there is to take, under `number`, by which the engine host is told of the caller too.
    ///
    /// `neutral`: a stream comes event by event, without framing.
    #[new]
    #[pyo3(signature = (edge, told, number, method, target, headers, body, neutral))]
    #[allow(clippy::too_many_arguments)] // A request and its caller, from Python.
    fn new(
        edge: &Edge,
        told: Told<'_>,
        number: u64,
        method: String,
        target: String,
        headers: Vec<(Vec<u8>, Vec<u8>)>,
        body: &[u8],
        neutral: bool,
    ) -> PyResult<InsideCall> {
        let waker: Waker = match told {
            Told::Queue(queue) => queue.get().bell(number),
            Told::Waiter(waiter) => waiter.get().bell.clone(),
        };
        let headers: Headers = headers.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let caller = if neutral { Caller::Neutral } else { Caller::Http };
        // Copied, because a native thread that let go of Python's bytes would leave that to whoever has the lock next.
        let body = Bytes::copy_from_slice(body);
        let call = edge.0.call(Question { method, target, headers, body, caller, number }, waker);
        let call = call.ok_or_else(|| PyValueError::new_err("the edge does not answer"))?;
        Ok(InsideCall { call: Some(call), pid: std::process::id() })
    }

    /// What there is: the head (status and headers, once), pieces of the body, and how it ended, if it has.
    ///
    /// That is `reply` (one whole body), `finish` (of a stream), `cut` (nobody took it for too long) or `gone` (the edge ended).
    fn take<'py>(&self, py: Python<'py>) -> PyResult<Answered<'py>> {
        let Taken { head, pieces, end } = self.call.as_ref().map(Call::take).unwrap_or_default();
        let head =
            head.map(|(status, headers)| header_list(py, &headers).map(|headers| (status, headers))).transpose()?;
        let pieces = pieces.iter().map(|piece| PyBytes::new(py, piece)).collect();
        Ok((head, pieces, end.map(word)))
    }

    /// Nothing more is wanted: its upstream's work ends.
    fn cancel(&self) {
        if let Some(call) = &self.call {
            call.cancel();
        }
    }
}

type Answered<'py> = (Option<(u16, Bound<'py, PyList>)>, Vec<Bound<'py, PyBytes>>, Option<&'static str>);

fn word(end: End) -> &'static str {
    match end {
        End::Reply => "reply",
        End::Finish => "finish",
        End::Cut => "cut",
        End::Gone => "gone",
    }
}

impl Drop for InsideCall {
    fn drop(&mut self) {
        // In a child of a fork the threads are not there, and one of them may have held a lock.
        if self.pid != std::process::id() {
            std::mem::forget(self.call.take());
        }
    }
}
