//! `[log]`

use super::{Default, Key, Kind, Section};

/// `[log]`
pub const LOG: Section = Section {
    header: "[log]",
    keys: &[
        Key::new(
            "access",
            Kind::Word(&["off", "text", "json"]),
            Default::Is("\"text\""),
            "A line for each request over HTTP: `text`, `json` or `off`.",
        ),
        Key::new(
            "level",
            Kind::Word(&["error", "warn", "info", "debug"]),
            Default::Is("\"info\""),
            "What the gateway says of its own: `error`, `warn`, `info`; `debug` logs requests in process too.",
        ),
        Key::new("file", Kind::Text, Default::None("the standard error"), "File that lines are added to."),
    ],
};
