//! Failures of the core as Python exceptions. The tree is `hoosh.errors`; its classes are chosen there, by code.

use hoosh_core::error::{Code, Failure, Fault};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

/// The exception for `failure`: what `hoosh.errors.from_code` makes of it.
pub fn to_py(py: Python<'_>, failure: &Failure) -> PyErr {
    static FROM_CODE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let make = || -> PyResult<PyErr> {
        let from_code = FROM_CODE.import(py, "hoosh.errors", "from_code")?;
        let named = PyDict::new(py);
        named.set_item("param", failure.param.as_deref())?;
        named.set_item("retry_after", failure.retry_after_secs.map(|seconds| seconds as f64))?;
        let arguments = (failure.code.as_str(), failure.status(), failure.message.as_str());
        Ok(PyErr::from_value(from_code.call(arguments, Some(&named))?))
    };
    make().unwrap_or_else(|error| error)
}

/// The exception for `code` without a field.
pub fn raise(py: Python<'_>, code: Code, message: impl Into<String>) -> PyErr {
    to_py(py, &Failure::new(code, message))
}

/// Every stable code as (code, HTTP status, OpenAI type, fault), fault being `caller`, `upstream` or `gateway`.
#[pyfunction]
pub fn error_codes() -> Vec<(&'static str, u16, &'static str, &'static str)> {
    let fault = |code: Code| match code.fault() {
        Fault::Caller => "caller",
        Fault::Upstream => "upstream",
        Fault::Gateway => "gateway",
    };
    Code::ALL.iter().map(|&code| (code.as_str(), code.status(), code.openai_type(), fault(code))).collect()
}
