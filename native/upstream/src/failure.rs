//! hyper's errors as stages.

use std::error::Error;
use std::io;

use hoosh_core::exchange::Stage;

/// Before the head of an answer. `sent`: the request was written whole.
pub fn before_head(error: &hyper::Error, sent: bool) -> Stage {
    if error.is_parse() {
        Stage::Protocol
    } else if sent {
        Stage::Head
    } else {
        Stage::Send
    }
}

/// Within the body of an answer.
pub fn within_body(error: &hyper::Error) -> Stage {
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    match source {
        Some(source) if is_framing(source) => Stage::Protocol,
        _ => Stage::Body,
    }
}

/// Whether it is hyper's word of malformed chunks or trailers, and not TLS's of its records, which is of the same kind.
fn is_framing(error: &io::Error) -> bool {
    let of_tls = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) && !of_tls
}
