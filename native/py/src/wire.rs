//! `hoosh._native.WireGuard`: what stands between a socket and the server's own HTTP parser.

use std::sync::{Mutex, MutexGuard};

use hoosh_core::error::Failure;
use hoosh_core::wire;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::gateway::Gateway;

/// Judges the bytes of one connection before the server's own parser reads them; `docs/wire.md` has the rules.
#[pyclass(module = "hoosh", frozen)]
pub struct WireGuard(Mutex<wire::Guard>);

/// Why a connection is refused: for `Exchange.refused`.
#[pyclass(module = "hoosh", frozen)]
pub struct WireRefusal {
    pub failure: Failure,
    ending: Option<&'static [u8]>,
}

impl WireGuard {
    fn guard(&self) -> MutexGuard<'_, wire::Guard> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn refusal(py: Python<'_>, wire::Refusal { failure, ending }: wire::Refusal) -> PyResult<Py<PyAny>> {
    Ok(Py::new(py, WireRefusal { failure, ending })?.into_any())
}

#[pymethods]
impl WireGuard {
    /// `gateway`: whose mounts may have websockets, below `prefix`; None: none may.
    #[new]
    #[pyo3(signature = (gateway = None, prefix = ""))]
    fn new(gateway: Option<&Gateway>, prefix: &str) -> Self {
        let websockets = gateway.and_then(|gateway| wire::Websockets::of(&gateway.0.server().mounts, prefix));
        WireGuard(Mutex::new(wire::Guard::new().with_websockets(websockets)))
    }

    /// The handshake of a websocket that was given on succeeded: what comes is not looked at.
    fn switched(&self) {
        self.guard().switched();
    }

    /// It was refused: the next request may come.
    fn stayed(&self) {
        self.guard().stayed();
    }

    /// Whether no more is to be fed before it is known what became of the handshake.
    #[getter]
    fn is_full(&self) -> bool {
        self.guard().is_full()
    }

    /// What the socket gave.
    fn feed(&self, data: &[u8]) {
        self.guard().feed(data);
    }

    /// The peer will send no more: the refusal of a body that is not whole.
    fn end(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let cut = self.guard().end();
        cut.map(|cut| refusal(py, cut)).transpose()
    }

    /// Bytes for the parser, at most to the end of one request; or why the connection is refused; None: feed more.
    fn next(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        match self.guard().next() {
            Ok(bytes) => Ok(bytes.map(|bytes| PyBytes::new(py, &bytes).into_any().unbind())),
            Err(refused) => refusal(py, refused).map(Some),
        }
    }

    /// Whether a head has begun and is not whole.
    #[getter]
    fn in_head(&self) -> bool {
        self.guard().in_head()
    }

    /// The refusal of a head that takes too long.
    fn slow_head(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let refused = self.guard().slow_head();
        refusal(py, refused)
    }
}

#[pymethods]
impl WireRefusal {
    /// The stable code.
    #[getter]
    fn code(&self) -> &'static str {
        self.failure.code.as_str()
    }

    /// What ends the body for the parser, empty if nothing can; None: it has seen nothing of the request.
    #[getter]
    fn ending(&self) -> Option<&'static [u8]> {
        self.ending
    }
}
