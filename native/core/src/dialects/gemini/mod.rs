//! Google's Gemini API: `generateContent`, `streamGenerateContent`, `countTokens`, the embeddings and the list of models.
//!
//! Source of the shapes: ai.google.dev's reference, and what `google-genai` 3.6 sends and reads.
//!
//! | File | What is in it |
//! | --- | --- |
//! | `door` | paths, keys, headers |
//! | `fields` | each field of a request and what becomes of it |
//! | `names` | both spellings of names, and the failures that name a field |
//! | `read_request`, `read_content`, `read_part`, `read_tools`, `read_config` | a caller's body as the neutral request |
//! | `ids` | ids of calls that have none |
//! | `write_request`, `write_content`, `write_calls`, `write_part`, `write_tools`, `write_config` | the neutral request for an upstream |
//! | `abilities` | what a model's name says that it can do |
//! | `thinking`, `schema`, `data` | both ways: how much to think, schemas, media |
//! | `signatures`, `carried` | which signatures are none, and which are thoughts of other dialects |
//! | `splice` | the same dialect on both sides; an upstream's paths |
//! | `decode`, `candidate` | an upstream's answers, streamed and whole, as items |
//! | `encode`, `write_answer`, `calls` | items as a caller's stream and whole answer |
//! | `finish`, `usage`, `logprobs`, `annotations`, `positions` | members of answers, both ways |
//! | `embed`, `count`, `models`, `errors` | embeddings, counting, the list of models, error bodies |

mod abilities;
mod annotations;
mod calls;
mod candidate;
mod carried;
pub mod count;
mod data;
mod decode;
mod door;
mod embed;
mod encode;
mod errors;
mod fields;
mod finish;
mod ids;
mod logprobs;
pub mod models;
mod names;
mod positions;
mod read_config;
mod read_content;
mod read_part;
mod read_request;
mod read_tools;
mod schema;
mod signatures;
mod splice;
mod thinking;
mod usage;
mod write_answer;
mod write_calls;
mod write_config;
mod write_content;
mod write_part;
mod write_request;
mod write_tools;

#[cfg(test)]
mod tests;

use bytes::Bytes;

use super::neutral::{Endpoint, Item};
use super::{Answer, Ask, Decode, Dialect, Door, Encode, Form, Loss, Model, Places, Protocol, Reply, To};
use crate::error::Failure;
use crate::ledger::Usage;
use door::DOOR;
use fields::PLACES;

pub use fields::{CONFIG_FIELDS, EMBED_FIELDS, REQUEST_FIELDS};

/// The Gemini API.
#[derive(Clone, Copy, Debug)]
pub struct Gemini;

impl Protocol for Gemini {
    fn dialect(&self) -> Dialect {
        Dialect::Gemini
    }

    fn door(&self) -> &'static Door {
        &DOOR
    }

    fn places(&self) -> Places {
        PLACES
    }

    fn stream_type(&self, form: Form) -> &'static str {
        match form {
            Form::Array => "application/json",
            _ => "text/event-stream",
        }
    }

    fn read_request(&self, ask: &Ask, body: &[u8], loss: &mut Loss) -> Result<Vec<u8>, Failure> {
        if ask.count {
            return count::read_request(ask, body, loss);
        }
        read_request::read(ask, body, loss)
    }

    fn write_request(&self, to: &To<'_>, neutral: &[u8], loss: &mut Loss) -> Result<Vec<u8>, Failure> {
        write_request::write(to, neutral, loss)
    }

    fn splice_request(&self, to: &To<'_>, body: &[u8]) -> Vec<u8> {
        splice::splice(to, body)
    }

    fn target(&self, to: &To<'_>) -> String {
        splice::target(to)
    }

    fn read_answer(&self, endpoint: Endpoint, body: &[u8], items: &mut Vec<Item>) -> Answer {
        decode::whole(endpoint, body, items)
    }

    fn decoder(&self) -> Box<dyn Decode> {
        Box::new(decode::Decoder::default())
    }

    fn write_answer(&self, reply: &Reply, items: &[Item], usage: &Usage) -> Vec<u8> {
        write_answer::write(reply, items, usage)
    }

    fn encoder(&self, reply: Reply) -> Box<dyn Encode> {
        Box::new(encode::Encoder::new(reply))
    }

    fn error_body(&self, failure: &Failure) -> Bytes {
        errors::body(failure)
    }

    fn passes(&self, endpoint: Endpoint, form: Form) -> bool {
        // Upstreams are asked for events and for batches, whichever form the caller wants.
        form != Form::Array && (endpoint != Endpoint::Embeddings || form == Form::Other)
    }

    fn count_body(&self, tokens: u64) -> Vec<u8> {
        count::answer(tokens)
    }

    fn models_body(&self, models: &[Model]) -> Vec<u8> {
        models::list(models)
    }

    fn model_body(&self, model: &Model) -> Vec<u8> {
        models::one(model)
    }

    fn error_words(&self, body: &[u8]) -> Option<String> {
        errors::words(body)
    }
}
