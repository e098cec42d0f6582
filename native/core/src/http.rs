//! The few HTTP words that a driver and the core share. Framing belongs to the driver; meaning belongs to the core.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;

use crate::egress::{Proxy, TlsTerms};

/// Read access to somebody else's header block, so that a driver need not copy it. Names are compared without case.
pub trait HeaderView {
    /// The first value of `name` (given in lower case).
    fn get(&self, name: &str) -> Option<&[u8]>;
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> HeaderView for &[(N, V)] {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(n, _)| n.as_ref().eq_ignore_ascii_case(name.as_bytes())).map(|(_, v)| v.as_ref())
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> HeaderView for Vec<(N, V)> {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(n, _)| n.as_ref().eq_ignore_ascii_case(name.as_bytes())).map(|(_, v)| v.as_ref())
    }
}

/// Whether a `content-type` is `kind` (in lower case), whatever its parameters.
#[inline]
pub(crate) fn is_media_type(content_type: Option<&[u8]>, kind: &str) -> bool {
    let Some(value) = content_type else { return false };
    let essence = value.split(|b| *b == b';').next().unwrap_or(value).trim_ascii();
    essence.eq_ignore_ascii_case(kind.as_bytes())
}

/// Headers that the core writes: names in lower case, values free of CR, LF and NUL.
pub type Headers = Vec<(Bytes, Bytes)>;

/// Where an upstream listens, and what is asked of the way there. Two requests to equal origins may share a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// TLS or clear.
    pub tls: bool,
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The operator named it. Any other must not lead into this machine or its networks: a driver asks
    /// [`is_forbidden`](crate::egress::is_forbidden) about the address of each connection.
    pub trusted: bool,
    /// What TLS must be like, beside the system's authorities.
    pub terms: Option<Arc<TlsTerms>>,
    /// What the way there goes through.
    pub proxy: Option<Arc<Proxy>>,
}

// What is hashed for each request is short; origins that differ in the rest alone are rare.
impl Hash for Origin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.tls, &self.host, self.port).hash(state);
    }
}

impl Origin {
    /// `host`, or `host:port` when the port is not the scheme's own: the value of the `Host` header.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == if self.tls { 443 } else { 80 } {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

/// The body of a request to an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// All of it; empty where the request has none.
    Whole(Bytes),
    /// It follows in pieces.
    Streamed {
        /// `content-length`, bytes; `None`: it is sent in chunks.
        length: Option<u64>,
    },
}

impl Body {
    /// The bytes that are there already.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Body::Whole(bytes) => bytes,
            Body::Streamed { .. } => &[],
        }
    }

    /// The same, shared.
    pub fn whole(&self) -> Bytes {
        match self {
            Body::Whole(bytes) => bytes.clone(),
            Body::Streamed { .. } => Bytes::new(),
        }
    }
}

/// A request to an upstream. `Debug` hides header values, because one of them is the credential.
#[derive(Clone)]
pub struct UpstreamRequest {
    /// Where to.
    pub origin: Arc<Origin>,
    /// `GET`, `POST` or `DELETE`.
    pub method: &'static str,
    /// Path with query, beginning with `/`.
    pub target: Bytes,
    /// Everything but `host`, `content-length`, `connection` and `transfer-encoding`, which the driver's HTTP layer writes.
    pub headers: Headers,
    /// The body; empty but for `POST`.
    pub body: Body,
}

impl std::fmt::Debug for UpstreamRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UpstreamRequest")
            .field("origin", &self.origin)
            .field("method", &self.method)
            .field("target", &self.target)
            .field("body_bytes", &self.body.bytes().len())
            .finish_non_exhaustive()
    }
}
