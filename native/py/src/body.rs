//! `hoosh.cache` and `hoosh.body`: kernels over a request's JSON text.

use hoosh_core::cachekey;
use hoosh_core::error::{Code, Failure};
use hoosh_core::json::{self, Edits, ErrorKind, Index, Limits};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyBytes, PyDict, PySlice};

use crate::errors;
use crate::input::{detached, Input};

/// See `hoosh.cache.key`.
#[pyfunction]
pub fn cache_key(py: Python<'_>, body: Input, tenant: &str) -> PyResult<String> {
    detached(py, body.len(), || cachekey::key_of(&body, tenant)).map_err(|error| refuse(py, &error))
}

/// See `hoosh.body.scan`.
#[pyfunction]
pub fn body_scan<'py>(py: Python<'py>, body: Input) -> PyResult<Bound<'py, PyDict>> {
    let index = scan(py, &body)?;
    let found = PyDict::new(py);
    for (key, value) in index.iter(&body) {
        let span = value.span_in(&body);
        found.set_item(key, PySlice::new(py, span.start as isize, span.end as isize, 1))?;
    }
    Ok(found)
}

/// See `hoosh.body.edit`.
#[pyfunction]
pub fn body_edit<'py>(
    py: Python<'py>,
    body: Input,
    changes: Vec<(PyBackedStr, Option<Input>)>,
) -> PyResult<Bound<'py, PyBytes>> {
    let index = scan(py, &body)?;
    let mut edits = Edits::new();
    for (key, value) in changes {
        match value {
            Some(text) => {
                json::validate(&text, Limits::default()).map_err(|error| {
                    let message = format!("the new value is not JSON: {error}");
                    errors::to_py(py, &Failure::new(Code::InvalidValue, message).param(&*key))
                })?;
                edits.set(key.to_string(), text.to_vec());
            }
            None => edits.remove(key.to_string()),
        }
    }
    Ok(PyBytes::new(py, &detached(py, body.len(), || edits.apply(&body, &index))))
}

fn scan(py: Python<'_>, body: &Input) -> PyResult<Index> {
    detached(py, body.len(), || Index::scan(body, Limits::default())).map_err(|error| refuse(py, &error))
}

fn refuse(py: Python<'_>, error: &json::Error) -> PyErr {
    let code = match error.kind {
        ErrorKind::DuplicateKey => Code::DuplicateField,
        ErrorKind::NotAnObject | ErrorKind::Exponent => Code::InvalidValue,
        ErrorKind::TooLong => Code::BodyTooLarge,
        _ => Code::InvalidJson,
    };
    errors::to_py(py, &Failure { param: error.key.clone(), ..Failure::new(code, error.to_string()) })
}
