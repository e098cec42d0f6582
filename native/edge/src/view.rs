//! hyper's headers as the core reads them.

use hoosh_core::http::HeaderView;
use hyper::header::HeaderMap;

/// Header access for the core.
pub struct View<'a>(pub &'a HeaderMap);

impl HeaderView for View<'_> {
    fn get(&self, name: &str) -> Option<&[u8]> {
        // A head has few headers: to look at each costs less than to hash the name, which must be checked before.
        self.0.iter().find(|(known, _)| known.as_str() == name).map(|(_, value)| value.as_bytes())
    }
}
