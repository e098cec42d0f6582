//! Where Ollama's own API is spoken.

use super::{load, show, Ollama};
use crate::dialects::neutral::Endpoint;
use crate::dialects::questions::{Known, Load, Question, Questions};
use crate::dialects::{Ask, Asked, Door, Form, Framing, Listing, Reply};
use crate::error::Failure;

const SHOW: &str = "/api/show";
const LOADED: &str = "/api/ps";
const VERSION: &str = "/api/version";

pub(super) static DOOR: Door = Door {
    asked,
    path,
    below: &["/api/"],
    questions: Some(&Ollama),
    key_header: None,
    key_parameter: None,
    bearer_since: Some(""),
    version: None,
    told: &[],
    // Ollama asks for no type, and its documentation shows requests without one.
    takes_untyped: true,
    id_header: None,
    // Lines of JSON have none.
    takes_comments: false,
    framing: Framing::Lines,
    marks_end: true,
    prefix: "/api",
    models_target: "/tags",
    listing: Listing { list: "models", name: "name", before: None },
};

fn asked(path: &str, _: &str) -> Option<Asked> {
    Some(match path {
        "/api/chat" => Asked::answer(Endpoint::Chat, Form::Usual),
        "/api/generate" => Asked::answer(Endpoint::Chat, Form::Prompt),
        "/api/embed" => Asked::answer(Endpoint::Embeddings, Form::Usual),
        "/api/embeddings" => Asked::answer(Endpoint::Embeddings, Form::Other),
        "/api/tags" => Asked::Models,
        SHOW => Asked::Question(Question::Show, SHOW),
        LOADED => Asked::Question(Question::Loaded, LOADED),
        VERSION => Asked::Question(Question::Version, VERSION),
        _ => return None,
    })
}

fn path(endpoint: Endpoint, _: bool) -> &'static str {
    match endpoint {
        Endpoint::Embeddings => "/api/embed",
        Endpoint::Chat | Endpoint::Completions => "/api/chat",
    }
}

impl Questions for Ollama {
    fn model(&self, body: &[u8]) -> Result<String, Failure> {
        show::asked_model(body)
    }

    fn show(&self, known: &Known) -> Vec<u8> {
        show::show(known)
    }

    fn loaded(&self, models: &[Known], until: i64) -> Vec<u8> {
        show::loaded(models, until)
    }

    fn version(&self) -> Vec<u8> {
        show::version()
    }

    fn load(&self, ask: &Ask, body: &[u8]) -> Option<Load> {
        load::asked(ask, body)
    }

    fn answer_load(&self, reply: &Reply) -> Vec<u8> {
        load::answer(reply)
    }

    fn list(&self) -> &'static str {
        "/api/tags"
    }
}
