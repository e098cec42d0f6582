//! Reads one event of a chat or completions stream.

use super::answer::{error_message, read_usage};
use super::choices::Choices;
use super::words::BETWEEN;
use crate::json::{Index, Kind, Limits, Outline, Value};
use crate::ledger::Usage;

/// What one event of a stream is.
#[derive(Debug, PartialEq)]
pub enum Event {
    /// An ordinary chunk.
    Chunk(Chunk),
    /// The upstream's own error event, with its words where it has any.
    Error(String),
    /// Not JSON, or not a chunk.
    Malformed,
}

/// The facts of a chunk. Spans are byte offsets in the event's data.
#[derive(Debug, Default, PartialEq)]
pub struct Chunk {
    /// Has text, a tool call, a refusal, reasoning: whatever a caller would act on.
    pub content: bool,
    /// `choices` is empty.
    pub no_choices: bool,
    /// Tokens used, if the chunk says.
    pub usage: Option<Usage>,
    /// Where a non-null `usage` value lies.
    pub has_usage: bool,
    /// Where the value of `id` lies, quotes included. An empty one is none: Azure opens its streams so.
    pub id: Option<(usize, usize)>,
}

/// Reads `data` of one event into `index`. `text` receives the answer's words, for counting where usage is never reported;
/// `choices` learn how far they are.
pub fn read(data: &[u8], index: &mut Index, text: &mut Vec<u8>, choices: &mut Choices) -> Event {
    let mut outline = Outline::default();
    if outline.scan(index, data, Limits::default()).is_err() {
        return Event::Malformed;
    }
    read_fields(&|name| outline.get(index, data, name), data, text, choices)
}

fn read_fields<'a>(
    field: &dyn Fn(&str) -> Option<Value<'a>>,
    data: &[u8],
    text: &mut Vec<u8>,
    seen: &mut Choices,
) -> Event {
    if let Some(error) = field("error").filter(|error| !error.is_null()) {
        return Event::Error(error_message(error));
    }
    let mut chunk = Chunk::default();
    if let Some(usage) = field("usage").filter(|usage| !usage.is_null()) {
        chunk.has_usage = true;
        chunk.usage = read_usage(usage);
    }
    let Some(choices) = field("choices") else {
        // vLLM's error event has no `error` member: {"object":"error","message":…}.
        return match field("object") {
            Some(object) if object.str_eq("error") => {
                Event::Error(field("message").and_then(|m| m.as_str()).unwrap_or_default().into_owned())
            }
            _ => Event::Malformed,
        };
    };
    if choices.kind() != Kind::Array {
        return Event::Malformed;
    }
    chunk.no_choices = true;
    for choice in choices.elements() {
        chunk.no_choices = false;
        if choice.kind() != Kind::Object {
            return Event::Malformed;
        }
        chunk.content |= read_choice(choice, text, seen);
    }
    chunk.id = field("id").filter(|id| id.kind() == Kind::String && id.raw() != b"\"\"").map(|id| {
        let span = id.span_in(data);
        (span.start, span.end)
    });
    Event::Chunk(chunk)
}

/// Whether a choice says anything.
fn read_choice(choice: Value<'_>, text: &mut Vec<u8>, seen: &mut Choices) -> bool {
    let (mut content, mut index, mut reason) = (false, 0, None);
    let before = text.len();
    for (key, value) in choice.fields() {
        if key.str_eq("index") {
            index = value.as_u64().unwrap_or_default();
        } else if key.str_eq("delta") {
            content |= read_delta(value, text);
        } else if key.str_eq("text") {
            content |= value.append_str(text) > 0;
        } else if key.str_eq("finish_reason") && value.kind() == Kind::String {
            reason = Some(value);
        }
    }
    if seen.turns_to(index) && before > 0 && text.len() > before {
        text.insert(before, BETWEEN);
    }
    seen.add(index, reason);
    content
}

/// Whether a delta, or a whole message, says anything. A role, or an empty or null member, does not.
pub(super) fn read_delta(delta: Value<'_>, text: &mut Vec<u8>) -> bool {
    if delta.kind() != Kind::Object {
        return false;
    }
    let mut content = false;
    for (key, value) in delta.fields() {
        if key.str_eq("role") {
            continue;
        }
        content |= match value.kind() {
            Kind::Null => false,
            Kind::String => value.append_str(text) > 0,
            Kind::Array => {
                let any = value.elements().next().is_some();
                if any {
                    // Tool calls: names and arguments are output too. Their JSON is an upper estimate of their tokens.
                    text.extend_from_slice(value.raw());
                }
                any
            }
            Kind::Object => {
                // The older `function_call`, and whatever else a provider says so.
                text.extend_from_slice(value.raw());
                true
            }
            _ => true,
        };
    }
    content
}
