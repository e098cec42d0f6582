//! Blocks of an answer as items: what a whole answer and a stream's `content_block_start` share.

use crate::dialects::neutral::{CallKind, Item, Thought};
use crate::dialects::Dialect;
use crate::json::{Kind, Value, Writer};

/// What the deltas of a block belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    Text,
    Thinking,
    /// A call of one of the caller's tools, and which.
    Call(u32),
    /// Of a tool that the provider runs: nobody but its origin knows what it is.
    Other,
}

/// Reads a block, whole or as it begins. `calls`: of the caller's tools, so far.
pub(super) fn read_block(block: Value<'_>, calls: &mut u32, items: &mut Vec<Item>) -> Block {
    let text = |name: &str| block.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let kind = block.get("type").and_then(Value::as_str).unwrap_or_default();
    match &*kind {
        "text" => {
            if let Some(text) = text("text") {
                items.push(Item::Text { choice: 0, text: text.into_owned(), logprobs: Vec::new() });
            }
            for citation in block.get("citations").into_iter().flat_map(Value::elements) {
                items.extend(annotation(citation));
            }
            Block::Text
        }
        "thinking" => {
            if let Some(text) = text("thinking") {
                items.push(Item::Reasoning { choice: 0, text: text.into_owned() });
            }
            if let Some(signature) = text("signature") {
                items.push(thought(Thought::Signature(signature.into_owned())));
            }
            Block::Thinking
        }
        "redacted_thinking" => {
            items.extend(text("data").map(|data| thought(Thought::Redacted(data.into_owned()))));
            Block::Other
        }
        "tool_use" => {
            let index = *calls;
            *calls += 1;
            let (id, name) = (text("id").map(String::from), text("name").map(String::from));
            // A stream begins a call with an empty input and tells it in pieces.
            let input = block.get("input").filter(|input| input.fields().next().is_some());
            let arguments = input.map_or_else(String::new, |input| String::from_utf8_lossy(input.raw()).into_owned());
            items.push(Item::ToolCall { choice: 0, index, id, name, arguments, kind: CallKind::Function });
            Block::Call(index)
        }
        _ => Block::Other,
    }
}

pub(super) fn thought(thought: Thought) -> Item {
    Item::Thought { choice: 0, origin: Dialect::Anthropic, thought }
}

/// The words with which a model declines, of `stop_details`.
pub(super) fn refusal(details: Value<'_>) -> Option<Item> {
    let words = details.get("explanation").filter(|_| details.kind() == Kind::Object)?.as_str()?;
    (!words.is_empty()).then(|| Item::Refusal { choice: 0, text: words.into_owned() })
}

/// Where something is from, as OpenAI has it: addresses alone, since it knows no others.
pub(super) fn annotation(citation: Value<'_>) -> Option<Item> {
    let url = citation.get("url").or(citation.get("source")).filter(|url| url.kind() == Kind::String)?;
    let mut out = Writer::default();
    out.open_object().text_member("type", "url_citation").key("url_citation").open_object();
    out.key("url").value(url).member("title", citation.get("title"));
    // Which characters are meant is not said: a block is cited whole.
    out.key("start_index").integer(0).key("end_index").integer(0);
    out.close_object().close_object();
    let json = String::from_utf8(out.into_bytes()).ok()?;
    Some(Item::Annotation { choice: 0, json })
}
