//! Anthropic's Messages: `/v1/messages`.
//!
//! | File | What |
//! | --- | --- |
//! | `door` | paths, keys, headers |
//! | `fields` | the request's fields, and what becomes of each |
//! | `read_request`, `read_messages`, `read_assistant`, `read_parts`, `read_tools` | a caller's body as the neutral request |
//! | `write_request`, `write_turns`, `write_blocks`, `write_parts`, `write_tools`, `write_sampling`, `write_format`, `write_schema` | the neutral request as an upstream's body |
//! | `thinking` | how much is thought, both ways |
//! | `splice`, `own` | a body between equals: model, cap, what is hoosh's own, and nothing else |
//! | `blocks`, `decode`, `read_answer` | an upstream's answer as items, streamed or whole |
//! | `encode`, `events`, `write_answer`, `ended` | items as a caller's answer, streamed or whole |
//! | `thread` | conversations that Anthropic keeps |
//! | `usage`, `finish` | what an answer cost, and why it ended, both ways |
//! | `errors`, `models` | error bodies and lists of models |
//!
//! Sources: the API reference (<https://docs.anthropic.com/en/api/messages>) and the types of `anthropic` 2 for Python.

mod blocks;
mod decode;
mod door;
mod encode;
mod ended;
mod errors;
mod events;
mod fields;
mod finish;
mod models;
mod own;
mod read_answer;
mod read_assistant;
mod read_messages;
mod read_parts;
mod read_request;
mod read_tools;
mod splice;
#[cfg(test)]
mod tests;
mod thinking;
pub mod thread;
mod usage;
mod write_answer;
mod write_blocks;
mod write_format;
mod write_parts;
mod write_request;
mod write_sampling;
mod write_schema;
mod write_tools;
mod write_turns;

use bytes::Bytes;

use super::neutral::{Endpoint, Item};
use super::{Answer, Ask, Decode, Dialect, Door, Encode, Form, Loss, Model, Places, Protocol, Reply, To};
use crate::error::Failure;
use crate::ledger::Usage;
use door::DOOR;
use fields::PLACES;
pub use fields::{BLOCK_FIELDS, REQUEST_FIELDS};

/// Anthropic's Messages.
#[derive(Clone, Copy, Debug)]
pub struct Anthropic;

impl Protocol for Anthropic {
    fn dialect(&self) -> Dialect {
        Dialect::Anthropic
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
        "/messages".to_owned()
    }

    fn read_answer(&self, _: Endpoint, body: &[u8], items: &mut Vec<Item>) -> Answer {
        read_answer::read_answer(body, items)
    }

    fn decoder(&self) -> Box<dyn Decode> {
        Box::<decode::Decoder>::default()
    }

    fn write_answer(&self, reply: &Reply, items: &[Item], usage: &Usage) -> Vec<u8> {
        write_answer::write_answer(reply, items, usage)
    }

    fn encoder(&self, reply: Reply) -> Box<dyn Encode> {
        Box::new(encode::Encoder::new(reply))
    }

    fn error_body(&self, failure: &Failure) -> Bytes {
        Bytes::from(errors::error_body(failure))
    }

    fn count_body(&self, tokens: u64) -> Vec<u8> {
        format!("{{\"input_tokens\":{tokens}}}").into_bytes()
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
