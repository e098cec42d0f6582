//! `[[prices]]`, and what a price is made of there and in the catalogue.

use super::{Default, Key, Kind, Section, TOKEN_COUNT};

/// `[[prices]]`
pub const PRICES: Section = Section {
    header: "[[prices]]",
    keys: &[
        Key::new(
            "model",
            Kind::Text,
            Default::Required,
            "Name of a model at its provider, or a prefix that ends in `*`.",
        ),
        Key::new("provider", Kind::Text, Default::None("every provider"), "Name of the provider whose price it is."),
        input_rate(Default::Required),
        output_rate(Default::Required),
        CACHED_INPUT_RATE,
        CACHE_WRITE_RATE,
        CACHE_WRITE_LONG_RATE,
        LONG_PROMPTS,
    ],
};
/// `long_prompts` of a price
pub const PRICES_LONG_PROMPTS: Section = Section { header: "[prices.long_prompts]", keys: LONG_PROMPTS_KEYS };

pub(super) const fn input_rate(default: Default) -> Key {
    Key::new("input_usd_per_mtok", Kind::Decimal, default, "USD for a million input tokens, to six places.")
}

pub(super) const fn output_rate(default: Default) -> Key {
    Key::new("output_usd_per_mtok", Kind::Decimal, default, "USD for a million output tokens.")
}

pub(super) const CACHED_INPUT_RATE: Key = Key::new(
    "cached_input_usd_per_mtok",
    Kind::Decimal,
    Default::None("as other input"),
    "USD for a million input tokens that the provider had cached.",
);
pub(super) const CACHE_WRITE_RATE: Key = Key::new(
    "cache_write_usd_per_mtok",
    Kind::Decimal,
    Default::None("as other input"),
    "USD for a million input tokens that the provider puts into its cache.",
);
pub(super) const CACHE_WRITE_LONG_RATE: Key = Key::new(
    "cache_write_long_usd_per_mtok",
    Kind::Decimal,
    Default::None("as other cache writes"),
    "The same where they are kept for longer than usual: for an hour at Anthropic, for 12 at OpenAI.",
);
pub(super) const LONG_PROMPTS: Key = Key::new(
    "long_prompts",
    Kind::Section,
    Default::None("the same"),
    "What all tokens of a request with a long prompt cost: a table of its own.",
);
pub(super) const LONG_PROMPTS_KEYS: &[Key] = &[
    Key::new("above_tokens", TOKEN_COUNT, Default::Required, "Input tokens beyond which a prompt is long."),
    input_rate(Default::Required),
    output_rate(Default::Required),
    CACHED_INPUT_RATE,
    CACHE_WRITE_RATE,
    CACHE_WRITE_LONG_RATE,
];
