//! Thoughts as a caller of this dialect gets them, and gives them back: the members `thoughts` and `extra_content` of
//! `docs/dialects.md`.

use super::encode::write_number;
use crate::dialects::neutral::{Item, Thought};
use crate::dialects::Dialect;
use crate::json::write_string;

/// Text kept for a signature in a stream. What is longer is not told, and its signature not either: alone it is refused.
const MOST: usize = 4 << 20;

/// Writes a thought as an element of `thoughts`; `thinking` is the text that a signature signs. `false` where it has its
/// place elsewhere: a call's signature is beside the call.
pub(super) fn write_thought(out: &mut Vec<u8>, origin: Dialect, thought: &Thought, thinking: &str) -> bool {
    let (kind, member): (_, &[u8]) = match thought {
        Thought::Signature(_) => ("signature", b"\",\"signature\":"),
        Thought::Redacted(_) => ("redacted", b"\",\"data\":"),
        Thought::OfText(_) => ("text", b"\",\"signature\":"),
        Thought::Item(_) => ("item", b"\",\"item\":"),
        Thought::OfCall(..) => return false,
    };
    out.extend_from_slice(b"{\"origin\":\"");
    out.extend_from_slice(origin.as_str().as_bytes());
    if let Thought::Signature(_) = thought {
        out.extend_from_slice(b"\",\"thinking\":");
        write_string(out, thinking);
        out.extend_from_slice(b",\"type\":\"");
    } else {
        out.extend_from_slice(b"\",\"type\":\"");
    }
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(member);
    match thought {
        Thought::Item(json) => out.extend_from_slice(json.as_bytes()),
        other => write_string(out, other.text()),
    }
    out.push(b'}');
    true
}

/// `"extra_content":{…}` of a call, as Google's own OpenAI interface has it.
pub(super) fn write_call_signature(out: &mut Vec<u8>, signature: &str) {
    out.extend_from_slice(b"\"extra_content\":{\"google\":{\"thought_signature\":");
    write_string(out, signature);
    out.extend_from_slice(b"}}");
}

/// A delta with what signs a call, without its braces; `None` for any other thought.
pub(super) fn call_delta(origin: Dialect, thought: &Thought) -> Option<Vec<u8>> {
    let Thought::OfCall(index, signature) = thought else { return None };
    if origin != Dialect::Gemini {
        return None;
    }
    let mut out = Vec::with_capacity(128 + signature.len());
    out.extend_from_slice(b"\"tool_calls\":[{\"index\":");
    write_number(&mut out, u64::from(*index));
    // SDKs want a function in each piece.
    out.extend_from_slice(b",\"function\":{\"arguments\":\"\"},");
    write_call_signature(&mut out, signature);
    out.extend_from_slice(b"}]");
    Some(out)
}

/// The reasoning of a stream's choices that no signature has signed yet.
#[derive(Debug, Default)]
pub(super) struct Unsigned {
    /// By choice.
    texts: Vec<(u32, String)>,
    held: usize,
    beyond: bool,
}

impl Unsigned {
    /// Keeps reasoning.
    pub fn keep(&mut self, item: &Item) {
        let Item::Reasoning { choice, text } = item else { return };
        if self.beyond || self.held + text.len() > MOST {
            *self = Unsigned { beyond: true, ..Unsigned::default() };
            return;
        }
        self.held += text.len();
        match self.texts.iter_mut().find(|(of, _)| of == choice) {
            Some((_, kept)) => kept.push_str(text),
            None => self.texts.push((*choice, text.clone())),
        }
    }

    /// Takes what a signature of `choice` signs; `None` if it was too much to keep.
    pub fn take(&mut self, choice: u32) -> Option<String> {
        if self.beyond {
            return None;
        }
        let kept = self.texts.iter_mut().find(|(of, _)| *of == choice).map(|(_, kept)| std::mem::take(kept));
        let kept = kept.unwrap_or_default();
        self.held = self.held.saturating_sub(kept.len());
        Some(kept)
    }
}
