//! Tests of the dialect as a whole: streams and answers in the shapes that providers send, requests as clients write them.

mod answers;
mod callers;
mod complaints;
mod properties;
mod quirks;
mod requests;
mod streams;
mod tools;
mod written;

use bytes::Bytes;

use super::{Decoder, OpenAiChat};
use crate::config::{catalogue, CapField};
use crate::dialects::neutral::{CallKind, Endpoint, Item, Thought};
use crate::dialects::{Answer, Ask, Change, Decode, Dialect, Fed, Loss, Protocol, Reply, To};
use crate::ledger::{Usage, UsageSource};
use crate::sse::{Framer, Limits};

const CHAT: To<'static> = To { endpoint: Endpoint::Chat, model: "m", stream: false, cap: None, version: "" };

fn dialect(type_name: &str) -> OpenAiChat {
    OpenAiChat { manners: catalogue::find(type_name).expect("a provider type").manners }
}

/// Reads a stream that comes in these parts: its items, and how it ended.
fn read_parts(parts: &[&[u8]]) -> (Vec<Item>, Fed) {
    let (mut framer, mut decoder, mut items) = (Framer::new(Limits::default()), Decoder::default(), Vec::new());
    for part in parts {
        framer.push(Bytes::copy_from_slice(part));
        while let Some(frame) = framer.next_frame().expect("within bounds") {
            match decoder.take(&frame, &mut items) {
                Fed::Open => {}
                end => return (items, end),
            }
        }
    }
    let end = if decoder.finish(&mut items) { Fed::Done } else { Fed::Open };
    (items, end)
}

/// Events, each with these data.
fn stream(events: &[&str]) -> String {
    events.iter().map(|data| format!("data: {data}\n\n")).collect()
}

fn read(events: &[&str]) -> (Vec<Item>, Fed) {
    read_parts(&[stream(events).as_bytes()])
}

/// The items of a stream that is complete.
fn items(events: &[&str]) -> Vec<Item> {
    let (items, end) = read(events);
    assert_eq!(end, Fed::Done, "{items:?}");
    items
}

fn whole(body: &str) -> Vec<Item> {
    let mut items = Vec::new();
    assert_eq!(OpenAiChat::USUAL.read_answer(Endpoint::Chat, body.as_bytes(), &mut items), Answer::Whole, "{body}");
    items
}

/// Items as a caller takes them: neighbouring pieces of one text or call joined.
fn joined(items: &[Item]) -> Vec<Item> {
    let mut out: Vec<Item> = Vec::new();
    for item in items {
        match (out.last_mut(), item) {
            (Some(Item::Text { choice, text, logprobs }), Item::Text { choice: of, text: more, logprobs: odds })
                if choice == of =>
            {
                text.push_str(more);
                logprobs.extend(odds.iter().cloned());
            }
            (Some(Item::Reasoning { choice, text }), Item::Reasoning { choice: of, text: more })
            | (Some(Item::Refusal { choice, text }), Item::Refusal { choice: of, text: more })
                if choice == of =>
            {
                text.push_str(more);
            }
            (
                Some(Item::ToolCall { choice, index, arguments, .. }),
                Item::ToolCall { choice: of, index: at, id: None, arguments: more, .. },
            ) if choice == of && index == at => arguments.push_str(more),
            _ => out.push(item.clone()),
        }
    }
    out
}

fn text(text: &str) -> Item {
    Item::Text { choice: 0, text: text.into(), logprobs: Vec::new() }
}

fn reasoning(text: &str) -> Item {
    Item::Reasoning { choice: 0, text: text.into() }
}

fn call(index: u32, id: &str, name: &str, arguments: &str) -> Item {
    Item::ToolCall {
        choice: 0,
        index,
        id: Some(id.into()),
        name: Some(name.into()),
        arguments: arguments.into(),
        kind: CallKind::Function,
    }
}

fn finish(reason: &str) -> Item {
    Item::Finish { choice: 0, reason: reason.into() }
}

fn usage(input: u64, output: u64, cached: u64) -> Usage {
    Usage {
        input_tokens: input,
        output_tokens: output,
        cached_tokens: cached,
        source: UsageSource::Reported,
        ..Usage::default()
    }
}

/// The same, of whose input so much went into the provider's cache.
fn with_written(usage: Usage, cache_written_tokens: u64) -> Usage {
    Usage { cache_written_tokens, ..usage }
}

/// A neutral request as `dialect` writes it, with what was lost: (field, change).
fn written(dialect: OpenAiChat, to: &To<'_>, neutral: &str) -> (serde_json::Value, Vec<(String, Change)>) {
    let mut loss = Loss::default();
    let body = dialect.write_request(to, neutral.as_bytes(), &mut loss).expect("an object");
    let lost = loss.fields().iter().map(|lost| (lost.field.to_string(), lost.change)).collect();
    (serde_json::from_slice(&body).expect("JSON"), lost)
}

/// A caller's request as the neutral one, with what was lost.
fn neutral(body: &str) -> (serde_json::Value, Vec<(String, Change)>) {
    let mut loss = Loss::default();
    let neutral = OpenAiChat::USUAL.read_request(&Ask::default(), body.as_bytes(), &mut loss).expect("a request");
    assert!(!neutral.contains(&b'\n'));
    let lost = loss.fields().iter().map(|lost| (lost.field.to_string(), lost.change)).collect();
    (serde_json::from_slice(&neutral).expect("JSON"), lost)
}

fn lost(field: &str, change: Change) -> (String, Change) {
    (field.to_owned(), change)
}
