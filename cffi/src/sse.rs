//! Event streams for C.

use std::collections::VecDeque;

use hoosh_core::sse;

use crate::border::{exclusive, free, give, guarded, guarded_or, hoosh_result, place};
use crate::values::hoosh_bytes;

/// Reads an event stream that arrives in pieces, as a browser would. One thread at a time.
pub struct hoosh_sse {
    parser: sse::Parser,
    events: VecDeque<sse::Event>,
    current: Option<sse::Event>,
}

/// One event of a stream.
#[repr(C)]
pub struct hoosh_event {
    /// `message` where the stream names none.
    pub event: hoosh_bytes,
    /// The data lines, joined by LF.
    pub data: hoosh_bytes,
    /// The last event id; empty if none was set.
    pub id: hoosh_bytes,
}

/// A parser with the usual bounds (8 MiB for a line and for an event).
#[no_mangle]
pub unsafe extern "C" fn hoosh_sse_new(parser: *mut *mut hoosh_sse) -> hoosh_result {
    guarded(|| {
        // SAFETY: the program's promise.
        let place = unsafe { place(parser) }?;
        let parser = sse::Parser::new(sse::Limits::default());
        place.put(give(hoosh_sse { parser, events: VecDeque::new(), current: None }));
        Ok(())
    })
}

/// Frees a parser.
#[no_mangle]
pub unsafe extern "C" fn hoosh_sse_free(parser: *mut hoosh_sse) {
    // SAFETY: the program's promise.
    unsafe { free(parser) }
}

/// Takes the next bytes of the stream. The events that they complete are kept until `hoosh_sse_next` gives them.
/// `HOOSH_RESULT_INVALID` once a bound is broken; where events came before the fault, at the next call.
#[no_mangle]
pub unsafe extern "C" fn hoosh_sse_feed(parser: *mut hoosh_sse, data: hoosh_bytes) -> hoosh_result {
    guarded(|| {
        // SAFETY: the program's promise.
        let (parser, data) = unsafe { (exclusive(parser)?, data.slice()?) };
        let events = parser.parser.feed(data).map_err(|_| hoosh_result::Invalid)?;
        parser.events.extend(events);
        Ok(())
    })
}

/// The next event that is complete: true and `event` written, which lies still until the next call of this; or false,
/// also for NULL.
#[no_mangle]
pub unsafe extern "C" fn hoosh_sse_next(parser: *mut hoosh_sse, event: *mut hoosh_event) -> bool {
    guarded_or(false, || {
        // SAFETY: the program's promise.
        let (parser, place) = unsafe { (exclusive(parser)?, place(event)?) };
        parser.current = parser.events.pop_front();
        let Some(current) = &parser.current else { return Ok(false) };
        place.put(hoosh_event {
            event: hoosh_bytes::of(current.event.as_bytes()),
            data: hoosh_bytes::of(current.data.as_bytes()),
            id: hoosh_bytes::of(current.id.as_bytes()),
        });
        Ok(true)
    })
}
