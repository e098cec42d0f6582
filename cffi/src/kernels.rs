//! Kernels for C that need no handle: counting and cache keys.

use hoosh_core::{cachekey, tokens};

use crate::border::{guarded, hoosh_result, place};
use crate::values::hoosh_bytes;

/// Digits of a cache key.
const KEY_DIGITS: usize = 64;

/// # Kernels
///
/// Counts the tokens of `text` in `encoding` (`cl100k_base` or `o200k_base`), offline. The first use of an encoding
/// loads its vocabulary (about 40 ms).
#[no_mangle]
pub unsafe extern "C" fn hoosh_tokens_count(
    text: hoosh_bytes,
    encoding: hoosh_bytes,
    count: *mut usize,
) -> hoosh_result {
    guarded(|| {
        // SAFETY: the program's promise.
        let (text, encoding, place) = unsafe { (text.text()?, encoding.text()?, place(count)?) };
        let encoding = encoding.parse::<tokens::Encoding>().map_err(|_| hoosh_result::Invalid)?;
        place.put(tokens::count(text, encoding));
        Ok(())
    })
}

/// The canonical key of a request body for `tenant`, whose answers are kept apart from everybody else's: 64
/// hexadecimal digits to `key`, which has room for them; no terminator. Equal for equal questions, however they are
/// spelled. `HOOSH_RESULT_INVALID` if the body is not a JSON object.
#[no_mangle]
pub unsafe extern "C" fn hoosh_cache_key(body: hoosh_bytes, tenant: hoosh_bytes, key: *mut u8) -> hoosh_result {
    guarded(|| {
        // SAFETY: the program's promise, of room for all digits too. An array of bytes is aligned anywhere.
        let (body, tenant, place) = unsafe { (body.slice()?, tenant.text()?, place(key.cast::<[u8; KEY_DIGITS]>())?) };
        let hex = cachekey::key_of(body, tenant).map_err(|_| hoosh_result::Invalid)?;
        place.put(hex.as_bytes().try_into().map_err(|_| hoosh_result::Internal)?);
        Ok(())
    })
}
