//! `hoosh.Config`: the checked configuration.

use std::collections::HashMap;
use std::sync::Arc;

use hoosh_core::config;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

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

#[pymethods]
impl Config {
    /// Parse and check TOML text. `$NAME` in a value is looked up in `environment`.
    ///
    /// Raises:
    ///     ConfigError: what is wrong, in which line, and how to mend it. Never holds a secret.
    #[classmethod]
    fn parse(cls: &Bound<'_, PyType>, text: &str, environment: HashMap<String, String>) -> PyResult<Config> {
        let py = cls.py();
        let parsed = py.detach(|| config::parse(text, &|name: &str| environment.get(name).cloned()));
        parsed.map(|config| Config(Arc::new(config))).map_err(|error| raise(py, &error))
    }

    /// What hoosh does without a file.
    ///
    /// That is: local servers on their default ports, then every service whose key is in `environment`.
    #[classmethod]
    fn found(_cls: &Bound<'_, PyType>, environment: HashMap<String, String>) -> Config {
        Config(Arc::new(config::Config::found(&|name: &str| environment.get(name).cloned())))
    }

    /// The configuration in force as TOML, defaults spelled out and secrets hidden.
    fn describe(&self) -> String {
        self.0.describe()
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

    /// TCP port to listen on; 0 lets the system choose.
    #[getter]
    fn port(&self) -> u16 {
        self.0.server.port
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
    let make = || -> PyResult<PyErr> {
        let named = PyDict::new(py);
        named.set_item("line", error.line)?;
        let class = py.import("hoosh.errors")?.getattr("ConfigError")?;
        Ok(PyErr::from_value(class.call((&error.message,), Some(&named))?))
    };
    make().unwrap_or_else(|error| error)
}
