//! OpenAI's Responses: `POST /v1/responses`, whole and streamed.
//!
//! Source of the shapes: the types and the accumulating stream of `openai` 3.57 (Python), the API reference, and what
//! `openai-agents` 0.24 sends and reads.
//!
//! | Way | Files |
//! | --- | --- |
//! | paths, keys, headers | `door.rs` |
//! | a caller's request as the neutral one | `read_request.rs` (fields at the top), `read_input.rs` (items), `turn.rs` (what the model said), `read_content.rs` |
//! | the neutral request to an upstream | `write_request.rs`, `write_input.rs`, `write_content.rs`, `effort.rs`; `splice.rs` where the caller speaks it too |
//! | both | `tools.rs`, `fields.rs` (the tables), `refuse.rs` (what is wrong, and where) |
//! | an upstream's answer as items | `read_answer.rs` (whole), `decode.rs` (streamed); both by `reading.rs` |
//! | items as an answer | `encode.rs` (whole and streamed), `encode_message.rs`, `encode_thoughts.rs`, `encode_calls.rs`, with `output.rs` (their JSON), `response.rs` (around them), `events.rs` |
//! | both | `finish.rs`, `usage.rs`, `logprobs.rs`, `annotations.rs` |
//! | earlier turns | `history.rs` |
//! | errors | `errors.rs` |

mod annotations;
mod decode;
mod door;
mod effort;
mod encode;
mod encode_calls;
mod encode_message;
mod encode_thoughts;
mod errors;
mod events;
mod fields;
mod finish;
pub mod history;
mod logprobs;
mod output;
mod read_answer;
mod read_content;
mod read_input;
mod read_request;
mod reading;
mod refuse;
mod repeated;
pub mod replay;
mod response;
mod splice;
#[cfg(test)]
mod tests;
mod tools;
mod turn;
mod usage;
mod write_content;
mod write_input;
mod write_request;

use bytes::Bytes;

use super::neutral::{Endpoint, Item};
use super::{Answer, Ask, Decode, Dialect, Door, Encode, Form, Loss, Places, Protocol, Reply, To};
use crate::error::Failure;
use crate::ledger::Usage;
use door::DOOR;
use fields::PLACES;

pub use fields::{NEUTRAL_FIELDS, REQUEST_FIELDS};

/// OpenAI's Responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenAiResponses;

impl Protocol for OpenAiResponses {
    fn dialect(&self) -> Dialect {
        Dialect::OpenAiResponses
    }

    fn door(&self) -> &'static Door {
        &DOOR
    }

    fn places(&self) -> Places {
        PLACES
    }

    fn stream_type(&self, _: Form) -> &'static str {
        "text/event-stream"
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

    fn target(&self, _: &To<'_>) -> String {
        "/responses".to_owned()
    }

    fn read_answer(&self, endpoint: Endpoint, body: &[u8], items: &mut Vec<Item>) -> Answer {
        read_answer::read_answer(endpoint, body, items)
    }

    fn decoder(&self) -> Box<dyn Decode> {
        Box::<decode::Decoder>::default()
    }

    fn write_answer(&self, reply: &Reply, items: &[Item], usage: &Usage) -> Vec<u8> {
        encode::Encoder::new(reply.clone()).whole(items, usage)
    }

    fn encoder(&self, reply: Reply) -> Box<dyn Encode> {
        Box::new(encode::Encoder::new(reply))
    }

    fn error_behind(&self, failure: &Failure, _: &Reply) -> Option<Vec<u8>> {
        Some(encode::error_alone(failure))
    }

    fn error_body(&self, failure: &Failure) -> Bytes {
        failure.openai_body()
    }

    fn error_words(&self, body: &[u8]) -> Option<String> {
        errors::error_words(body)
    }
}
