//! `hoosh._native.candle`: the engine of models out of files, as the configuration says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hoosh_candle::device::Accelerator;
use hoosh_candle::{Candle, ModelSource, Settings, Source};
use hoosh_core::config::candle::DEMONSTRATION;
use pyo3::prelude::*;
use serde::Deserialize;

use crate::config::config_error;
use crate::engine::NativeEngine;

/// The keys of a provider of type `candle`, as the core writes them (`native/core/src/config/candle.rs`).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    files: BTreeMap<String, PathBuf>,
    device: Option<String>,
    context_tokens: Option<u32>,
    max_sequences: Option<usize>,
    cache_bytes: Option<u64>,
    memory_bytes: Option<u64>,
    idle_unload_secs: Option<u64>,
}

/// The engine of models out of files. `options` are JSON, as `Config.engines` gives them; `demonstration` is the file of that model.
///
/// Raises:
///     ConfigError: a file is not there, or is no model that it knows.
#[pyfunction]
pub fn candle(py: Python<'_>, options: &str, demonstration: PathBuf) -> PyResult<NativeEngine> {
    py.detach(|| engine(options, demonstration)).map_err(|words| config_error(py, &words, None))
}

fn engine(options: &str, demonstration: PathBuf) -> Result<NativeEngine, String> {
    let options: Options = serde_json::from_str(options).map_err(|error| error.to_string())?;
    let files = match options.files {
        files if files.is_empty() => BTreeMap::from([(DEMONSTRATION.to_owned(), demonstration)]),
        files => files,
    };
    files.iter().try_for_each(|(model, path)| look(model, path))?;
    let context = options.context_tokens;
    let source = |(name, path)| ModelSource { name, file: Source::Path(path), context };
    let standard = Settings::default();
    let settings = Settings {
        accelerator: Accelerator::find(options.device.as_deref().unwrap_or("auto"))?,
        models: files.into_iter().map(source).collect(),
        max_sequences: options.max_sequences.unwrap_or(standard.max_sequences),
        kv_bytes: options.cache_bytes.unwrap_or(standard.kv_bytes),
        memory_bytes: options.memory_bytes,
        idle_unload: options.idle_unload_secs.map(Duration::from_secs),
        ..standard
    };
    Ok(NativeEngine::new(Arc::new(Candle::new(settings))))
}

/// Whether the file of `model` is one, so that a wrong path is an error now and not with the first request.
fn look(model: &str, path: &Path) -> Result<(), String> {
    hoosh_candle::look(path).map_err(|error| format!("the file of `{model}`, {}: {error}", path.display()))
}
