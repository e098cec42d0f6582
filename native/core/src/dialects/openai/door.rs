//! Where OpenAI's chat completions, completions and embeddings are spoken.

use crate::dialects::neutral::Endpoint;
use crate::dialects::{Asked, Door, Form, Framing, Listing};

const CHAT: &str = "/v1/chat/completions";
const COMPLETIONS: &str = "/v1/completions";
const EMBEDDINGS: &str = "/v1/embeddings";

pub(super) static DOOR: Door = Door {
    asked,
    path,
    // Others share what is below `/v1`.
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

fn asked(path: &str, _: &str) -> Option<Asked> {
    let endpoint = match path {
        CHAT => Endpoint::Chat,
        COMPLETIONS => Endpoint::Completions,
        EMBEDDINGS => Endpoint::Embeddings,
        _ => return None,
    };
    Some(Asked::answer(endpoint, Form::Usual))
}

fn path(endpoint: Endpoint, _: bool) -> &'static str {
    match endpoint {
        Endpoint::Chat => CHAT,
        Endpoint::Completions => COMPLETIONS,
        Endpoint::Embeddings => EMBEDDINGS,
    }
}
