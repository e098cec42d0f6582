//! An upstream's stream as items.
//!
//! ```text
//! message_start (content_block_start content_block_delta* content_block_stop)* message_delta message_stop
//! ```
//!
//! with `ping` and events that nobody knows anywhere between, and `error` in place of the rest.

use super::blocks::{annotation, read_block, refusal, thought, Block};
use super::errors::words_of;
use super::finish::reason_of;
use super::usage::Counts;
use crate::dialects::neutral::{CallKind, Item, Thought};
use crate::dialects::{Decode, Fed};
use crate::json::{Index, Kind, Limits, Value};
use crate::sse::Frame;

/// The reader of one stream.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    started: bool,
    /// The block that is open.
    block: Option<Block>,
    /// Calls of the caller's tools, so far; and whether the last one has said something of its input.
    calls: u32,
    said_input: bool,
    counts: Counts,
    finished: bool,
}

impl Decode for Decoder {
    fn take(&mut self, frame: &Frame, items: &mut Vec<Item>) -> Fed {
        let Ok(index) = Index::scan(&frame.data, Limits::default()) else { return Fed::Malformed };
        let field = |name: &str| index.get(&frame.data, name).filter(|value| !value.is_null());
        // The name stands in the data too; some proxies lose the event's own line.
        let Some(kind) = field("type").and_then(Value::as_str) else { return Fed::Malformed };
        match &*kind {
            "message_start" => {
                self.started = true;
                if let Some(usage) =
                    field("message").filter(|it| it.kind() == Kind::Object).and_then(|it| it.get("usage"))
                {
                    self.counts.take(usage);
                }
            }
            "content_block_start" => {
                let Some(block) = field("content_block").filter(|block| block.kind() == Kind::Object) else {
                    return Fed::Malformed;
                };
                self.said_input = block.get("input").is_some_and(|input| input.fields().next().is_some());
                self.block = Some(read_block(block, &mut self.calls, items));
            }
            "content_block_delta" => match field("delta").filter(|delta| delta.kind() == Kind::Object) {
                Some(delta) => self.delta(delta, items),
                None => return Fed::Malformed,
            },
            "content_block_stop" => self.close(items),
            "message_delta" => {
                if let Some(usage) = field("usage") {
                    self.counts.take(usage);
                }
                if let Some(delta) = field("delta").filter(|delta| delta.kind() == Kind::Object) {
                    self.finish_with(delta, items);
                }
            }
            "message_stop" => {
                if !self.started || !self.finished {
                    return Fed::Malformed;
                }
                self.counts.tell(items);
                return Fed::Done;
            }
            "error" => {
                let words = field("error").filter(|error| error.kind() == Kind::Object).and_then(words_of);
                return Fed::Error(words.unwrap_or_default());
            }
            _ => {}
        }
        Fed::Open
    }

    fn finish(&mut self, items: &mut Vec<Item>) -> bool {
        if self.finished {
            self.counts.tell(items);
        }
        self.finished
    }
}

impl Decoder {
    fn delta(&mut self, delta: Value<'_>, items: &mut Vec<Item>) {
        let text = |name: &str| delta.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let kind = delta.get("type").and_then(Value::as_str).unwrap_or_default();
        match (&*kind, self.block) {
            ("text_delta", _) => items.extend(text("text").map(|text| Item::Text {
                choice: 0,
                text: text.into_owned(),
                logprobs: Vec::new(),
            })),
            ("thinking_delta", _) => {
                items.extend(text("thinking").map(|text| Item::Reasoning { choice: 0, text: text.into_owned() }));
            }
            ("signature_delta", _) => {
                items.extend(text("signature").map(|signed| thought(Thought::Signature(signed.into_owned()))));
            }
            ("input_json_delta", Some(Block::Call(index))) => {
                let Some(arguments) = text("partial_json").map(String::from) else { return };
                self.said_input = true;
                items.push(Item::ToolCall {
                    choice: 0,
                    index,
                    id: None,
                    name: None,
                    arguments,
                    kind: CallKind::Function,
                });
            }
            ("citations_delta", _) => items.extend(delta.get("citation").and_then(annotation)),
            _ => {}
        }
    }

    /// A call without any input has an empty one: whoever reads arguments wants an object.
    fn close(&mut self, items: &mut Vec<Item>) {
        if let Some(Block::Call(index)) = self.block.take() {
            if !self.said_input {
                items.push(Item::ToolCall {
                    choice: 0,
                    index,
                    id: None,
                    name: None,
                    arguments: "{}".to_owned(),
                    kind: CallKind::Function,
                });
            }
        }
    }

    fn finish_with(&mut self, delta: Value<'_>, items: &mut Vec<Item>) {
        let text = |name: &str| delta.get(name).and_then(Value::as_str);
        items.extend(delta.get("stop_details").and_then(refusal));
        if let Some(stop) = text("stop_sequence") {
            items.push(Item::StopSequence { choice: 0, text: stop.into_owned() });
        }
        if let Some(reason) = text("stop_reason").filter(|_| !self.finished) {
            self.finished = true;
            items.push(Item::Finish { choice: 0, reason: reason_of(&reason).to_owned() });
        }
    }
}
