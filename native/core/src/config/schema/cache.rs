//! `[cache]`

use super::{Default, Key, Kind, Section, BOUND, BYTES, SECONDS};

/// `[cache]`
pub const CACHE: Section = Section {
    header: "[cache]",
    keys: &[
        Key::new("enabled", Kind::Boolean, Default::Is("false"), "Whether answers are cached."),
        Key::new("mode", Kind::Word(&["deterministic", "always"]), Default::Is("\"deterministic\""), "`deterministic`: only where the caller asked for a repeatable answer (`temperature` 0, a `seed`, embeddings). `always`: all."),
        Key::new("ttl_secs", SECONDS, Default::Is("300"), "Seconds an entry lives."),
        Key::new("max_entries", BOUND, Default::Is("10_000"), "Entries."),
        Key::new("max_bytes", BYTES, Default::Is("67_108_864"), "Bytes of all entries."),
    ],
};
