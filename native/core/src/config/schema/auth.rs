//! `[auth]` and `[[auth.tokens]]`

use super::{Default, Key, Kind, Section, BOUND};

/// `[auth]`
pub const AUTH: Section = Section {
    header: "[auth]",
    keys: &[Key::new(
        "tokens",
        Kind::Tables,
        Default::Is("[]"),
        "Keys that may call: strings, or tables. Empty: anybody who reaches the port.",
    )],
};
/// `[[auth.tokens]]`
pub const TOKENS: Section = Section {
    header: "[[auth.tokens]]",
    keys: &[
        Key::new("token", Kind::Secret, Default::Required, "The key that callers send as `Authorization: Bearer …`."),
        Key::new(
            "name",
            Kind::Text,
            Default::Derived("key-1, key-2, …"),
            "Unique; shown in rows and metrics in the key's place.",
        ),
        Key::new(
            "models",
            Kind::Texts,
            Default::Is("[]"),
            "What it may use: names or patterns of models, alone or as `provider/model`, and names of aliases. Empty: everything.",
        ),
        Key::new(
            "budget",
            Kind::Text,
            Default::None("none"),
            "Budget that it charges; must exist. None: the one the request names, else `default` if there is one.",
        ),
        Key::new("max_concurrency", BOUND, Default::None("no bound"), "Requests at once."),
        Key::new("rate_limit_rpm", BOUND, Default::None("no bound"), "Requests a minute."),
        Key::new("rate_limit_tpm", BOUND, Default::None("no bound"), "Tokens a minute, input and output together."),
        Key::new(
            "max_tokens_limit",
            BOUND,
            Default::None("no bound"),
            "Most output tokens for each choice: sent as the cap where the caller names more, or none.",
        ),
        Key::new(
            "priority",
            Kind::Word(&["background", "low", "normal", "high", "critical"]),
            Default::Is("\"normal\""),
            "Who goes first where requests wait for a model of this process; `x-hoosh-priority` may lower it.",
        ),
    ],
};
