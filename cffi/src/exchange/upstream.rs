//! Doors for what an attempt at an upstream does.

use bytes::Bytes;
use hoosh_core::exchange::Stage;

use super::{door, hoosh_exchange};
use crate::border::{hoosh_result, Outcome};
use crate::values::{fields, hoosh_bytes, hoosh_header, status};

/// Where an attempt stood when it failed. Whether it may be tried again hangs on it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum hoosh_stage {
    /// No connection: refused, unresolvable, unreachable. Nothing was sent.
    Connect = 0,
    /// The TLS handshake or certificate. Nothing of the request was sent.
    Tls = 1,
    /// While the request was written.
    Send = 2,
    /// After the request was written whole, before the answer's head.
    Head = 3,
    /// Inside the answer's body.
    Body = 4,
    /// The peer broke HTTP itself (malformed head or framing).
    Protocol = 5,
}

/// A number, because a C enum may hold any: what is none of ours must not become a Rust enum.
fn stage_of(number: u32) -> Outcome<Stage> {
    const STAGES: [(hoosh_stage, Stage); 6] = [
        (hoosh_stage::Connect, Stage::Connect),
        (hoosh_stage::Tls, Stage::Tls),
        (hoosh_stage::Send, Stage::Send),
        (hoosh_stage::Head, Stage::Head),
        (hoosh_stage::Body, Stage::Body),
        (hoosh_stage::Protocol, Stage::Protocol),
    ];
    let found = STAGES.into_iter().find(|(known, _)| *known as u32 == number);
    found.map(|(_, stage)| stage).ok_or(hoosh_result::Invalid)
}

/// # Exchange: what an attempt did
///
/// A connection stands, new or used before; or the engine began.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_connected(exchange: *mut hoosh_exchange, u: u32) -> hoosh_result {
    // SAFETY: the program's promise.
    unsafe {
        door(exchange, |exchange| {
            exchange.connected(u);
            Ok(())
        })
    }
}

/// The transport took `bytes` more of the streamed body of request `u`.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_took(exchange: *mut hoosh_exchange, u: u32, bytes: usize) -> hoosh_result {
    // SAFETY: the program's promise.
    unsafe {
        door(exchange, |exchange| {
            exchange.took(u, bytes);
            Ok(())
        })
    }
}

/// The request was written whole; a streamed body with its end.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_sent(exchange: *mut hoosh_exchange, u: u32) -> hoosh_result {
    // SAFETY: the program's promise.
    unsafe {
        door(exchange, |exchange| {
            exchange.sent(u);
            Ok(())
        })
    }
}

/// The answer's head came. Informational heads (1xx) are not reported.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_head(
    exchange: *mut hoosh_exchange,
    u: u32,
    answer_status: u16,
    headers: *const hoosh_header,
    header_count: usize,
) -> hoosh_result {
    // SAFETY: the program's promise.
    unsafe {
        door(exchange, |exchange| {
            exchange.head(u, status(answer_status)?, &fields(headers, header_count)?);
            Ok(())
        })
    }
}

/// More of the answer's body, within the credit given, without framing.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_data(exchange: *mut hoosh_exchange, u: u32, data: hoosh_bytes) -> hoosh_result {
    // SAFETY: the program's promise.
    unsafe {
        door(exchange, |exchange| {
            exchange.data(u, Bytes::copy_from_slice(data.slice()?));
            Ok(())
        })
    }
}

/// The answer is complete by its framing; or the engine is done.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_end(exchange: *mut hoosh_exchange, u: u32) -> hoosh_result {
    // SAFETY: the program's promise.
    unsafe {
        door(exchange, |exchange| {
            exchange.end(u);
            Ok(())
        })
    }
}

/// The attempt failed at `stage`, one of `enum hoosh_stage`. `reused`: on a connection that had served before. The
/// connection is the driver's to close.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_failed(
    exchange: *mut hoosh_exchange,
    u: u32,
    stage: u32,
    reused: bool,
) -> hoosh_result {
    // SAFETY: the program's promise.
    unsafe {
        door(exchange, |exchange| {
            exchange.failed(u, stage_of(stage)?, reused);
            Ok(())
        })
    }
}
