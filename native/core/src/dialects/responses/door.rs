//! Where OpenAI's Responses are spoken.

use crate::dialects::neutral::Endpoint;
use crate::dialects::{Asked, Door, Form, Framing, Listing};

const RESPONSES: &str = "/v1/responses";

pub(super) static DOOR: Door = Door {
    asked,
    path: |_, _| RESPONSES,
    // Its errors are in OpenAI's shape, as those of all paths below `/v1` that are nobody's alone.
    below: &[],
    questions: None,
    key_header: None,
    key_parameter: None,
    bearer_since: Some(""),
    version: None,
    told: &[],
    takes_untyped: false,
    id_header: None,
    takes_comments: true,
    framing: Framing::Events,
    marks_end: true,
    prefix: "/v1",
    models_target: "/models",
    listing: Listing { list: "data", name: "id", before: None },
};

fn asked(path: &str, query: &str) -> Option<Asked> {
    let below = path.strip_prefix(RESPONSES)?;
    if below.is_empty() {
        return Some(Asked::answer(Endpoint::Chat, Form::Usual));
    }
    let id = below.strip_prefix('/')?;
    let (id, below) = id.split_once('/').map_or((id, None), |(id, below)| (id, Some(below)));
    let id = Some(id).filter(|id| !id.is_empty())?.to_owned();
    match below {
        None => Some(Asked::Kept(id, query.to_owned())),
        Some("input_items") => Some(Asked::KeptItems(id, query.to_owned())),
        Some("cancel") => Some(Asked::KeptCancel(id)),
        Some(_) => None,
    }
}
