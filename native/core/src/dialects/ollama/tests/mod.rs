//! The dialect as a whole, fed with what Ollama's SDKs and servers send.

mod answers;
mod complaints;
mod lists;
mod properties;
mod reading;
mod writing;

use bytes::Bytes;
use serde_json::Value;

use super::Ollama;
use crate::dialects::neutral::{Endpoint, Item};
use crate::dialects::{Ask, Change, Decode, Fed, Form, Loss, Protocol, To};
use crate::error::Failure;
use crate::sse::Frame;

const CHAT: To<'static> = To { endpoint: Endpoint::Chat, model: "llama", stream: false, cap: None, version: "" };
const EMBEDDINGS: To<'static> = To { endpoint: Endpoint::Embeddings, ..CHAT };

fn ask(endpoint: Endpoint, form: Form) -> Ask {
    Ask { endpoint: Some(endpoint), form, ..Ask::default() }
}

fn chat() -> Ask {
    ask(Endpoint::Chat, Form::Usual)
}

fn generate() -> Ask {
    ask(Endpoint::Chat, Form::Prompt)
}

fn try_read(ask: &Ask, body: &Value) -> Result<(Value, Loss), Failure> {
    let mut loss = Loss::default();
    let neutral = Ollama.read_request(ask, body.to_string().as_bytes(), &mut loss)?;
    assert!(!neutral.contains(&b'\n'));
    Ok((serde_json::from_slice(&neutral).unwrap(), loss))
}

fn read(ask: &Ask, body: &Value) -> (Value, Loss) {
    try_read(ask, body).unwrap()
}

fn write_to(to: &To<'_>, neutral: &Value) -> (Value, Loss) {
    let mut loss = Loss::default();
    let body = Ollama.write_request(to, neutral.to_string().as_bytes(), &mut loss).unwrap();
    (serde_json::from_slice(&body).unwrap(), loss)
}

fn write(neutral: &Value) -> (Value, Loss) {
    write_to(&CHAT, neutral)
}

fn lost(loss: &Loss, field: &str) -> Option<Change> {
    loss.fields().iter().find(|lost| lost.field == field).map(|lost| lost.change)
}

fn frame(line: &[u8]) -> Frame {
    let data = Bytes::copy_from_slice(line);
    Frame { raw: data.clone(), data, event: Bytes::new(), dispatches: true }
}

/// What a stream says that comes in these pieces, and how it ended.
fn heard(pieces: &[&[u8]]) -> (Vec<Item>, Fed) {
    let (mut decoder, mut items, mut held) = (Ollama.decoder(), Vec::new(), Vec::new());
    for piece in pieces {
        held.extend_from_slice(piece);
        while let Some(end) = held.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = held.drain(..=end).collect();
            let fed = take(&mut *decoder, &line, &mut items);
            if fed != Fed::Open {
                return (items, fed);
            }
        }
    }
    (items, Fed::Open)
}

fn take(decoder: &mut dyn Decode, line: &[u8], items: &mut Vec<Item>) -> Fed {
    decoder.take(&frame(line.trim_ascii()), items)
}
