//! hyper's headers as the core reads them.

use hoosh_core::http::HeaderView;
use hyper::header::{HeaderMap, HeaderValue};

/// Header access for the core.
pub struct View<'a>(pub &'a HeaderMap);

impl HeaderView for View<'_> {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(HeaderValue::as_bytes)
    }
}
