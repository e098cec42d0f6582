//! Doors for what the caller does.

use bytes::Bytes;
use hoosh_core::error::{Code, Failure};
use hoosh_core::exchange::{Caller, RequestHead};

use super::{door, hoosh_exchange, is_begun};
use crate::border::{exclusive, guarded, hoosh_result};
use crate::values::{fields, hoosh_bytes, hoosh_header};

/// # Exchange: what the caller did
///
/// The caller's request head came: the method in upper case, the target in origin form (path and query), the fields
/// as received. Once, before every other door; what comes before it is `HOOSH_RESULT_INVALID`, and so is a second
/// one. `neutral`: the caller is this program and no HTTP connection. It needs no key; of a stream it gets each
/// event's JSON as one `HOOSH_STEP_KIND_EMIT`, without framing.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_begin(
    exchange: *mut hoosh_exchange,
    method: hoosh_bytes,
    target: hoosh_bytes,
    headers: *const hoosh_header,
    header_count: usize,
    neutral: bool,
) -> hoosh_result {
    guarded(|| {
        // SAFETY: the program's promise.
        let (exchange, method, target, headers) =
            unsafe { (exclusive(exchange)?, method.text()?, target.text()?, fields(headers, header_count)?) };
        exchange.enter(|exchange, _| {
            if is_begun(exchange) {
                return Err(hoosh_result::Invalid);
            }
            let caller = if neutral { Caller::Neutral } else { Caller::Http };
            exchange.begin(RequestHead { method, target, headers: &headers, caller });
            Ok(())
        })
    })
}

/// The listener cannot read the request: its head (then this comes instead of `hoosh_exchange_begin`), or the rest of
/// its body. `code` is one of the stable codes of errors, such as `malformed_request`; `message` tells the caller
/// what is wrong. After the answer began it changes nothing.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_refused(
    exchange: *mut hoosh_exchange,
    code: hoosh_bytes,
    message: hoosh_bytes,
) -> hoosh_result {
    guarded(|| {
        // SAFETY: the program's promise.
        let (exchange, code, message) = unsafe { (exclusive(exchange)?, code.text()?, message.text()?) };
        let code = Code::ALL.iter().find(|known| known.as_str() == code).ok_or(hoosh_result::Invalid)?;
        exchange.enter(|exchange, _| {
            exchange.refused(Failure::new(*code, message));
            Ok(())
        })
    })
}

/// More of the caller's body, within the credit that `HOOSH_STEP_KIND_READ_CALLER` gave; what comes before any was
/// given is lost.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_body(exchange: *mut hoosh_exchange, data: hoosh_bytes) -> hoosh_result {
    // SAFETY: the program's promise.
    unsafe {
        door(exchange, |exchange| {
            exchange.body(Bytes::copy_from_slice(data.slice()?));
            Ok(())
        })
    }
}

/// The caller's body is complete, by its own framing; without a body, at once. Not for one that was cut off: its
/// caller is gone.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_body_end(exchange: *mut hoosh_exchange) -> hoosh_result {
    // SAFETY: the program's promise.
    unsafe {
        door(exchange, |exchange| {
            exchange.body_end();
            Ok(())
        })
    }
}

/// The caller's transport took `size` more of the body bytes that `HOOSH_STEP_KIND_REPLY` and `HOOSH_STEP_KIND_EMIT`
/// gave, framing not counted. Upstreams are read as fast as this goes on, and an exchange is not over before all is
/// taken.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_written(exchange: *mut hoosh_exchange, size: usize) -> hoosh_result {
    // SAFETY: the program's promise.
    unsafe {
        door(exchange, |exchange| {
            exchange.written(size);
            Ok(())
        })
    }
}

/// The caller left; nothing more can be written to it.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_caller_gone(exchange: *mut hoosh_exchange) -> hoosh_result {
    // SAFETY: the program's promise.
    unsafe {
        door(exchange, |exchange| {
            exchange.caller_gone();
            Ok(())
        })
    }
}
