//! Bytes that come from Python, and work on them outside of the interpreter lock.

use std::ops::Deref;

use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

/// Below this many bytes, giving the lock up and taking it back costs more than the work that it lets others do.
const WORTH_DETACHING: usize = 4096;

/// An argument that supports the buffer protocol. `bytes` are read where they lie; anything else is copied, because
/// another thread could change it while the lock is released.
pub enum Input {
    /// A `bytes` object, kept alive.
    Shared(PyBackedBytes),
    /// What a `bytearray` or `memoryview` held.
    Copied(Vec<u8>),
}

impl Deref for Input {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Input::Shared(bytes) => bytes,
            Input::Copied(bytes) => bytes,
        }
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Input {
    type Error = PyErr;
    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Input::Shared(bytes.to_owned().into()));
        }
        Ok(Input::Copied(PyBuffer::<u8>::get(&object)?.to_vec(object.py())?))
    }
}

/// Runs `work` on `size` bytes of input, with the interpreter lock released if that is worth it.
pub fn detached<T: Send>(py: Python<'_>, size: usize, work: impl Send + FnOnce() -> T) -> T {
    if size < WORTH_DETACHING {
        work()
    } else {
        py.detach(work)
    }
}
