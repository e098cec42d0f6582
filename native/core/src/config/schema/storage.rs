//! `[storage]`

use super::{Default, Key, Kind, Section};

/// `[storage]`
pub const STORAGE: Section = Section {
    header: "[storage]",
    keys: &[
        Key::new(
            "path",
            Kind::Text,
            Default::Derived("`hoosh.db` in the platform's data folder"),
            "File that budgets and the ledger are kept in; `:memory:` keeps nothing.",
        ),
        Key::new(
            "request_days",
            Kind::Integer { least: 0, most: 36_500 },
            Default::Is("30"),
            "Days that records of requests that asked no provider are kept. Ledger rows are kept for ever.",
        ),
    ],
};
