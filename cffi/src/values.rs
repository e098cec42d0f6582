//! What crosses the border by value: bytes, headers, clocks, statuses.

use hoosh_core::clock::Now;
use hoosh_core::http::{HeaderView, Headers};

use crate::border::{array, hoosh_result, Outcome};

/// Bytes that belong to somebody else.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hoosh_bytes {
    /// First byte; may be NULL if `len` is 0.
    pub ptr: *const u8,
    /// How many.
    pub len: usize,
}

/// A header field. hoosh writes names in lower case, and reads them in any.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hoosh_header {
    /// Name.
    pub name: hoosh_bytes,
    /// Value, without white space around it.
    pub value: hoosh_bytes,
}

/// Both clocks, in microseconds.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hoosh_now {
    /// Of a clock that never goes back, from any origin: deadlines, pauses, latencies.
    pub mono_us: u64,
    /// Since the Unix epoch: `Retry-After` dates, the ledger.
    pub wall_us: i64,
}

impl hoosh_now {
    pub fn core(self) -> Now {
        // Half the range is 292,000 years, and leaves room for the deadlines that are added to it.
        Now::new(self.mono_us.min(u64::MAX / 2), self.wall_us)
    }
}

impl hoosh_bytes {
    pub const NONE: hoosh_bytes = hoosh_bytes { ptr: std::ptr::null(), len: 0 };

    pub fn of(bytes: &[u8]) -> hoosh_bytes {
        hoosh_bytes { ptr: bytes.as_ptr(), len: bytes.len() }
    }

    /// The bytes themselves.
    ///
    /// # Safety
    /// `ptr` is NULL, or valid for `len` bytes while the slice lives.
    pub unsafe fn slice<'a>(self) -> Outcome<&'a [u8]> {
        // SAFETY: the caller's promise.
        unsafe { array(self.ptr, self.len) }
    }

    /// The bytes as text.
    ///
    /// # Safety
    /// As for [`Self::slice`].
    pub unsafe fn text<'a>(self) -> Outcome<&'a str> {
        // SAFETY: the caller's promise.
        std::str::from_utf8(unsafe { self.slice() }?).map_err(|_| hoosh_result::Invalid)
    }
}

/// The program's header fields, read where they lie.
pub struct Fields<'a>(&'a [hoosh_header]);

/// Checks all fields, so that reading one cannot fail.
///
/// # Safety
/// `headers` is NULL, or valid for `count` headers while the fields live, and so are the bytes in each.
pub unsafe fn fields<'a>(headers: *const hoosh_header, count: usize) -> Outcome<Fields<'a>> {
    // SAFETY: the caller's promise.
    let headers = unsafe { array(headers, count) }?;
    for header in headers {
        // SAFETY: as above.
        unsafe { (header.name.slice()?, header.value.slice()?) };
    }
    Ok(Fields(headers))
}

impl HeaderView for Fields<'_> {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find_map(|header| {
            // SAFETY: `fields` was promised that they are valid for as long as this view lives.
            let (given, value) = unsafe { (header.name.slice().ok()?, header.value.slice().ok()?) };
            given.eq_ignore_ascii_case(name.as_bytes()).then_some(value)
        })
    }
}

/// An HTTP status: three digits.
pub fn status(status: u16) -> Outcome<u16> {
    if (100..=999).contains(&status) {
        Ok(status)
    } else {
        Err(hoosh_result::Invalid)
    }
}

/// What C sees of headers that are kept beside it.
pub fn views(headers: &Headers) -> Vec<hoosh_header> {
    headers.iter().map(|(n, v)| hoosh_header { name: hoosh_bytes::of(n), value: hoosh_bytes::of(v) }).collect()
}
