//! `[limits]`

use super::{Default, Key, Kind, Section, BOUND, MANY, TOKEN_COUNT, YEAR_SECS};

/// `[limits]`
pub const LIMITS: Section = Section {
    header: "[limits]",
    keys: &[
        Key::new("max_concurrency", BOUND, Default::None("no bound"), "Requests at once."),
        Key::new("rate_limit_rpm", BOUND, Default::None("no bound"), "Requests a minute."),
        Key::new("rate_limit_tpm", BOUND, Default::None("no bound"), "Tokens a minute, input and output together."),
        Key::new(
            "max_waiting",
            Kind::Integer { least: 0, most: MANY },
            Default::Is("128"),
            "Callers that may wait at one limit; the next gets 429. 0 refuses at once.",
        ),
        Key::new(
            "wait_secs",
            Kind::Integer { least: 0, most: YEAR_SECS },
            Default::Is("10"),
            "Longest wait for a place.",
        ),
        Key::new(
            "rate_wait_secs",
            Kind::Integer { least: 0, most: YEAR_SECS },
            Default::Is("0"),
            "Longest wait for a turn at requests or tokens a minute; a turn that comes later is refused at once.",
        ),
        Key::new(
            "reserve_output",
            TOKEN_COUNT,
            Default::Is("4_096"),
            "Output tokens reserved, and sent as the cap, under a budget when the caller names none.",
        ),
        Key::new(
            "max_inputs",
            BOUND,
            Default::Is("2_048"),
            "Embedding inputs in one request to a provider; a longer array is asked in slices of so many and joined.",
        ),
    ],
};
