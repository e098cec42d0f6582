//! Thoughts of other dialects on their way through a caller of this one.
//!
//! What binds an upstream's thoughts to it (a signature of Gemini's, an encrypted item of the Responses API) must come back
//! with the next turn. Clients of this dialect give one opaque place back untouched: `redacted_thinking.data`. There it
//! stands as JSON behind [`MARK`], as elements of the neutral `messages[].thoughts`; what belongs to a call is
//! `{"origin":"gemini","type":"call","call_id":…,"signature":…}`. A body for Anthropic itself goes without it: see `own`.

use std::collections::BTreeMap;

use crate::dialects::neutral::Thought;
use crate::dialects::Dialect;
use crate::json::{validate, Kind, Limits, Value, Writer};

/// What the data of hoosh's own begins with.
pub(super) const MARK: &str = "hoosh.thoughts.";
/// Bytes kept of one answer. Those beyond are not told: no caller could send so much back.
const MOST: usize = 4 << 20;

/// Thoughts that wait for their place in an answer.
#[derive(Debug, Default)]
pub(super) struct Wrapping {
    /// Objects with commas between them.
    entries: String,
    /// Bytes taken so far.
    taken: usize,
}

impl Wrapping {
    /// Adds a thought; `call_id` is that of the call that it belongs to.
    pub fn add(&mut self, origin: Dialect, thought: &Thought, call_id: &str) {
        let entry = entry(origin, thought, call_id);
        self.taken = self.taken.saturating_add(entry.len());
        if self.taken > MOST {
            return;
        }
        if !self.entries.is_empty() {
            self.entries.push(',');
        }
        self.entries.push_str(&entry);
    }

    /// The data of a block with all that waits.
    pub fn take(&mut self) -> Option<String> {
        let entries = std::mem::take(&mut self.entries);
        (!entries.is_empty()).then(|| format!("{MARK}[{entries}]"))
    }
}

fn entry(origin: Dialect, thought: &Thought, call_id: &str) -> String {
    let (kind, member) = match thought {
        Thought::Signature(_) => ("signature", "signature"),
        Thought::Redacted(_) => ("redacted", "data"),
        Thought::OfText(_) => ("text", "signature"),
        Thought::OfCall(..) => ("call", "signature"),
        Thought::Item(_) => ("item", "item"),
    };
    let mut out = Writer::with_capacity(64 + thought.text().len());
    out.open_object().text_member("origin", origin.as_str()).text_member("type", kind);
    if let Thought::OfCall(..) = thought {
        out.text_member("call_id", call_id);
    }
    out.key(member);
    match thought {
        Thought::Item(json) => out.raw(json.as_bytes()),
        other => out.string(other.text()),
    };
    out.close_object();
    String::from_utf8(out.into_bytes()).unwrap_or_default()
}

/// Whether a `redacted_thinking` is hoosh's own.
pub(super) fn is_own(block: Value<'_>) -> bool {
    block.get("data").and_then(Value::as_str).is_some_and(|data| data.starts_with(MARK))
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
    /// Takes the data of a block; `false` if it is not hoosh's own.
    pub fn take(&mut self, data: &str) -> bool {
        let Some(json) = data.strip_prefix(MARK) else { return false };
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
