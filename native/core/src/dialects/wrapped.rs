//! Thoughts of one dialect on their way through a caller of another.
//!
//! What binds an upstream's thoughts to it (a signature of Anthropic's or Gemini's, an encrypted item of the Responses API) must
//! come back with the next turn. Each dialect has an opaque place that its clients give back untouched:
//! `redacted_thinking.data`, `encrypted_content` of a reasoning item, `thoughtSignature` (in base64). There it stands as JSON
//! behind [`MARK`], as elements of the neutral `messages[].thoughts`; what belongs to a call is
//! `{"origin":"gemini","type":"call","call_id":…,"signature":…}`, and a `signature` has its `thinking` only where the place
//! does not have it beside it. A body for the caller's own dialect goes without all of it.

use std::collections::BTreeMap;

use super::neutral::Thought;
use super::Dialect;
use crate::json::{validate, write_string, Kind, Limits, Value};

/// What such data begins with.
pub(super) const MARK: &str = "hoosh.thoughts.";
/// Bytes kept of one answer. Those beyond are not told: no caller could send so much back.
const MOST: usize = 4 << 20;

/// Thoughts that wait for their place in an answer.
#[derive(Debug, Default)]
pub(super) struct Wrapping {
    /// Objects with commas between them.
    entries: Vec<u8>,
    /// Bytes taken so far.
    taken: usize,
}

impl Wrapping {
    /// Adds a thought: `call_id` is that of the call that it belongs to, `thinking` what it signs.
    pub fn add(&mut self, origin: Dialect, thought: &Thought, call_id: &str, thinking: Option<&str>) {
        let before = self.entries.len();
        if before > 0 {
            self.entries.push(b',');
        }
        write_entry(&mut self.entries, origin, thought, call_id, thinking);
        self.taken = self.taken.saturating_add(self.entries.len() - before);
        if self.taken > MOST {
            self.entries.truncate(before);
        }
    }

    /// The data with all that waits.
    pub fn take(&mut self) -> Option<String> {
        let entries = String::from_utf8(std::mem::take(&mut self.entries)).unwrap_or_default();
        (!entries.is_empty()).then(|| format!("{MARK}[{entries}]"))
    }
}

/// Writes one thought.
pub(super) fn write_entry(
    out: &mut Vec<u8>,
    origin: Dialect,
    thought: &Thought,
    call_id: &str,
    thinking: Option<&str>,
) {
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
    match (thought, thinking) {
        (Thought::OfCall(..), _) => {
            out.extend_from_slice(b",\"call_id\":");
            write_string(out, call_id);
        }
        (Thought::Signature(_), Some(thinking)) => {
            out.extend_from_slice(b",\"thinking\":");
            write_string(out, thinking);
        }
        _ => {}
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

/// The JSON of an array, of data that is hoosh's own.
pub(super) fn of_data(data: &str) -> Option<&str> {
    data.strip_prefix(MARK)
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

/// What came back in an assistant's turn.
#[derive(Debug, Default)]
pub(super) struct Unwrapped {
    /// Elements of the neutral `thoughts`.
    pub thoughts: Vec<Vec<u8>>,
    /// Gemini's signatures of calls, by the call's id.
    calls: BTreeMap<String, String>,
}

impl Unwrapped {
    /// Takes data; `false` if it is not hoosh's own.
    pub fn take(&mut self, data: &str) -> bool {
        let Some(json) = of_data(data) else { return false };
        let Ok(entries) = validate(json.as_bytes(), Limits::default()) else { return true };
        for entry in entries.elements().filter(|entry| entry.kind() == Kind::Object) {
            let text = |name: &str| entry.get(name).and_then(Value::as_str);
            match (text("type").as_deref(), text("call_id"), text("signature")) {
                (Some("call"), Some(id), Some(signature)) => {
                    self.calls.insert(id.into_owned(), signature.into_owned());
                }
                (Some("call"), ..) => {}
                _ => self.thoughts.push(entry.raw().to_vec()),
            }
        }
        true
    }

    /// The signature of a call.
    pub fn of_call(&self, id: &str) -> Option<&str> {
        self.calls.get(id).map(String::as_str)
    }
}
