//! `[[aliases]]`

use super::{Default, Key, Kind, Section};

/// `[[aliases]]`
pub const ALIASES: Section = Section {
    header: "[[aliases]]",
    keys: &[
        Key::new("name", Kind::Text, Default::Required, "Unique; what callers ask for. May end in `*`."),
        Key::new(
            "models",
            Kind::Texts,
            Default::Required,
            "What it stands for, each as a caller could ask; the next is asked where nobody of the one before can be.",
        ),
    ],
};
