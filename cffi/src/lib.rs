//! The C interface of hoosh. `include/hoosh.h` is generated from this crate and is its manual.
//!
//! Every `unsafe` here rests on the same promise, stated in the header: pointers are NULL or valid for the length given,
//! handles come from this library and were not freed, and an exchange is used by one thread at a time.
#![allow(non_camel_case_types)]

mod exchange;
mod gateway;
mod kernels;

use std::ffi::c_void;
use std::panic::{catch_unwind, AssertUnwindSafe};

use hoosh_core::wake::Wake;

/// How a call ended.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum hoosh_result {
    /// Done.
    Ok = 0,
    /// A required pointer was NULL.
    Null = 1,
    /// An argument makes no sense (text that is not UTF-8, an unknown name or number).
    Invalid = 2,
    /// The configuration is wrong; the error text says where and how to mend it.
    Config = 3,
    /// A defect of hoosh, stopped at the border.
    Internal = 4,
}

/// Bytes that belong to somebody else.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hoosh_bytes {
    /// First byte; may be NULL if `len` is 0.
    pub ptr: *const u8,
    /// How many.
    pub len: usize,
}

/// A header field. Names are in lower case where hoosh wrote them.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hoosh_header {
    /// Name.
    pub name: hoosh_bytes,
    /// Value.
    pub value: hoosh_bytes,
}

/// Both clocks, microseconds.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hoosh_now {
    /// Of a clock that never goes back.
    pub mono_us: u64,
    /// Since the Unix epoch.
    pub wall_us: i64,
}

impl hoosh_now {
    fn core(self) -> hoosh_core::clock::Now {
        hoosh_core::clock::Now::new(self.mono_us, self.wall_us)
    }
}

/// Called when an exchange or the gateway's loop should look again; from any thread, may be spurious.
pub type hoosh_wake = Option<unsafe extern "C" fn(context: *mut c_void)>;

impl hoosh_bytes {
    const NONE: hoosh_bytes = hoosh_bytes { ptr: std::ptr::null(), len: 0 };

    fn of(bytes: &[u8]) -> hoosh_bytes {
        hoosh_bytes { ptr: bytes.as_ptr(), len: bytes.len() }
    }

    /// The bytes themselves, `None` for NULL with a length.
    ///
    /// # Safety
    /// `ptr` is valid for `len` bytes while the slice lives.
    unsafe fn slice<'a>(self) -> Option<&'a [u8]> {
        match (self.ptr.is_null(), self.len) {
            (_, 0) => Some(&[]),
            (true, _) => None,
            // SAFETY: the caller's promise.
            (false, len) => Some(unsafe { std::slice::from_raw_parts(self.ptr, len) }),
        }
    }

    /// See [`Self::slice`]; `None` also if it is not UTF-8.
    ///
    /// # Safety
    /// As there.
    unsafe fn text<'a>(self) -> Option<&'a str> {
        // SAFETY: the caller's promise.
        std::str::from_utf8(unsafe { self.slice() }?).ok()
    }
}

/// The version of this interface: changes when a program must be compiled again.
#[no_mangle]
pub extern "C" fn hoosh_abi_version() -> u32 {
    1
}

/// Runs `body`; a panic becomes `HOOSH_RESULT_INTERNAL`.
fn guarded(body: impl FnOnce() -> hoosh_result) -> hoosh_result {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(hoosh_result::Internal)
}

struct CWake {
    call: unsafe extern "C" fn(*mut c_void),
    context: *mut c_void,
}

// SAFETY: the header asks for a waker that may be called from any thread; the context is only handed back to it.
unsafe impl Send for CWake {}
// SAFETY: as above.
unsafe impl Sync for CWake {}

impl Wake for CWake {
    fn wake(&self) {
        // SAFETY: the program promised a function that may be called from any thread with this context.
        unsafe { (self.call)(self.context) }
    }
}

fn waker(call: hoosh_wake, context: *mut c_void) -> hoosh_core::wake::Waker {
    match call {
        Some(call) => std::sync::Arc::new(CWake { call, context }),
        None => std::sync::Arc::new(hoosh_core::wake::NoWake),
    }
}
