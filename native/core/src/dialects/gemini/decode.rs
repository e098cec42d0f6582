//! An upstream's stream and whole answers, as items.

use bytes::Bytes;

use super::candidate::Reader;
use super::embed;
use crate::dialects::neutral::{Endpoint, Item};
use crate::dialects::{Answer, Decode, Fed};
use crate::json::{self, Kind, Value};
use crate::sse::Frame;

/// Of one stream with `alt=sse`.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    reader: Reader,
}

impl Decode for Decoder {
    fn take(&mut self, frame: &Frame, items: &mut Vec<Item>) -> Fed {
        if !frame.dispatches {
            return tail(&frame.raw);
        }
        match self.reader.take(&frame.data, items) {
            // Proxies that speak OpenAI's too end all streams alike.
            Fed::Malformed if frame.data.trim_ascii() == b"[DONE]" => match self.reader.finish(items) {
                true => Fed::Done,
                false => Fed::Malformed,
            },
            fed => fed,
        }
    }

    fn loose(&mut self, raw: &Bytes, _: &mut Vec<Item>) -> Fed {
        tail(raw)
    }

    fn finish(&mut self, items: &mut Vec<Item>) -> bool {
        self.reader.finish(items)
    }
}

/// A block without data: a comment, or Google's error that comes as bare JSON behind the events
/// (theopenco/llmgateway#3616).
fn tail(raw: &[u8]) -> Fed {
    let raw = raw.trim_ascii();
    if !matches!(raw.first(), Some(b'{' | b'[')) {
        return Fed::Open;
    }
    super::errors::words(raw).map_or(Fed::Malformed, Fed::Error)
}

/// Reads a whole answer. One that comes as an array is a stream without `alt=sse`.
pub(super) fn whole(endpoint: Endpoint, body: &[u8], items: &mut Vec<Item>) -> Answer {
    if let Some(words) = super::errors::words(body) {
        return Answer::Error(words);
    }
    if endpoint == Endpoint::Embeddings {
        let value = json::validate(body, json::Limits::default()).ok();
        let read = value.and_then(|value| embed::read_answer(value, items));
        return read.map_or(Answer::Malformed, |()| Answer::Whole);
    }
    let mut reader = Reader::default();
    let mut take = |event: &[u8]| match reader.take(event, items) {
        Fed::Open | Fed::Done => None,
        Fed::Error(words) => Some(Answer::Error(words)),
        Fed::Malformed => Some(Answer::Malformed),
    };
    let is_array = body.trim_ascii_start().first() == Some(&b'[');
    let value = if is_array { json::validate(body, json::Limits::default()).ok() } else { None };
    let failed = match value.filter(|value| value.kind() == Kind::Array) {
        Some(events) => events.elements().map(Value::raw).find_map(&mut take),
        None => take(body),
    };
    match failed {
        Some(answer) => answer,
        None if reader.finish(items) => Answer::Whole,
        None => Answer::Malformed,
    }
}
