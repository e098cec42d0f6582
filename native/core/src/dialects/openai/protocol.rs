//! This dialect as a [`Protocol`].

use bytes::Bytes;

use super::collected::Collected;
use super::decode::Decoder;
use super::door::DOOR;
use super::encode::{Stamp, VectorForm};
use super::errors::error_words;
use super::manners::Manners;
use super::read_answer::read_answer;
use super::read_request::read_request;
use super::request_fields::PLACES;
use super::splice::{has_own, splice_loses, splice_request};
use super::streamed::Encoder;
use super::write_request::write_request;
use crate::dialects::neutral::{Endpoint, Item};
use crate::dialects::{Answer, Ask, Decode, Dialect, Door, Encode, Form, Loss, Places, Protocol, Reply, To};
use crate::error::Failure;
use crate::ledger::Usage;

/// OpenAI's chat completions, completions and embeddings, as one server speaks them; to callers it is always the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenAiChat {
    /// What the server takes.
    pub manners: Manners,
}

impl OpenAiChat {
    /// Of a server of which nothing is known.
    pub const USUAL: OpenAiChat = OpenAiChat { manners: Manners::USUAL };
}

impl Protocol for OpenAiChat {
    fn dialect(&self) -> Dialect {
        Dialect::OpenAiChat
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
        read_request(ask, body, loss)
    }

    fn write_request(&self, to: &To<'_>, neutral: &[u8], loss: &mut Loss) -> Result<Vec<u8>, Failure> {
        write_request(&self.manners, to, neutral, loss)
    }

    fn has_own(&self, body: &[u8]) -> bool {
        has_own(body)
    }

    fn splice_request(&self, to: &To<'_>, body: &[u8]) -> Vec<u8> {
        splice_request(&self.manners, to, body)
    }

    fn splice_loses(&self, body: &[u8], loss: &mut Loss) {
        splice_loses(body, loss);
    }

    fn target(&self, to: &To<'_>) -> String {
        to.endpoint.path().to_owned()
    }

    fn read_answer(&self, endpoint: Endpoint, body: &[u8], items: &mut Vec<Item>) -> Answer {
        read_answer(endpoint, body, items)
    }

    fn decoder(&self) -> Box<dyn Decode> {
        Box::<Decoder>::default()
    }

    fn write_answer(&self, reply: &Reply, items: &[Item], usage: &Usage) -> Vec<u8> {
        let mut collected = Collected::default();
        for item in items {
            collected.add(item.clone());
        }
        collected.sort();
        let endpoint = reply.endpoint.unwrap_or(Endpoint::Chat);
        stamp_of(reply).whole(endpoint, &collected, usage)
    }

    fn encoder(&self, reply: Reply) -> Box<dyn Encode> {
        let endpoint = reply.endpoint.unwrap_or(Endpoint::Chat);
        Box::new(Encoder::new(stamp_of(&reply), endpoint, reply.include_usage))
    }

    fn error_body(&self, failure: &Failure) -> Bytes {
        failure.openai_body()
    }

    fn error_words(&self, body: &[u8]) -> Option<String> {
        error_words(body)
    }
}

fn stamp_of(reply: &Reply) -> Stamp {
    let prefix = if reply.endpoint == Some(Endpoint::Completions) { "cmpl" } else { "chatcmpl" };
    Stamp {
        id: format!("{prefix}-{}", reply.id),
        created: reply.created,
        model: reply.model.clone(),
        vectors: if reply.base64 { VectorForm::Base64 } else { VectorForm::Float },
    }
}
