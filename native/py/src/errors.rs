//! The catalogue of errors for Python. The tree of exceptions is `hoosh.errors`; a test compares the two.

use hoosh_core::error::{Code, Fault};
use pyo3::prelude::*;

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
