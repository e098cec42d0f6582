//! What is asked of the way to a provider beside its address, for the driver in Python.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use hoosh_core::egress;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// What TLS to one provider must be like: `[providers.tls]`. Requests with equal terms may share a connection.
#[pyclass(module = "hoosh._native", frozen, eq)]
#[derive(PartialEq)]
pub struct TlsTerms(pub Arc<egress::TlsTerms>);

#[pymethods]
impl TlsTerms {
    /// Path and PEM of the only authorities that are trusted; None: the system's.
    #[getter]
    fn ca(&self) -> Option<(&str, &str)> {
        self.0.ca.as_ref().map(|ca| (ca.path.as_str(), ca.text.expose()))
    }

    /// Paths of the certificate that is shown and of its key; None: none is.
    #[getter]
    fn identity(&self) -> Option<(&str, &str)> {
        self.0.identity.as_ref().map(|identity| (identity.certificate.path.as_str(), identity.key.path.as_str()))
    }

    /// SHA-256 of each public key of which the provider's certificate must have one; empty: any.
    #[getter]
    fn pins<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        self.0.pins.iter().map(|pin| PyBytes::new(py, &pin.0)).collect()
    }

    /// Hold that the native way to providers can keep them.
    ///
    /// Raises:
    ///     OSError: why it cannot.
    fn check(&self) -> PyResult<()> {
        hoosh_upstream::check(&self.0).map_err(PyOSError::new_err)
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.ca.as_ref().map(|ca| &ca.path).hash(&mut hasher);
        self.0.pins.len().hash(&mut hasher);
        hasher.finish()
    }
}

/// A proxy for Python: (tls, host, port, value of `proxy-authorization` or None).
pub fn proxy_tuple<'py>(py: Python<'py>, proxy: &egress::Proxy) -> (bool, String, u16, Option<Bound<'py, PyBytes>>) {
    let authorization = proxy.authorization.as_ref().map(|secret| PyBytes::new(py, secret.expose().as_bytes()));
    (proxy.tls, proxy.host.clone(), proxy.port, authorization)
}

/// Whether an address must not be connected to for anybody but the operator.
///
/// Raises:
///     ValueError: this is no address.
#[pyfunction]
pub fn is_forbidden(address: &str) -> PyResult<bool> {
    // What the system says of an address on a link names the link too.
    let bare = address.split_once('%').map_or(address, |(bare, _)| bare);
    let address: IpAddr = bare.parse().map_err(|_| PyValueError::new_err("this is no address"))?;
    Ok(egress::is_forbidden(address))
}
