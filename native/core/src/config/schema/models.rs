//! `[[models]]`

use super::{Default, Key, Kind, Section, TOKEN_COUNT};

/// `[[models]]`
pub const MODELS: Section = Section {
    header: "[[models]]",
    keys: &[
        Key::new("name", Kind::Text, Default::Required, "A model as its provider calls it, or a pattern with `*`."),
        Key::new("provider", Kind::Text, Default::None("every provider"), "The provider that it is of."),
        Key::new("tools", Kind::Boolean, Default::None("not known"), "Whether it takes tools."),
        Key::new("images", Kind::Boolean, Default::None("not known"), "Whether it takes images."),
        Key::new("audio", Kind::Boolean, Default::None("not known"), "Whether it takes or gives audio."),
        Key::new("context_tokens", TOKEN_COUNT, Default::None("not known"), "Input tokens that it holds."),
        Key::new(
            "max_output_tokens",
            TOKEN_COUNT,
            Default::None("not known"),
            "Output tokens that it may be asked for; a larger cap is lowered to it.",
        ),
    ],
};
