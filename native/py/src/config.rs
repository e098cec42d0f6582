//! `hoosh.Config`: the checked configuration.

use std::collections::HashMap;
use std::sync::Arc;

use hoosh_core::{config, egress};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

use crate::egress::TlsTerms;

/// The JSON Schema of the configuration file, as text.
#[pyfunction]
pub fn config_schema() -> String {
    config::schema::json_schema()
}

/// The provider types: name, default address (None: it must be given, or there is none), the variable of its key, and whether
/// it runs on the operator's machine.
#[pyfunction]
pub fn provider_types() -> Vec<(&'static str, Option<&'static str>, Option<&'static str>, bool)> {
    let row = |kind: &'static config::catalogue::ProviderType| {
        (kind.name.as_str(), kind.origin.as_deref(), kind.key_variable.as_deref(), kind.local)
    };
    config::catalogue::types().iter().map(row).collect()
}

/// A whole, checked configuration, with every default filled in. Immutable; `docs/config.md` explains each key.
///
/// Made by `Config.parse` or `Config.found`. Neither reads the environment: it is a parameter.
#[pyclass(module = "hoosh", frozen)]
pub struct Config(Arc<config::Config>);

impl Config {
    /// The configuration itself.
    pub fn core(&self) -> &config::Config {
        &self.0
    }
}

/// A credential's source for Python: its kind and its words.
pub fn source_words(source: &config::CredentialSource) -> (&'static str, Vec<String>) {
    match source {
        config::CredentialSource::File(path) => ("file", vec![path.clone()]),
        config::CredentialSource::Command(words) => ("command", words.clone()),
    }
}

/// What is looked up outside of the file.
struct Outside {
    environment: HashMap<String, String>,
    read: Option<Py<PyAny>>,
    engine_types: Option<Py<PyAny>>,
    keeps: Option<Py<PyAny>>,
}

impl Outside {
    fn words(&self, kind: &str, words: Vec<String>) -> Result<String, String> {
        let Some(read) = &self.read else { return Err("nobody here reads files and commands; use `$NAME`".into()) };
        Python::attach(|py| {
            let said = read.call1(py, (kind, words)).and_then(|said| said.extract::<String>(py));
            said.map_err(|error| error.value(py).to_string())
        })
    }
}

impl config::Environment for Outside {
    fn get(&self, name: &str) -> Option<String> {
        self.environment.get(name).cloned()
    }

    fn read(&self, source: &config::CredentialSource) -> Result<String, String> {
        let (kind, words) = source_words(source);
        self.words(kind, words)
    }

    fn pem(&self, path: &str) -> Result<String, String> {
        self.words("pem", vec![path.to_owned()])
    }

    fn catalogue(&self, path: &str) -> Result<String, String> {
        self.words("catalogue", vec![path.to_owned()])
    }

    fn has_proxies(&self) -> bool {
        true
    }

    fn keeps(&self, terms: &egress::TlsTerms) -> Result<(), String> {
        let Some(keeps) = &self.keeps else { return Err("what connects to providers here cannot keep it".into()) };
        let terms = TlsTerms(Arc::new(terms.clone()));
        Python::attach(|py| keeps.call1(py, (terms,)).map(drop).map_err(|error| error.value(py).to_string()))
    }

    fn engine_types(&self) -> Vec<String> {
        let Some(offered) = &self.engine_types else { return Vec::new() };
        // A type that cannot be looked up is not known.
        Python::attach(|py| offered.call0(py).and_then(|names| names.extract(py)).unwrap_or_default())
    }
}

#[pymethods]
impl Config {
    /// Parse and check TOML text. `$NAME` in a value is looked up in `environment`.
    ///
    /// `read` gives the text of a credential's source, `("file", [path])` or `("command", [program, argument, ...])`, or of a
    /// file of certificates or a key, `("pem", [path])`, or of the catalogue's, `("catalogue", [path])`; or raises an `OSError`
    /// that says why not.
    ///
    /// `engine_types` gives the types of engines that installed packages offer; it is called only for a type that is not known.
    ///
    /// `keeps` is called with the TLS terms of each provider that has any, and raises an `OSError` that says why whatever connects
    /// to providers cannot keep them. Without it nobody keeps any, and a provider that has some is a mistake.
    ///
    /// Raises:
    ///     ConfigError: what is wrong, in which line, and how to mend it. Never holds a secret.
    #[classmethod]
    #[pyo3(signature = (text, environment, read = None, engine_types = None, keeps = None))]
    fn parse(
        cls: &Bound<'_, PyType>,
        text: &str,
        environment: HashMap<String, String>,
        read: Option<Py<PyAny>>,
        engine_types: Option<Py<PyAny>>,
        keeps: Option<Py<PyAny>>,
    ) -> PyResult<Config> {
        let py = cls.py();
        let outside = Outside { environment, read, engine_types, keeps };
        let parsed = py.detach(|| config::parse(text, &outside));
        parsed.map(|config| Config(Arc::new(config))).map_err(|error| raise(py, &error))
    }

    /// What hoosh does without a file.
    ///
    /// That is: local servers on their default ports, then every service whose key is in `environment`.
    #[classmethod]
    fn found(_cls: &Bound<'_, PyType>, environment: HashMap<String, String>) -> Config {
        let outside = Outside { environment, read: None, engine_types: None, keeps: None };
        Config(Arc::new(config::Config::found(&outside)))
    }

    /// The configuration in force as TOML, defaults spelled out and secrets hidden.
    fn describe(&self) -> String {
        self.0.describe()
    }

    /// Every provider type and every model that is known, the operator's in place of hoosh's, as JSON.
    fn catalogue(&self) -> String {
        self.0.catalogue.json()
    }

    /// What is odd but workable, for the operator.
    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.0.warnings.clone()
    }

    /// Address to listen on.
    #[getter]
    fn bind(&self) -> &str {
        &self.0.server.bind
    }

    /// Threads that answer callers; 0: one for each core.
    #[getter]
    fn threads(&self) -> usize {
        self.0.server.threads as usize
    }

    /// TCP port to listen on; 0 lets the system choose.
    #[getter]
    fn port(&self) -> u16 {
        self.0.server.port
    }

    /// Whether callers over HTTP need a key.
    #[getter]
    fn keyed(&self) -> bool {
        !self.0.auth.tokens.is_empty()
    }

    /// Why it must not be served: a public address without keys. None if it may.
    fn exposed(&self) -> Option<String> {
        self.0.exposed()
    }

    /// Name, type and base URL of each provider, in the order of the file.
    #[getter]
    fn providers(&self) -> Vec<(String, String, Option<String>)> {
        let row =
            |p: &config::Provider| (p.name.clone(), p.type_name.clone(), p.base_url.as_ref().map(ToString::to_string));
        self.0.providers.iter().map(row).collect()
    }

    /// Of each provider that is an engine of this process: its name, kind, target and options.
    ///
    /// The kind is `python`, of which the target is `module:Name`, or `engine`: the target is `entry:NAME` for what a package
    /// offers as `NAME`, and empty for what the program registers. The options are a JSON object, which may hold secrets.
    fn engines(&self) -> Vec<(String, &'static str, String, String)> {
        let engines = self.0.providers.iter().filter(|provider| provider.kind == config::ProviderKind::Engine);
        let row =
            |p: &config::Provider| (p.name.clone(), p.engine.kind(), p.engine.target(), p.engine.options().to_owned());
        engines.map(row).collect()
    }

    /// Name and capacity in tokens of each budget.
    #[getter]
    fn budgets(&self) -> Vec<(String, u64)> {
        self.0.budgets.iter().map(|budget| (budget.name.clone(), budget.capacity)).collect()
    }

    /// File of the store as it is written, `:memory:` for none; None where nothing is written.
    #[getter]
    fn storage_path(&self) -> Option<&str> {
        self.0.storage.path.as_deref()
    }

    /// Whether earlier turns are kept in the store.
    #[getter]
    fn keeps_in_store(&self) -> bool {
        self.0.dialects.keeps_in_store()
    }

    /// Path, `module:attribute`, and whether no key is asked for, of each application that is mounted, in the file's order.
    #[getter]
    fn mounts(&self) -> Vec<(String, String, bool)> {
        let mounts = self.0.server.mounts.iter();
        mounts.map(|mount| (mount.path.to_string(), mount.app.clone(), mount.public)).collect()
    }

    /// The same configuration with the mounts of `other`.
    fn mounting(&self, other: &Config) -> Config {
        let mut config = (*self.0).clone();
        config.server.mounts.clone_from(&other.0.server.mounts);
        Config(Arc::new(config))
    }

    /// The same configuration on another address.
    fn listening(&self, bind: Option<String>, port: Option<u16>) -> Config {
        let mut config = (*self.0).clone();
        config.server.bind = bind.unwrap_or(config.server.bind);
        config.server.port = port.unwrap_or(config.server.port);
        Config(Arc::new(config))
    }

    /// The same configuration, in which requests to the providers of these `names` go through callables of this process.
    ///
    /// Raises:
    ///     ConfigError: there is no such provider, or it is an engine.
    fn hooked(&self, py: Python<'_>, names: Vec<String>) -> PyResult<Config> {
        let hooked = (*self.0).clone().hooked(names.iter().map(String::as_str));
        hooked.map(|config| Config(Arc::new(config))).map_err(|error| raise(py, &error))
    }

    fn __repr__(&self) -> String {
        format!("<Config: {} providers, {}:{}>", self.0.providers.len(), self.0.server.bind, self.0.server.port)
    }
}

fn raise(py: Python<'_>, error: &config::ConfigError) -> PyErr {
    config_error(py, &error.message, error.line)
}

/// `hoosh.errors.ConfigError`.
pub fn config_error(py: Python<'_>, message: &str, line: Option<usize>) -> PyErr {
    let make = || -> PyResult<PyErr> {
        let named = PyDict::new(py);
        named.set_item("line", line)?;
        let class = py.import("hoosh.errors")?.getattr("ConfigError")?;
        Ok(PyErr::from_value(class.call((message,), Some(&named))?))
    };
    make().unwrap_or_else(|error| error)
}
