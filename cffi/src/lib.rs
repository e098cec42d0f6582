//! The C interface of hoosh. `include/hoosh.h` is generated from this crate and is its manual; the conventions that
//! every function keeps stand at its head (`cffi/cbindgen.toml`).
//!
//! Every `unsafe` here rests on one promise, which the header asks of the program: pointers are NULL or valid for the
//! length given, handles come from this library and were not freed, and whatever is not a gateway is used by one
//! thread at a time. `border` turns that promise into references, once for each kind of argument; the rest is safe
//! code.
//!
//! The order of modules here is the order of the header.
#![allow(non_camel_case_types)]
// One promise for all functions instead of a section in each.
#![allow(clippy::missing_safety_doc)]

mod border;
mod values;
mod wake;

mod config;

mod gateway;
mod request;
mod store;

mod exchange;

mod client;

mod kernels;
mod sse;

#[cfg(test)]
mod tests;

/// The version of this interface that this header describes.
pub const HOOSH_ABI_VERSION: u32 = 1;

/// The version of this interface that the library has. Where it is not `HOOSH_ABI_VERSION`, the program must be
/// compiled again.
#[no_mangle]
pub extern "C" fn hoosh_abi_version() -> u32 {
    HOOSH_ABI_VERSION
}
