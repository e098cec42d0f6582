//! Across files: whole requests, answers and streams.

mod answers;
mod properties;
mod requests;
mod streams;
mod thoughts;
mod writing;

use serde_json::Value as Json;

use super::Gemini;
use crate::dialects::neutral::{Endpoint, Item};
use crate::dialects::{Ask, Fed, Form, Loss, Protocol, Reply, To};
use crate::error::Failure;
use crate::ledger::{Usage, UsageSource};
use crate::sse::{Framer, Limits};

fn json(bytes: &[u8]) -> Json {
    serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes)))
}

fn ask() -> Ask {
    Ask { endpoint: Some(Endpoint::Chat), model: Some("gemini-3-pro".into()), ..Ask::default() }
}

/// What a caller's body becomes, and what is lost.
fn read(body: &str) -> (Json, Vec<String>) {
    let mut loss = Loss::default();
    let read = Gemini.read_request(&ask(), body.as_bytes(), &mut loss).unwrap();
    (json(&read), names(&loss))
}

fn refused(body: &str) -> Failure {
    Gemini.read_request(&ask(), body.as_bytes(), &mut Loss::default()).unwrap_err()
}

fn to(model: &str) -> To<'_> {
    To { endpoint: Endpoint::Chat, model, stream: false, cap: None, version: "" }
}

/// What an upstream is asked for a neutral request, and what is lost.
fn write(model: &str, neutral: &Json) -> (Json, Vec<String>) {
    let mut loss = Loss::default();
    let written = Gemini.write_request(&to(model), neutral.to_string().as_bytes(), &mut loss).unwrap();
    (json(&written), names(&loss))
}

fn names(loss: &Loss) -> Vec<String> {
    loss.fields().iter().map(|lost| format!("{} {}", lost.change.as_str(), lost.field)).collect()
}

/// The items of a stream that comes in pieces of `size` bytes; whether it is complete.
fn decode(stream: &[u8], size: usize) -> (Vec<Item>, Result<bool, Fed>) {
    let mut decoder = Gemini.decoder();
    let mut framer = Framer::new(Limits::default());
    let mut items = Vec::new();
    for chunk in stream.chunks(size.max(1)) {
        framer.push(bytes::Bytes::copy_from_slice(chunk));
        while let Some(frame) = framer.next_frame().unwrap() {
            match decoder.take(&frame, &mut items) {
                Fed::Open => {}
                other => return (items, Err(other)),
            }
        }
    }
    let complete = decoder.finish(&mut items);
    (items, Ok(complete))
}

fn reply(form: Form) -> Reply {
    Reply {
        endpoint: Some(Endpoint::Chat),
        form,
        id: "answer-1".into(),
        created: 0,
        model: "gemini-3-pro".into(),
        ..Reply::default()
    }
}

const USAGE: Usage = Usage {
    input_tokens: 10,
    output_tokens: 25,
    cached_tokens: 4,
    source: UsageSource::Reported,
    cache_written_tokens: 0,
    cache_written_long_tokens: 0,
};

fn encode(items: &[Item], form: Form) -> Vec<u8> {
    let (mut encoder, mut out) = (Gemini.encoder(reply(form)), Vec::new());
    items.iter().for_each(|item| encoder.item(item, &mut out));
    encoder.end(&USAGE, &mut out);
    out
}
