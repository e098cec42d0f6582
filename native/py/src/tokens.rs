//! `hoosh.tokens`: counting and encoding.

use std::sync::atomic::{AtomicBool, Ordering};

use hoosh_core::error::{Code, Failure};
use hoosh_core::tokens::{self, Encoding};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::errors;
use crate::input::detached;

/// See `hoosh.tokens.count`.
#[pyfunction]
pub fn tokens_count(py: Python<'_>, text: &str, encoding: Option<&str>, model: Option<&str>) -> PyResult<usize> {
    let encoding = choose(py, encoding, model)?;
    Ok(detached(py, text.len(), || tokens::count(text, encoding)))
}

/// See `hoosh.tokens.encode`.
#[pyfunction]
pub fn tokens_encode(py: Python<'_>, text: &str, encoding: Option<&str>, model: Option<&str>) -> PyResult<Vec<u32>> {
    let encoding = choose(py, encoding, model)?;
    Ok(detached(py, text.len(), || tokens::encode(text, encoding)))
}

/// See `hoosh.tokens.encoding_for_model`.
#[pyfunction]
pub fn tokens_encoding_for_model(model: &str) -> Option<&'static str> {
    tokens::encoding_for_model(model).map(Encoding::as_str)
}

/// The encoding that exactly one of the two names, its vocabulary unpacked.
fn choose(py: Python<'_>, encoding: Option<&str>, model: Option<&str>) -> PyResult<Encoding> {
    let refuse = |param: &str, message: String| {
        errors::to_py(py, &Failure::new(Code::InvalidValue, message).param(param.to_owned()))
    };
    let encoding = match (encoding, model) {
        (Some(name), None) => name.parse().map_err(|e: tokens::UnknownEncoding| refuse("encoding", e.to_string()))?,
        (None, Some(model)) => tokens::encoding_for_model(model).ok_or_else(|| {
            refuse("model", format!("no encoding is known for model {model:?}; name one with encoding=..."))
        })?,
        _ => return Err(PyTypeError::new_err("give either encoding=... or model=...")),
    };
    load(py, encoding);
    Ok(encoding)
}

/// Unpacking a vocabulary takes tens of milliseconds, once: not with the interpreter lock held.
pub fn load(py: Python<'_>, encoding: Encoding) {
    static LOADED: [AtomicBool; Encoding::ALL.len()] = [const { AtomicBool::new(false) }; Encoding::ALL.len()];
    let loaded = &LOADED[encoding as usize];
    if !loaded.load(Ordering::Relaxed) {
        py.detach(|| encoding.load());
        loaded.store(true, Ordering::Relaxed);
    }
}
