//! `[dialects]`

use super::{Default, Key, Kind, Section, BYTES, SECONDS};

/// `[dialects]`
pub const DIALECTS: Section = Section {
    header: "[dialects]",
    keys: &[
        Key::new(
            "strict",
            Kind::Boolean,
            Default::Is("false"),
            "Refuse a request of which something would be lost between two dialects, as `x-hoosh-strict: true` asks for one. `false`: `x-hoosh-loss` tells.",
        ),
        Key::new(
            "anthropic_version",
            Kind::Text,
            Default::Derived("`ANTHROPIC_API_VERSION`, else 2023-06-01"),
            "`anthropic-version` of requests to Anthropic whose caller names none.",
        ),
        Key::new(
            "history",
            Kind::Word(&["memory", "store"]),
            Default::Is("\"memory\""),
            "Where earlier turns are kept for `previous_response_id` of the Responses API. `store`: in the file of `[storage]` too, prompts and answers, so that a restart forgets none.",
        ),
        Key::new(
            "history_max_bytes",
            Kind::Integer { least: 0, most: i64::MAX },
            Default::Is("67_108_864"),
            "Bytes of turns in memory; the oldest go first. 0: none are kept, in the store neither.",
        ),
        Key::new(
            "history_store_max_bytes",
            BYTES,
            Default::Is("1_073_741_824"),
            "Bytes of turns in the store; the oldest go first.",
        ),
        Key::new(
            "history_ttl_secs",
            SECONDS,
            Default::Is("2_592_000"),
            "Seconds that a turn is kept, in memory and in the store.",
        ),
    ],
};
