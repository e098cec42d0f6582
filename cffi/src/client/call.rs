//! A call of a client.

use std::ffi::c_void;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hoosh_core::exchange::Caller;
use hoosh_core::http::Headers;
use hoosh_core::wake::{Wake, Waker};
use hoosh_edge::inside::{Call, End, Question, Taken};

use super::hoosh_client;
use crate::border::{array, free, give, guarded, guarded_or, hoosh_result, place, shared};
use crate::values::{hoosh_bytes, hoosh_header, views};
use crate::wake::{hoosh_wake, waker, Silencer};

/// A request, being answered. One thread at a time takes its answer; any may cancel it.
pub struct hoosh_client_call {
    call: Call,
    bell: Arc<Bell>,
    given: Mutex<Given>,
    _silencer: Silencer,
}

// The header lets any thread cancel a call.
const _: () = {
    const fn any_thread<T: Send + Sync>() {}
    any_thread::<hoosh_client_call>();
};

/// What is taken and not given yet, and what the last event points to.
#[derive(Default)]
struct Given {
    taken: Taken,
    headers: Headers,
    views: Vec<hoosh_header>,
    piece: Bytes,
}

// SAFETY: the views point into the headers beside them, and are only read.
unsafe impl Send for Given {}

/// Kinds of what a call says.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum hoosh_call_kind {
    /// There is nothing now.
    Wait = 0,
    /// `status` and `headers`, once, before all else.
    Head = 1,
    /// `bytes`: more of the body. Where the call is `neutral` and a stream, the JSON of one event.
    Piece = 2,
    /// The answer was whole: one body, in one piece.
    Reply = 3,
    /// The answer was a stream, and is complete.
    Finish = 4,
    /// The stream was cut off: it broke in a way that cannot be told, or nobody took it for too long.
    Cut = 5,
    /// The client ended before the answer did.
    Gone = 6,
}

/// What a call says. Members that the kind does not name are zero. All lies still until the next call about this one.
#[repr(C)]
pub struct hoosh_call_event {
    /// Which kind.
    pub kind: hoosh_call_kind,
    /// HTTP status.
    pub status: u16,
    /// Header fields.
    pub headers: *const hoosh_header,
    /// How many.
    pub header_count: usize,
    /// A piece of the body.
    pub bytes: hoosh_bytes,
}

/// Wakes whoever waits in `hoosh_client_call_wait`, and the program.
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
    program: Waker,
}

impl Wake for Bell {
    fn wake(&self) {
        *self.rung() = true;
        self.changed.notify_all();
        self.program.wake();
    }
}

impl Bell {
    fn rung(&self) -> MutexGuard<'_, bool> {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl hoosh_client_call {
    fn given(&self) -> MutexGuard<'_, Given> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn event(&self) -> hoosh_call_event {
        let mut given = self.given();
        if given.is_empty() {
            // Before it is looked at: what comes later rings again.
            *self.bell.rung() = false;
            given.taken = self.call.take();
            given.taken.pieces.reverse();
        }
        given.next()
    }
}

impl Given {
    fn is_empty(&self) -> bool {
        self.taken.head.is_none() && self.taken.pieces.is_empty() && self.taken.end.is_none()
    }

    fn next(&mut self) -> hoosh_call_event {
        let mut event = hoosh_call_event {
            kind: hoosh_call_kind::Wait,
            status: 0,
            headers: std::ptr::null(),
            header_count: 0,
            bytes: hoosh_bytes::NONE,
        };
        if let Some((status, headers)) = self.taken.head.take() {
            (self.headers, event.kind, event.status) = (headers, hoosh_call_kind::Head, status);
            self.views = views(&self.headers);
            (event.headers, event.header_count) = (self.views.as_ptr(), self.views.len());
        } else if let Some(piece) = self.taken.pieces.pop() {
            self.piece = piece;
            (event.kind, event.bytes) = (hoosh_call_kind::Piece, hoosh_bytes::of(&self.piece));
        } else if let Some(end) = self.taken.end {
            event.kind = match end {
                End::Reply => hoosh_call_kind::Reply,
                End::Finish => hoosh_call_kind::Finish,
                End::Cut => hoosh_call_kind::Cut,
                End::Gone => hoosh_call_kind::Gone,
            };
        }
        event
    }
}

/// Asks: `method` in upper case, `target` a path with its query. `neutral`: the caller is this program, so that no key is asked
/// for, and a stream comes event by event without framing; otherwise headers and answers are those of a caller over HTTP. All
/// that is passed is copied. `wake` is called, as everywhere, when there may be something to take; NULL where
/// `hoosh_client_call_wait` is used. `HOOSH_RESULT_INVALID` too where the client has ended.
#[no_mangle]
pub unsafe extern "C" fn hoosh_client_call_new(
    client: *const hoosh_client,
    method: hoosh_bytes,
    target: hoosh_bytes,
    headers: *const hoosh_header,
    header_count: usize,
    body: hoosh_bytes,
    neutral: bool,
    wake: hoosh_wake,
    context: *mut c_void,
    call: *mut *mut hoosh_client_call,
) -> hoosh_result {
    guarded(|| {
        // SAFETY: the program's promise.
        let (client, place) = unsafe { (shared(client)?, place(call)?) };
        // SAFETY: as above.
        let (method, target, body) = unsafe { (method.text()?.to_owned(), target.text()?.to_owned(), body.slice()?) };
        let mut fields = Headers::new();
        // SAFETY: as above.
        for header in unsafe { array(headers, header_count) }? {
            // SAFETY: as above.
            let (name, value) = unsafe { (header.name.slice()?, header.value.slice()?) };
            fields.push((Bytes::copy_from_slice(name), Bytes::copy_from_slice(value)));
        }
        let (program, silencer) = waker(wake, context);
        let bell = Arc::new(Bell { rung: Mutex::new(false), changed: Condvar::new(), program });
        let caller = if neutral { Caller::Neutral } else { Caller::Http };
        let body = Bytes::copy_from_slice(body);
        // No engine host hears of its number.
        let question = Question { method, target, headers: fields, body, caller, number: 1 };
        let call = client.edge.call(question, bell.clone()).ok_or(hoosh_result::Invalid)?;
        place.put(give(hoosh_client_call { call, bell, given: Mutex::default(), _silencer: silencer }));
        Ok(())
    })
}

/// What the call says next. Ask again until it says `HOOSH_CALL_KIND_WAIT`, then wait for a wake, or in
/// `hoosh_client_call_wait`; an end it says again and again. Who takes nothing stops the call's upstream, and no other's.
#[no_mangle]
pub unsafe extern "C" fn hoosh_client_call_next(
    call: *const hoosh_client_call,
    event: *mut hoosh_call_event,
) -> hoosh_result {
    guarded(|| {
        // SAFETY: the program's promise.
        let (call, place) = unsafe { (shared(call)?, place(event)?) };
        place.put(call.event());
        Ok(())
    })
}

/// Blocks until there may be something to take, for `milliseconds` at most; whether there may be.
#[no_mangle]
pub unsafe extern "C" fn hoosh_client_call_wait(call: *const hoosh_client_call, milliseconds: u32) -> bool {
    guarded_or(false, || {
        // SAFETY: the program's promise.
        let call = unsafe { shared(call) }?;
        if !call.given().is_empty() {
            return Ok(true);
        }
        let until = Instant::now() + Duration::from_millis(milliseconds.into());
        let mut rung = call.bell.rung();
        while !*rung {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            rung = call.bell.changed.wait_timeout(rung, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(*rung)
    })
}

/// Nothing more is wanted: the upstream's work ends. What the call says after that is of no use. From any thread, until the
/// call is freed.
#[no_mangle]
pub unsafe extern "C" fn hoosh_client_call_cancel(call: *const hoosh_client_call) -> hoosh_result {
    guarded(|| {
        // SAFETY: the program's promise.
        unsafe { shared(call) }?.call.cancel();
        Ok(())
    })
}

/// Frees a call, which cancels it if it is not over. Its waker is not called after that.
#[no_mangle]
pub unsafe extern "C" fn hoosh_client_call_free(call: *mut hoosh_client_call) {
    // SAFETY: the program's promise.
    unsafe { free(call) }
}
