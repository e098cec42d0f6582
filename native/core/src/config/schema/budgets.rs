//! `[[budgets]]`

use super::{Default, Key, Kind, Section, TOKEN_COUNT};

/// `[[budgets]]`
pub const BUDGETS: Section = Section {
    header: "[[budgets]]",
    keys: &[
        Key::new("name", Kind::Text, Default::Required, "Unique. `default` is charged where nothing else is named."),
        Key::new("capacity", TOKEN_COUNT, Default::Required, "Tokens, input and output together; at least 1."),
        Key::new(
            "slice",
            TOKEN_COUNT,
            Default::Derived("capacity / 16, at least 16,384, at most a quarter of the capacity"),
            "Tokens taken from the store at a time: what a crash can leave unspent.",
        ),
    ],
};
