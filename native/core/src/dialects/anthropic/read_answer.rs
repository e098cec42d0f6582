//! A whole answer as items.

use super::blocks::{read_block, refusal};
use super::errors::words_of;
use super::finish::reason_of;
use super::usage::Counts;
use crate::dialects::neutral::Item;
use crate::dialects::Answer;
use crate::json::{Index, Kind, Limits, Value};

/// See [`crate::dialects::Protocol::read_answer`].
pub(super) fn read_answer(body: &[u8], items: &mut Vec<Item>) -> Answer {
    let Ok(index) = Index::scan(body, Limits::default()) else { return Answer::Malformed };
    let field = |name: &str| index.get(body, name).filter(|value| !value.is_null());
    if field("type").is_some_and(|kind| kind.str_eq("error")) {
        let words = field("error").filter(|error| error.kind() == Kind::Object).and_then(words_of);
        return Answer::Error(words.unwrap_or_default());
    }
    let Some(content) = field("content").filter(|content| content.kind() == Kind::Array) else {
        return Answer::Malformed;
    };
    let mut calls = 0;
    for block in content.elements().filter(|block| block.kind() == Kind::Object) {
        let tool = items.len();
        read_block(block, &mut calls, items);
        if let Some(Item::ToolCall { arguments, .. }) = items.get_mut(tool).filter(|_| calls > 0) {
            if arguments.is_empty() {
                arguments.push_str("{}");
            }
        }
    }
    items.extend(field("stop_details").and_then(refusal));
    if let Some(text) = field("stop_sequence").and_then(Value::as_str) {
        items.push(Item::StopSequence { choice: 0, text: text.into_owned() });
    }
    let reason = field("stop_reason").and_then(Value::as_str);
    let Some(reason) = reason else { return Answer::Malformed };
    items.push(Item::Finish { choice: 0, reason: reason_of(&reason).to_owned() });
    let mut counts = Counts::default();
    if let Some(usage) = field("usage") {
        counts.take(usage);
    }
    counts.tell(items);
    Answer::Whole
}
