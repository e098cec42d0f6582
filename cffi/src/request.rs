//! A request to an upstream, kept while C looks at it.

use hoosh_core::http::{Body, UpstreamRequest};

use crate::values::{hoosh_bytes, hoosh_header, views};

/// A request to an upstream. `host`, `content-length` and `connection` are the driver's to add.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hoosh_request {
    /// TLS, or clear.
    pub tls: bool,
    /// Name or address, without brackets. With `tls` and `port`, whatever has the same three may share a connection.
    pub host: hoosh_bytes,
    /// TCP port.
    pub port: u16,
    /// Value of the `host` header.
    pub authority: hoosh_bytes,
    /// `GET`, `POST` or `DELETE`.
    pub method: hoosh_bytes,
    /// Path with query.
    pub target: hoosh_bytes,
    /// Header fields.
    pub headers: *const hoosh_header,
    /// How many.
    pub header_count: usize,
    /// Body, where it is not streamed; empty but for `POST`.
    pub body: hoosh_bytes,
    /// The body follows in steps `SendBody` and `EndBody`.
    pub streamed: bool,
    /// Of a streamed body: whether its length is known. Otherwise it is sent in chunks.
    pub has_length: bool,
    /// That length, bytes.
    pub length: u64,
}

/// The request behind a view. All that is viewed lies on the heap or is static, so it lies still however this is
/// moved.
#[derive(Default)]
pub struct Kept {
    request: Option<UpstreamRequest>,
    authority: String,
    views: Vec<hoosh_header>,
}

// SAFETY: the views point into the request beside them, and are only read.
unsafe impl Send for Kept {}

impl Kept {
    pub fn new(request: UpstreamRequest) -> Kept {
        Kept { authority: request.origin.authority(), views: views(&request.headers), request: Some(request) }
    }

    pub fn view(&self) -> hoosh_request {
        let Some(request) = &self.request else { return hoosh_request::NONE };
        let (streamed, length) = match &request.body {
            Body::Whole(_) => (false, None),
            Body::Streamed { length } => (true, *length),
        };
        hoosh_request {
            tls: request.origin.tls,
            host: hoosh_bytes::of(request.origin.host.as_bytes()),
            port: request.origin.port,
            authority: hoosh_bytes::of(self.authority.as_bytes()),
            method: hoosh_bytes::of(request.method.as_bytes()),
            target: hoosh_bytes::of(&request.target),
            headers: self.views.as_ptr(),
            header_count: self.views.len(),
            body: hoosh_bytes::of(request.body.bytes()),
            streamed,
            has_length: length.is_some(),
            length: length.unwrap_or(0),
        }
    }
}

impl hoosh_request {
    pub const NONE: hoosh_request = hoosh_request {
        tls: false,
        host: hoosh_bytes::NONE,
        port: 0,
        authority: hoosh_bytes::NONE,
        method: hoosh_bytes::NONE,
        target: hoosh_bytes::NONE,
        headers: std::ptr::null(),
        header_count: 0,
        body: hoosh_bytes::NONE,
        streamed: false,
        has_length: false,
        length: 0,
    };
}
