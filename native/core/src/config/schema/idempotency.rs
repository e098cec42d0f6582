//! `[idempotency]`

use super::{Default, Key, Section, BOUND, BYTES, PAUSE};

/// `[idempotency]`
pub const IDEMPOTENCY: Section = Section {
    header: "[idempotency]",
    keys: &[
        Key::new(
            "ttl_secs",
            PAUSE,
            Default::Is("86_400"),
            "Seconds that an answer is remembered under its `Idempotency-Key`. 0: the header is not read.",
        ),
        Key::new("max_entries", BOUND, Default::Is("10_000"), "Answers remembered; the oldest goes first."),
        Key::new("max_bytes", BYTES, Default::Is("67_108_864"), "Bytes of all of them."),
    ],
};
