//! The border: pointers become references here, and panics become results.

use std::panic::{catch_unwind, AssertUnwindSafe};

/// How a call ended.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum hoosh_result {
    /// Done.
    Ok = 0,
    /// A pointer that is needed was NULL.
    Null = 1,
    /// An argument makes no sense (text that is not UTF-8, an unknown name or number, a length that no memory has),
    /// or the call makes none now (a door before `hoosh_exchange_begin`).
    Invalid = 2,
    /// The configuration is wrong; the error text says where and how to mend it.
    Config = 3,
    /// A defect of hoosh, stopped at the border. An exchange in which it happened answers this to every further call:
    /// cut its caller's connection and free it. Everything else goes on.
    Internal = 4,
}

/// What the inside of a call says: `Err` holds what is not `HOOSH_RESULT_OK`.
pub type Outcome<T = ()> = Result<T, hoosh_result>;

/// Runs the inside of a function. A panic goes no further: C cannot be unwound.
pub fn guarded(body: impl FnOnce() -> Outcome) -> hoosh_result {
    // What a panic may leave half done is either local to the call, an exchange (which is then broken for good), or
    // the gateway, whose critical sections leave their data whole (`hoosh_core::sync::lock`).
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => hoosh_result::Ok,
        Ok(Err(result)) => result,
        Err(_) => hoosh_result::Internal,
    }
}

/// Runs the inside of a function that returns a value instead of a result: `fallback` if it cannot.
pub fn guarded_or<T>(fallback: T, body: impl FnOnce() -> Outcome<T>) -> T {
    catch_unwind(AssertUnwindSafe(body)).ok().and_then(Outcome::ok).unwrap_or(fallback)
}

/// A handle that is only looked at.
///
/// # Safety
/// `it` is NULL, or valid while the reference lives, and nobody changes what it points to but through its own locks.
pub unsafe fn shared<'a, T>(it: *const T) -> Outcome<&'a T> {
    // SAFETY: the caller's promise.
    unsafe { it.as_ref() }.ok_or(hoosh_result::Null)
}

/// A handle that is changed.
///
/// # Safety
/// `it` is NULL, or valid while the reference lives, and used by nobody else meanwhile.
pub unsafe fn exclusive<'a, T>(it: *mut T) -> Outcome<&'a mut T> {
    // SAFETY: the caller's promise.
    unsafe { it.as_mut() }.ok_or(hoosh_result::Null)
}

/// Where an output goes. Asked for before anything is done, so that nothing is done in vain.
pub struct Place<T>(*mut T);

/// An output.
///
/// # Safety
/// `it` is NULL, or valid for a write while the place lives. It need not be initialised.
pub unsafe fn place<T>(it: *mut T) -> Outcome<Place<T>> {
    if it.is_null() {
        return Err(hoosh_result::Null);
    }
    Ok(Place(it))
}

impl<T> Place<T> {
    /// Writes it.
    pub fn put(self, value: T) {
        // SAFETY: `place` was promised a pointer that is valid for this.
        unsafe { self.0.write(value) }
    }
}

/// A new handle for the program.
pub fn give<T>(value: T) -> *mut T {
    Box::into_raw(Box::new(value))
}

/// Takes a handle back, to be dropped or used up.
///
/// # Safety
/// `it` is NULL, or came from [`give`] and is not used again.
pub unsafe fn take<T>(it: *mut T) -> Outcome<Box<T>> {
    if it.is_null() {
        return Err(hoosh_result::Null);
    }
    // SAFETY: not NULL, and the caller's promise.
    Ok(unsafe { Box::from_raw(it) })
}

/// Frees a handle; NULL is none. A destructor's panic is stopped too: what it did not free is leaked.
///
/// # Safety
/// As for [`take`].
pub unsafe fn free<T>(it: *mut T) {
    // SAFETY: the caller's promise.
    guarded_or((), || unsafe { take(it) }.map(drop));
}

/// An array of the program's.
///
/// # Safety
/// `ptr` is NULL, or valid for `count` elements while the slice lives.
pub unsafe fn array<'a, T>(ptr: *const T, count: usize) -> Outcome<&'a [T]> {
    if count == 0 {
        return Ok(&[]);
    }
    if ptr.is_null() {
        return Err(hoosh_result::Null);
    }
    // No object is larger, and a slice must not be: a negative number that became a size ends here.
    if count > isize::MAX as usize / size_of::<T>() {
        return Err(hoosh_result::Invalid);
    }
    // SAFETY: not NULL, not too long, and the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(ptr, count) })
}
