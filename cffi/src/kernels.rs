//! The kernels for C: counting, cache keys, event streams.

use hoosh_core::{cachekey, sse, tokens};

use crate::{guarded, hoosh_bytes, hoosh_result};

/// Counts the tokens of `text` in `encoding` (`cl100k_base` or `o200k_base`), offline. The first use loads a vocabulary
/// (about 40 ms).
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_tokens_count(
    text: hoosh_bytes,
    encoding: hoosh_bytes,
    count: *mut usize,
) -> hoosh_result {
    guarded(|| {
        // SAFETY: the caller's promise.
        let (text, encoding) = unsafe { (text.text(), encoding.text()) };
        if count.is_null() {
            return hoosh_result::Null;
        }
        let (Some(text), Some(Ok(encoding))) = (text, encoding.map(|name| name.parse::<tokens::Encoding>())) else {
            return hoosh_result::Invalid;
        };
        // SAFETY: not NULL, and the caller's promise.
        unsafe { *count = tokens::count(text, encoding) };
        hoosh_result::Ok
    })
}

/// The canonical key of a request body: 64 hexadecimal digits, not terminated. Equal for equal questions, however they
/// are spelled. `HOOSH_RESULT_INVALID` if the body is not a JSON object.
///
/// # Safety
/// `key` has room for 64 bytes.
#[no_mangle]
pub unsafe extern "C" fn hoosh_cache_key(body: hoosh_bytes, tenant: hoosh_bytes, key: *mut u8) -> hoosh_result {
    guarded(|| {
        if key.is_null() {
            return hoosh_result::Null;
        }
        // SAFETY: the caller's promise.
        let (body, tenant) = unsafe { (body.slice(), tenant.text()) };
        let (Some(body), Some(tenant)) = (body, tenant) else { return hoosh_result::Invalid };
        let Ok(hex) = cachekey::key_of(body, tenant) else { return hoosh_result::Invalid };
        // SAFETY: 64 digits, and the caller's promise of room for them.
        unsafe { std::ptr::copy_nonoverlapping(hex.as_ptr(), key, 64) };
        hoosh_result::Ok
    })
}

/// Reads an event stream that arrives in pieces.
pub struct hoosh_sse {
    parser: sse::Parser,
    events: std::collections::VecDeque<sse::Event>,
    current: Option<sse::Event>,
}

/// One event of a stream. Views into the parser, until its next call.
#[repr(C)]
pub struct hoosh_event {
    /// `message` by default.
    pub event: hoosh_bytes,
    /// The data lines, joined by LF.
    pub data: hoosh_bytes,
    /// The last event id.
    pub id: hoosh_bytes,
}

/// A parser with the usual bounds (8 MiB for a line and for an event).
#[no_mangle]
pub extern "C" fn hoosh_sse_new() -> *mut hoosh_sse {
    let parser = sse::Parser::new(sse::Limits::default());
    Box::into_raw(Box::new(hoosh_sse { parser, events: Default::default(), current: None }))
}

/// Takes the next bytes. `HOOSH_RESULT_INVALID` once a bound is broken.
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_sse_feed(parser: *mut hoosh_sse, data: hoosh_bytes) -> hoosh_result {
    guarded(|| {
        // SAFETY: the caller's promise.
        let (Some(parser), Some(data)) = (unsafe { parser.as_mut() }, unsafe { data.slice() }) else {
            return hoosh_result::Null;
        };
        match parser.parser.feed(data) {
            Ok(events) => {
                parser.events.extend(events);
                hoosh_result::Ok
            }
            Err(_) => hoosh_result::Invalid,
        }
    })
}

/// The next event that is complete: true and `event` written, or false.
///
/// # Safety
/// Pointers are valid as the header says.
#[no_mangle]
pub unsafe extern "C" fn hoosh_sse_next(parser: *mut hoosh_sse, event: *mut hoosh_event) -> bool {
    // SAFETY: the caller's promise.
    let (Some(parser), false) = (unsafe { parser.as_mut() }, event.is_null()) else { return false };
    parser.current = parser.events.pop_front();
    let Some(current) = &parser.current else { return false };
    let view = hoosh_event {
        event: hoosh_bytes::of(current.event.as_bytes()),
        data: hoosh_bytes::of(current.data.as_bytes()),
        id: hoosh_bytes::of(current.id.as_bytes()),
    };
    // SAFETY: not NULL, and the caller's promise.
    unsafe { *event = view };
    true
}

/// Frees a parser.
///
/// # Safety
/// It came from `hoosh_sse_new` and is not used again.
#[no_mangle]
pub unsafe extern "C" fn hoosh_sse_free(parser: *mut hoosh_sse) {
    if !parser.is_null() {
        // SAFETY: the caller's promise.
        drop(unsafe { Box::from_raw(parser) });
    }
}
