//! What a caller's `Cache-Control` allows (RFC 9111 section 5.2.1).

use crate::clock::SECOND;

/// What the cache may do for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CacheControl {
    /// Kept answers may be given that are at most so old, microseconds. `None`: none may.
    pub max_age_us: Option<u64>,
    /// The answer may be kept.
    pub store: bool,
}

impl Default for CacheControl {
    fn default() -> Self {
        CacheControl { max_age_us: Some(u64::MAX), store: true }
    }
}

impl CacheControl {
    /// The cache has no part in it.
    pub const NO_STORE: CacheControl = CacheControl { max_age_us: None, store: false };

    /// `no-cache`: nothing kept is given, and the answer is kept. `no-store`: neither. `max-age=N`: nothing older than N
    /// seconds is given. Other directives say nothing here.
    pub fn read(value: &[u8]) -> CacheControl {
        let mut control = CacheControl::default();
        for part in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if part.eq_ignore_ascii_case(b"no-store") {
                return CacheControl::NO_STORE;
            }
            if part.eq_ignore_ascii_case(b"no-cache") {
                control.max_age_us = None;
            } else if let Some(seconds) = max_age(part) {
                control.max_age_us = control.max_age_us.map(|before| before.min(seconds.saturating_mul(SECOND)));
            }
        }
        control
    }

    /// Whether an answer that was kept at `stored_us` may be given at `now_us`.
    pub fn allows(&self, stored_us: u64, now_us: u64) -> bool {
        self.max_age_us.is_some_and(|most| now_us.saturating_sub(stored_us) <= most)
    }
}

/// The argument may be a token or a quoted string. One that cannot be read is taken as 0, so that it allows less, not more.
fn max_age(part: &[u8]) -> Option<u64> {
    let at = part.iter().position(|byte| *byte == b'=')?;
    let (name, argument) = (part[..at].trim_ascii(), part[at + 1..].trim_ascii());
    if !name.eq_ignore_ascii_case(b"max-age") {
        return None;
    }
    let digits = argument.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(argument);
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    // More digits than fit are a very long time.
    let number = || std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).unwrap_or(u64::MAX);
    Some(if is_number { number() } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_read_as_http_says() {
        let all = CacheControl::default();
        let within = |seconds: u64| CacheControl { max_age_us: Some(seconds.saturating_mul(SECOND)), store: true };
        let no_cache = CacheControl { max_age_us: None, store: true };
        for (value, expected) in [
            ("", all),
            ("no-transform, x=no-store", all),
            ("No-Cache", no_cache),
            ("max-age=5, no-cache", no_cache),
            ("no-cache , NO-STORE", CacheControl::NO_STORE),
            ("max-age=5", within(5)),
            ("Max-Age = \"7\", max-age=9", within(7)),
            ("max-age=0", within(0)),
            ("max-age=-1", within(0)),
            ("max-age=99999999999999999999999", within(u64::MAX)),
            ("s-maxage=5", all),
        ] {
            assert_eq!(CacheControl::read(value.as_bytes()), expected, "{value}");
        }
    }
}
