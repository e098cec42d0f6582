//! `hoosh._native`: the only crate that knows Python. Thin functions around the kernels and the core; the typed,
//! documented faces are in `python/hoosh`.

mod body;
mod candle;
mod config;
mod edge;
mod egress;
mod engine;
mod errors;
mod exchange;
mod gateway;
mod input;
mod inside;
mod keys;
mod messages;
mod sse;
mod store;
#[cfg(feature = "test-engine")]
mod test_engine;
mod tokens;
mod wake;
mod wire;

use pyo3::prelude::*;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The native half of hoosh. Private: import the public modules of `hoosh` instead.
#[pymodule]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::body::{body_edit, body_scan, cache_key};
    #[pymodule_export]
    use super::candle::candle;
    #[pymodule_export]
    use super::config::{config_schema, provider_types, Config};
    #[pymodule_export]
    use super::edge::{Edge, HostedCall};
    #[pymodule_export]
    use super::egress::{is_forbidden, TlsTerms};
    #[pymodule_export]
    use super::engine::{refusal, Answer, NativeEngine};
    #[pymodule_export]
    use super::errors::error_codes;
    #[pymodule_export]
    use super::exchange::{step_names, Exchange, Job, JobResult};
    #[pymodule_export]
    use super::gateway::Gateway;
    #[pymodule_export]
    use super::inside::{InsideCall, Waiter};
    #[pymodule_export]
    use super::keys::config_keys;
    #[pymodule_export]
    use super::messages::tokens_count_messages;
    #[pymodule_export]
    use super::sse::sse_write;
    #[pymodule_export]
    use super::store::{store_backup, store_inspect, MemoryStore, Store, StoreOp, StoreOutcome};
    #[pymodule_export]
    use super::tokens::{tokens_count, tokens_encode, tokens_encoding_for_model};
    #[pymodule_export]
    use super::wake::WakeQueue;
    #[pymodule_export]
    use super::wire::{WireGuard, WireRefusal};

    /// What an item of an engine costs of its credit at most, bytes.
    #[pymodule_export]
    const HEAVIEST: usize = super::engine::HEAVIEST_ITEM;

    /// The model that comes with hoosh.
    #[pymodule_export]
    const DEMONSTRATION: &str = hoosh_core::config::candle::DEMONSTRATION;

    /// The version of hoosh, from the crate that built this module.
    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    /// Classes are known to Python by their public names (`hoosh.sse.Event`) and lie here under longer ones, because
    /// this module is flat.
    #[pymodule_init]
    fn add_classes(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        #[cfg(feature = "test-engine")]
        {
            module.add_function(pyo3::wrap_pyfunction!(super::test_engine::test_engine, module)?)?;
            module.add_class::<super::test_engine::Gauge>()?;
        }
        module.add("SseEvent", py.get_type::<super::sse::SseEvent>())?;
        module.add("SseParser", py.get_type::<super::sse::SseParser>())
    }
}
