//! Ollama's own API: `/api/chat`, `/api/generate`, `/api/embed` and the older `/api/embeddings`.
//!
//! | File | What |
//! | --- | --- |
//! | `door` | paths, keys, headers; what is asked beside answers |
//! | `fields` | the request's fields, and what becomes of each |
//! | `read_request`, `read_options`, `read_messages` | a caller's body as the neutral request |
//! | `write_request`, `write_options`, `write_messages`, `write_content`, `write_tools` | the neutral request as an upstream's body |
//! | `think` | whether and how much to think, both ways |
//! | `pictures` | bare base64 and data URLs, both ways |
//! | `calls` | tool calls: ids where there are none, arguments as objects |
//! | `splice` | a body between equals: model, cap, stream and nothing else |
//! | `line`, `decode`, `read_answer` | an upstream's answer as items, streamed or whole |
//! | `encode`, `write_answer` | items as a caller's answer, streamed or whole |
//! | `logprobs` | how likely tokens were, both ways |
//! | `finish` | why an answer ended, both ways |
//! | `errors` | error bodies, both ways |
//! | `load` | requests that ask nothing and only load or unload a model |
//! | `models`, `show`, `dates` | lists of models, what is known of one, and the version |
//!
//! Sources: the API reference (<https://docs.ollama.com/api>, `docs/openapi.yaml` of the server), and the types of `ollama` 0.6 for
//! Python and JavaScript.

mod calls;
mod dates;
mod decode;
mod door;
mod encode;
mod errors;
mod fields;
mod finish;
mod line;
pub mod load;
mod logprobs;
mod models;
mod pictures;
mod read_answer;
mod read_messages;
mod read_options;
mod read_request;
pub mod show;
mod splice;
#[cfg(test)]
mod tests;
mod think;
mod write_answer;
mod write_content;
mod write_messages;
mod write_options;
mod write_request;
mod write_tools;

use bytes::Bytes;

use super::neutral::{Endpoint, Item, Thought};
use super::{Answer, Ask, Decode, Dialect, Door, Encode, Form, Loss, Model, Places, Protocol, Reply, To};
use crate::error::Failure;
use crate::ledger::Usage;
use door::DOOR;
use fields::PLACES;
pub use fields::REQUEST_FIELDS;

/// Ollama's own API.
#[derive(Clone, Copy, Debug)]
pub struct Ollama;

impl Protocol for Ollama {
    fn dialect(&self) -> Dialect {
        Dialect::Ollama
    }

    fn door(&self) -> &'static Door {
        &DOOR
    }

    fn places(&self) -> Places {
        PLACES
    }

    fn stream_type(&self, _: Form) -> &'static str {
        "application/x-ndjson"
    }

    fn read_request(&self, ask: &Ask, body: &[u8], loss: &mut Loss) -> Result<Vec<u8>, Failure> {
        read_request::read_request(ask, body, loss)
    }

    fn write_request(&self, to: &To<'_>, neutral: &[u8], loss: &mut Loss) -> Result<Vec<u8>, Failure> {
        write_request::write_request(to, neutral, loss)
    }

    fn splice_request(&self, to: &To<'_>, body: &[u8]) -> Vec<u8> {
        splice::splice_request(to, body)
    }

    fn target(&self, to: &To<'_>) -> String {
        self.target_in(Form::Usual, to)
    }

    fn target_in(&self, form: Form, to: &To<'_>) -> String {
        let target = match (to.endpoint, form) {
            (Endpoint::Embeddings, Form::Other) => "/embeddings",
            (Endpoint::Embeddings, _) => "/embed",
            (Endpoint::Completions, _) | (Endpoint::Chat, Form::Prompt) => "/generate",
            (Endpoint::Chat, _) => "/chat",
        };
        target.to_owned()
    }

    fn read_answer(&self, endpoint: Endpoint, body: &[u8], items: &mut Vec<Item>) -> Answer {
        read_answer::read_answer(endpoint, body, items)
    }

    fn decoder(&self) -> Box<dyn Decode> {
        Box::<decode::Decoder>::default()
    }

    fn write_answer(&self, reply: &Reply, items: &[Item], usage: &Usage) -> Vec<u8> {
        write_answer::write_answer(reply, items, usage)
    }

    fn loses(&self, item: &Item) -> Option<(&'static str, &'static str)> {
        match item {
            Item::Annotation { .. } => Some(("message.annotations", "Ollama's answers cite nothing")),
            // Of mere text nobody needs it again.
            Item::Thought { thought: Thought::OfText(_), .. } => None,
            Item::Thought { .. } => Some(("message.thoughts", "Ollama's answers have no place for signatures")),
            _ => None,
        }
    }

    fn encoder(&self, reply: Reply) -> Box<dyn Encode> {
        Box::new(encode::Encoder::new(&reply))
    }

    fn error_body(&self, failure: &Failure) -> Bytes {
        Bytes::from(errors::error_body(failure))
    }

    fn models_body(&self, models: &[Model]) -> Vec<u8> {
        models::list(models)
    }

    fn model_body(&self, model: &Model) -> Vec<u8> {
        models::one(model)
    }

    fn error_words(&self, body: &[u8]) -> Option<String> {
        errors::error_words(body)
    }
}
