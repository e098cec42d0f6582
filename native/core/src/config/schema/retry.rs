//! `[retry]`

use super::{Default, Key, Kind, Section, MANY, MILLISECONDS};

/// `[retry]`
pub const RETRY: Section = Section {
    header: "[retry]",
    keys: &[
        Key::new(
            "max_attempts",
            Kind::Integer { least: 1, most: 100 },
            Default::Is("3"),
            "Attempts for one request, the first included.",
        ),
        Key::new(
            "base_delay_ms",
            MILLISECONDS,
            Default::Is("250"),
            "Back-off before the same upstream is asked again is drawn from 0 to this, doubled each time.",
        ),
        Key::new("max_delay_ms", MILLISECONDS, Default::Is("8_000"), "Largest back-off; at least `base_delay_ms`."),
        Key::new(
            "budget_percent",
            Kind::Integer { least: 0, most: 100 },
            Default::Is("10"),
            "Retries allowed as a share of all requests.",
        ),
        Key::new(
            "min_per_sec",
            Kind::Integer { least: 0, most: MANY },
            Default::Is("10"),
            "Retries a second allowed whatever the share says.",
        ),
    ],
};
