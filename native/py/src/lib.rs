//! `hoosh._native`: the only crate that knows Python. Thin functions around the kernels and the core; the typed,
//! documented faces are in `python/hoosh`.

mod errors;

use pyo3::prelude::*;

/// The native half of hoosh. Private: import the public modules of `hoosh` instead.
#[pymodule]
mod _native {
    #[pymodule_export]
    use super::errors::error_codes;

    /// The version of hoosh, from the crate that built this module.
    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
