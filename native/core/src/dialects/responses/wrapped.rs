//! Thoughts of other dialects on their way through a caller of this one.
//!
//! A reasoning item has but one opaque place, `encrypted_content`, and its clients give it back untouched. What binds an
//! upstream's thoughts to it (a signature of Anthropic's, one of Gemini's) is put there as JSON behind [`MARK`], as
//! elements of the neutral `messages[].thoughts`, and comes out again when the caller sends its next turn. Two differences:
//! a `signature` has no `thinking`, which is the item's summary, and what belongs to a call is
//! `{"origin":"gemini","type":"call","call_id":…,"signature":…}`.
//!
//! A reasoning item that hoosh wrote has such content even where it wraps nothing: so it is known that no OpenAI knows it.
//! An item of this dialect is wrapped too where it comes after its text has been streamed under another id: OpenAI refuses
//! encrypted content whose item has another id than that which it was made for.

use crate::dialects::neutral::Thought;
use crate::dialects::Dialect;
use crate::json::{write_string, Value};

/// What encrypted content of hoosh's own begins with.
pub(super) const MARK: &str = "hoosh.thoughts.";

/// Whether `body` may hold wrapped thoughts.
pub(super) fn may_hold(body: &[u8]) -> bool {
    memchr::memmem::find(body, MARK.as_bytes()).is_some()
}

/// The wrapped thoughts of a reasoning item, as the JSON of an array.
pub(super) fn of_item(item: Value<'_>) -> Option<String> {
    let content = item.get("encrypted_content")?.as_str()?;
    content.strip_prefix(MARK).map(str::to_owned)
}

/// Writes one thought for wrapping; `call_id` is that of the call that it belongs to.
pub(super) fn write_entry(out: &mut Vec<u8>, origin: Dialect, thought: &Thought, call_id: &str) {
    let (kind, member) = match thought {
        Thought::Signature(_) => ("signature", "signature"),
        Thought::Redacted(_) => ("redacted", "data"),
        Thought::OfText(_) => ("text", "signature"),
        Thought::OfCall(..) => ("call", "signature"),
        Thought::Item(_) => ("item", "item"),
    };
    for piece in ["{\"origin\":\"", origin.as_str(), "\",\"type\":\"", kind, "\""] {
        out.extend_from_slice(piece.as_bytes());
    }
    if let Thought::OfCall(..) = thought {
        out.extend_from_slice(b",\"call_id\":");
        write_string(out, call_id);
    }
    for piece in [",\"", member, "\":"] {
        out.extend_from_slice(piece.as_bytes());
    }
    match thought {
        Thought::Item(json) => out.extend_from_slice(json.as_bytes()),
        other => write_string(out, other.text()),
    }
    out.push(b'}');
}

/// A wrapped thought, if it is one: whose, and what. `call` finds a call by its id.
pub(super) fn read_entry(entry: Value<'_>, call: impl Fn(&str) -> Option<u32>) -> Option<(Dialect, Thought)> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    let origin = text("origin")?;
    let origin = Dialect::named(&origin)?;
    let thought = match &*text("type")? {
        "signature" => Thought::Signature(text("signature")?.into_owned()),
        "redacted" => Thought::Redacted(text("data")?.into_owned()),
        "text" => Thought::OfText(text("signature")?.into_owned()),
        "call" => Thought::OfCall(call(&text("call_id")?)?, text("signature")?.into_owned()),
        "item" => Thought::Item(one_line(entry.get("item")?)),
        _ => return None,
    };
    Some((origin, thought))
}

/// The JSON of a value without line ends, which no string of it holds as they are.
pub(super) fn one_line(value: Value<'_>) -> String {
    let text = String::from_utf8_lossy(value.raw());
    if text.contains(['\n', '\r']) {
        return text.replace(['\n', '\r'], " ");
    }
    text.into_owned()
}
