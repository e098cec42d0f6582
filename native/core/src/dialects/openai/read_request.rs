//! A caller's request as the neutral one. They are the same but for line ends.

use bytes::Bytes;

use super::request;
use crate::dialects::neutral::Endpoint;
use crate::dialects::{Ask, Loss};
use crate::error::Failure;

/// See [`crate::dialects::Protocol::read_request`].
///
/// # Errors
/// What [`request::read`] refuses.
pub fn read_request(ask: &Ask, body: &[u8], _: &mut Loss) -> Result<Vec<u8>, Failure> {
    let facts = request::read(Bytes::copy_from_slice(body), ask.endpoint.unwrap_or(Endpoint::Chat), None)?;
    // No string of checked JSON holds a line end as it is.
    Ok(facts.body.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect())
}
