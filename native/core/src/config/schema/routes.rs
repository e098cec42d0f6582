//! `[[routes]]`

use super::{Default, Key, Kind, Section, SECONDS};

/// `[[routes]]`
pub const ROUTES: Section = Section {
    header: "[[routes]]",
    keys: &[
        Key::new("model", Kind::Text, Default::Required, "The model's name at its provider, or a prefix that ends in `*`. A name goes before a prefix, a longer prefix before a shorter one."),
        Key::new("connect_secs", SECONDS, Default::None("the provider's"), "To connect to its provider."),
        Key::new("first_byte_secs", SECONDS, Default::None("the provider's"), "To the first byte of its answer."),
        Key::new("idle_secs", SECONDS, Default::None("the provider's"), "Between two reads of its answer."),
        Key::new("total_secs", SECONDS, Default::None("the provider's"), "A whole exchange."),
    ],
};
