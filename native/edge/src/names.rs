//! The core's header names as hyper's.

use hyper::header::{self, HeaderName};

/// A name as hyper has it. Those that the core writes to most answers are known, so that they are not checked
/// and hashed each time. `None`: it is no name.
pub fn name_of(name: &[u8]) -> Option<HeaderName> {
    const MODEL: HeaderName = HeaderName::from_static("x-hoosh-model");
    const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
    const CACHE: HeaderName = HeaderName::from_static("x-hoosh-cache");
    const PROVIDER: HeaderName = HeaderName::from_static("x-hoosh-provider");
    Some(match name {
        b"content-type" => header::CONTENT_TYPE,
        b"x-request-id" => REQUEST_ID,
        b"x-hoosh-model" => MODEL,
        b"x-hoosh-provider" => PROVIDER,
        b"x-hoosh-cache" => CACHE,
        b"cache-control" => header::CACHE_CONTROL,
        b"retry-after" => header::RETRY_AFTER,
        _ => return HeaderName::from_bytes(name).ok(),
    })
}
