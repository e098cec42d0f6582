//! Where Anthropic's Messages are spoken.

use crate::dialects::neutral::Endpoint;
use crate::dialects::{Ask, Asked, Door, Form, Framing, Listing, Version};

const MESSAGES: &str = "/v1/messages";
const COUNT: &str = "/v1/messages/count_tokens";
const VERSION: &str = "anthropic-version";

pub(super) static DOOR: Door = Door {
    asked,
    path: |_, count| if count { COUNT } else { MESSAGES },
    below: &[MESSAGES],
    questions: None,
    key_header: Some("x-api-key"),
    key_parameter: None,
    // From this version on Anthropic takes bearer keys, as its SDKs send them with it.
    bearer_since: Some("2026-10-21"),
    version: Some(Version { header: VERSION, usual: |set| &set.anthropic_version }),
    told: &[VERSION, "anthropic-beta"],
    takes_untyped: false,
    // anthropic-sdk-python, `_response.py`.
    id_header: Some("request-id"),
    takes_comments: true,
    framing: Framing::Events,
    marks_end: true,
    prefix: "/v1",
    // Pages have 20 unless asked for more.
    models_target: "/models?limit=1000",
    listing: Listing { list: "data", name: "id", before: None },
};

fn asked(path: &str, _: &str) -> Option<Asked> {
    match path {
        MESSAGES => Some(Asked::answer(Endpoint::Chat, Form::Usual)),
        COUNT => Some(Asked::Answer(Ask { endpoint: Some(Endpoint::Chat), count: true, ..Ask::default() })),
        _ => None,
    }
}
