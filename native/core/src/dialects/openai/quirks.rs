//! Quirks: what providers of this dialect do otherwise than most, each under a name by which the catalogue gives it to a
//! provider type. A quirk changes one thing of [`Manners`], which every request to the provider is then written by; nothing
//! anywhere asks which provider it is. Each is tested in `tests/quirks.rs`.

use super::manners::{Manners, Taken};
use crate::config::CapField;

/// One of them.
#[derive(Clone, Copy)]
pub struct Quirk {
    /// In the catalogue.
    pub name: &'static str,
    /// What it makes of a request, for the documentation.
    pub about: &'static str,
    apply: fn(&mut Manners),
}

impl Quirk {
    const fn new(name: &'static str, about: &'static str, apply: fn(&mut Manners)) -> Quirk {
        Quirk { name, about, apply }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<&'static Quirk> {
        QUIRKS.iter().find(|quirk| quirk.name == name)
    }

    /// Makes it one of a provider's.
    pub fn apply(&self, manners: &mut Manners) {
        (self.apply)(manners);
    }
}

impl std::fmt::Debug for Quirk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Every one. Of two that say something of the same member, the later in a provider's list counts.
pub const QUIRKS: &[Quirk] = &[
    Quirk::new(
        "max_completion_tokens",
        "a cap of policy is sent as `max_completion_tokens`, not `max_tokens`",
        |manners| manners.cap_field = CapField::MaxCompletionTokens,
    ),
    Quirk::new(
        "no_foreign_members",
        "members that OpenAI does not have are left out: `reasoning_content`, `cache_control`, signatures, `top_k`, `min_p`",
        |manners| {
            (manners.reasoning_content, manners.google_signatures) = (Taken::Never, Taken::Never);
            (manners.cache_control, manners.sampling) = (Taken::Never, false);
        },
    ),
    Quirk::new("no_top_k", "`top_k` and `min_p` are left out", |manners| manners.sampling = false),
    Quirk::new(
        "takes_reasoning_content",
        "earlier turns keep `reasoning_content`, whatever the model",
        |manners| manners.reasoning_content = Taken::Always,
    ),
    Quirk::new(
        "takes_reasoning_details",
        "thoughts of the provider's own go back as `reasoning_details`",
        |manners| manners.reasoning_details = true,
    ),
    Quirk::new(
        "takes_google_signatures",
        "calls keep `extra_content` with Google's signatures, whatever the model",
        |manners| manners.google_signatures = Taken::Always,
    ),
    Quirk::new("takes_cache_control", "`cache_control` is kept, whatever the model", |manners| {
        manners.cache_control = Taken::Always;
    }),
    Quirk::new("takes_thinking", "`thinking` with its `type` is sent beside `reasoning_effort`", |manners| {
        manners.thinking = Taken::Always;
    }),
    Quirk::new("takes_developer_role", "messages of the role `developer` stay so; elsewhere they are `system`", |manners| {
        manners.developer = true;
    }),
    Quirk::new(
        "takes_openai_tools",
        "tools of type `custom` and a choice of `allowed_tools` are sent as they are",
        |manners| manners.openai_tools = true,
    ),
    Quirk::new("metadata_needs_store", "`metadata` is left out unless `store` is true", |manners| {
        manners.metadata_of_stored = true;
    }),
    Quirk::new("four_stops", "of more than 4 stop sequences the first 4 are sent", |manners| manners.stops = Some(4)),
    Quirk::new("sixteen_stops", "of more than 16 stop sequences the first 16 are sent", |manners| {
        manners.stops = Some(16);
    }),
    Quirk::new("uuid_request_ids", "an `x-request-id` that is no UUID is not sent", |manners| manners.uuid_ids = true),
];
