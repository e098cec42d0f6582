//! What this dialect is held to.

mod answers;
mod complaints;
mod earlier;
mod properties;
mod replay;
mod requests;
mod streams;
mod written;

use bytes::Bytes;
use serde_json::Value as Json;

use super::OpenAiResponses;
use crate::dialects::neutral::{CallKind, Endpoint, Item};
use crate::dialects::{Answer, Ask, Fed, Loss, Protocol, Reply, To};
use crate::error::Failure;
use crate::ledger::{Usage, UsageSource};
use crate::sse::{Framer, Limits};

/// To an upstream, whole.
const TO: To<'static> = To { endpoint: Endpoint::Chat, model: "gpt-5.6", stream: false, cap: None, version: "" };

fn json(bytes: &[u8]) -> Json {
    serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes)))
}

fn read(body: &Json) -> (Json, Loss) {
    let mut loss = Loss::default();
    let neutral = OpenAiResponses.read_request(&Ask::default(), body.to_string().as_bytes(), &mut loss);
    (json(&neutral.unwrap()), loss)
}

/// The neutral messages of an input.
fn messages(input: Json) -> Json {
    read(&serde_json::json!({"model": "m", "input": input})).0["messages"].take()
}

/// Why it is refused, by all upstreams or by those of other dialects.
fn refusal(body: &Json) -> Failure {
    let mut loss = Loss::default();
    match OpenAiResponses.read_request(&Ask::default(), body.to_string().as_bytes(), &mut loss) {
        Ok(_) => *loss.take_bar().expect("it is not refused"),
        Err(failure) => failure,
    }
}

fn write(neutral: &Json) -> (Json, Loss) {
    let mut loss = Loss::default();
    let body = OpenAiResponses.write_request(&TO, neutral.to_string().as_bytes(), &mut loss).unwrap();
    (json(&body), loss)
}

/// What is reported, as `dropped seed`.
fn lost(loss: &Loss) -> Vec<String> {
    loss.fields().iter().map(|lost| format!("{} {}", lost.change.as_str(), lost.field)).collect()
}

fn whole(body: &Json) -> (Answer, Vec<Item>) {
    let mut items = Vec::new();
    let answer = OpenAiResponses.read_answer(Endpoint::Chat, body.to_string().as_bytes(), &mut items);
    (answer, items)
}

/// Decodes a stream that comes in two pieces.
fn decode_at(stream: &[u8], split: usize) -> (Fed, Vec<Item>) {
    let (mut framer, mut decoder) = (Framer::new(Limits::default()), OpenAiResponses.decoder());
    let mut items = Vec::new();
    for piece in [&stream[..split], &stream[split..]] {
        framer.push(Bytes::copy_from_slice(piece));
        while let Some(frame) = framer.next_frame().unwrap() {
            match decoder.take(&frame, &mut items) {
                Fed::Open => {}
                end => return (end, items),
            }
        }
    }
    assert!(!decoder.finish(&mut items), "every answer ends with an event");
    (Fed::Open, items)
}

fn decode(stream: &[u8]) -> (Fed, Vec<Item>) {
    decode_at(stream, 0)
}

/// A stream of events, each named after its type.
fn stream_of(events: &[Json]) -> Vec<u8> {
    let one = |event: &Json| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default());
    events.iter().map(one).collect::<String>().into_bytes()
}

fn reply() -> Reply {
    Reply { id: "r1".into(), created: 1_700_000_000, model: "claude".into(), ..Reply::default() }
}

const USAGE: Usage = Usage {
    input_tokens: 20,
    output_tokens: 9,
    cached_tokens: 4,
    source: UsageSource::Reported,
    cache_written_tokens: 0,
    cache_written_long_tokens: 0,
};

/// The events of a stream that says `items`.
fn encode(items: &[Item]) -> Vec<u8> {
    let mut encoder = OpenAiResponses.encoder(reply());
    let mut out = Vec::new();
    items.iter().for_each(|item| encoder.item(item, &mut out));
    encoder.end(&USAGE, &mut out);
    out
}

/// The data of each event, and that it is named after its type.
fn events(stream: &[u8]) -> Vec<Json> {
    let mut framer = Framer::new(Limits::default());
    framer.push(Bytes::copy_from_slice(stream));
    let mut events = Vec::new();
    while let Some(frame) = framer.next_frame().unwrap() {
        let event = json(&frame.data);
        assert_eq!(event["type"].as_str().unwrap().as_bytes(), &frame.event[..]);
        assert_eq!(event["sequence_number"], events.len());
        events.push(event);
    }
    events
}

fn text(text: &str) -> Item {
    Item::Text { choice: 0, text: text.into(), logprobs: Vec::new() }
}

fn thinks(text: &str) -> Item {
    Item::Reasoning { choice: 0, text: text.into() }
}

fn calls(index: u32, id: &str, name: &str, arguments: &str) -> Item {
    Item::ToolCall {
        choice: 0,
        index,
        id: Some(id.into()),
        name: Some(name.into()),
        arguments: arguments.into(),
        kind: CallKind::Function,
    }
}

fn more(index: u32, arguments: &str) -> Item {
    Item::ToolCall { choice: 0, index, id: None, name: None, arguments: arguments.into(), kind: CallKind::Function }
}

/// A call of a custom tool, or more of it.
fn custom(index: u32, called: Option<(&str, &str)>, input: &str) -> Item {
    let (id, name) = called.map(|(id, name)| (id.to_owned(), name.to_owned())).unzip();
    Item::ToolCall { choice: 0, index, id, name, arguments: input.into(), kind: CallKind::Custom }
}

fn finish(reason: &str) -> Item {
    Item::Finish { choice: 0, reason: reason.into() }
}

/// Items with pieces joined that belong together, calls in their order, and usage last.
fn joined(items: &[Item]) -> Vec<Item> {
    let mut out: Vec<Item> = Vec::new();
    for item in items {
        let call = |known: &Item| matches!((known, item), (Item::ToolCall { index: a, .. }, Item::ToolCall { index: b, .. }) if a == b);
        let at = out.iter().position(call);
        match (at.map_or(out.last_mut(), |_| None), item) {
            (Some(Item::Text { text, logprobs, .. }), Item::Text { text: more, logprobs: others, .. }) => {
                text.push_str(more);
                logprobs.extend(others.clone());
            }
            (Some(Item::Reasoning { text, .. }), Item::Reasoning { text: more, .. })
            | (Some(Item::Refusal { text, .. }), Item::Refusal { text: more, .. }) => text.push_str(more),
            _ => match (at.and_then(|at| out.get_mut(at)), item) {
                (Some(Item::ToolCall { arguments, .. }), Item::ToolCall { arguments: more, .. }) => {
                    arguments.push_str(more);
                }
                _ => out.push(item.clone()),
            },
        }
    }
    out
}
