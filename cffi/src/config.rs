//! Configuration for C.

use std::ffi::{c_char, c_void, CStr, CString};

use hoosh_core::config;

use crate::border::{free, give, guarded, guarded_or, hoosh_result, place, shared};
use crate::values::hoosh_bytes;

/// A checked configuration.
pub struct hoosh_config(pub config::Config);

/// Text that hoosh made.
pub struct hoosh_text(String);

impl hoosh_text {
    pub fn new(text: String) -> hoosh_text {
        hoosh_text(text)
    }
}

/// Looks up a variable for `$NAME` in a configuration. Returns its value, UTF-8 and terminated, which must stay until
/// the next call or the end of parsing; NULL if it is not set.
pub type hoosh_environment = Option<unsafe extern "C" fn(context: *mut c_void, name: *const c_char) -> *const c_char>;

/// # Configuration
///
/// Parses and checks TOML text. `environment` may be NULL if there are no variables; it is called with `context`
/// while this call lasts. Keys in files and of commands are refused: nobody here reads them. So is `[providers.tls]`, of which
/// `hoosh_request` says nothing; and proxies are the affair of whoever connects. On `HOOSH_RESULT_CONFIG`, and only then,
/// `*error` is written (where `error` is not NULL): a text of yours that says what is wrong and where.
#[no_mangle]
pub unsafe extern "C" fn hoosh_config_parse(
    text: hoosh_bytes,
    environment: hoosh_environment,
    context: *mut c_void,
    config: *mut *mut hoosh_config,
    error: *mut *mut hoosh_text,
) -> hoosh_result {
    guarded(|| {
        // SAFETY: the program's promise.
        let (text, config) = unsafe { (text.text()?, place(config)?) };
        let look_up = |name: &str| {
            let (look_up, name) = (environment?, CString::new(name).ok()?);
            // SAFETY: the program's function takes its context and a terminated name.
            let value = unsafe { look_up(context, name.as_ptr()) };
            if value.is_null() {
                return None;
            }
            // SAFETY: not NULL; the program promised a terminated value.
            unsafe { CStr::from_ptr(value) }.to_str().ok().map(str::to_owned)
        };
        match config::parse(text, &look_up) {
            Ok(parsed) => {
                config.put(give(hoosh_config(parsed)));
                Ok(())
            }
            Err(wrong) => {
                // SAFETY: the program's promise; NULL is allowed here.
                if let Ok(error) = unsafe { place(error) } {
                    error.put(give(hoosh_text(wrong.to_string())));
                }
                Err(hoosh_result::Config)
            }
        }
    })
}

/// Frees a configuration. The gateways made from it have their own.
#[no_mangle]
pub unsafe extern "C" fn hoosh_config_free(config: *mut hoosh_config) {
    // SAFETY: the program's promise.
    unsafe { free(config) }
}

/// The text's bytes, until it is freed; none for NULL.
#[no_mangle]
pub unsafe extern "C" fn hoosh_text_bytes(text: *const hoosh_text) -> hoosh_bytes {
    // SAFETY: the program's promise.
    guarded_or(hoosh_bytes::NONE, || Ok(hoosh_bytes::of(unsafe { shared(text) }?.0.as_bytes())))
}

/// Frees a text.
#[no_mangle]
pub unsafe extern "C" fn hoosh_text_free(text: *mut hoosh_text) {
    // SAFETY: the program's promise.
    unsafe { free(text) }
}
