//! Thoughts of other dialects in `thoughtSignature`, which Google's clients give back untouched: [`wrapped`], in base64,
//! because the field is one of bytes.
//!
//! [`wrapped`]: crate::dialects::wrapped

use super::data::usual;
use crate::base64;
use crate::dialects::neutral::Thought;
use crate::dialects::wrapped::Wrapping;
use crate::dialects::Dialect;

/// [`crate::dialects::wrapped::MARK`] in base64: its 15 bytes are 20 letters, the same in both alphabets.
const BEGIN: &str = "aG9vc2gudGhvdWdodHMu";
/// Bytes of thinking that a signature is told with.
const MOST: usize = 1 << 20;

/// The thoughts of one choice on their way to a caller.
#[derive(Debug, Default)]
pub(super) struct Carrying {
    wrapping: Wrapping,
    /// What was thought since the last signature: that is what it signs.
    thinking: String,
}

impl Carrying {
    /// More of what is thought.
    pub fn think(&mut self, text: &str) {
        if self.thinking.len() + text.len() <= MOST {
            self.thinking.push_str(text);
        }
    }

    /// The signature that carries a thought. One of a call of another dialect there is not.
    pub fn carry(&mut self, origin: Dialect, thought: &Thought) -> Option<String> {
        let thinking = match thought {
            Thought::OfCall(..) => return None,
            Thought::Signature(_) => Some(std::mem::take(&mut self.thinking)),
            _ => None,
        };
        self.wrapping.add(origin, thought, "", thinking.as_deref());
        let mut signature = Vec::new();
        base64::write(&mut signature, self.wrapping.take()?.into_bytes());
        String::from_utf8(signature).ok()
    }
}

/// What a signature carries, if it is hoosh's own.
pub(super) fn data_of(signature: &str) -> Option<String> {
    if !signature.starts_with(BEGIN) {
        return None;
    }
    // What a client broke off is of no use to anybody.
    Some(base64::read(&usual(signature)).and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default())
}

/// Whether a body may hold such a signature.
pub(super) fn may_hold(body: &[u8]) -> bool {
    memchr::memmem::find(body, BEGIN.as_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects::wrapped::MARK;

    #[test]
    fn what_is_carried_comes_back_in_both_alphabets() {
        let mut begin = Vec::new();
        base64::write(&mut begin, MARK.bytes());
        assert_eq!(begin, BEGIN.as_bytes());
        let mut carrying = Carrying::default();
        carrying.think("Hm ÿ?>~");
        let signature = carrying.carry(Dialect::Anthropic, &Thought::Signature("s".into())).unwrap();
        let data = data_of(&signature).unwrap();
        let carried = r#"[{"origin":"anthropic","type":"signature","thinking":"Hm ÿ?>~","signature":"s"}]"#;
        assert_eq!(data.strip_prefix(MARK), Some(carried));
        let other = signature.replace('+', "-").replace('/', "_");
        assert_eq!(data_of(other.trim_end_matches('=')), Some(data));
        assert_eq!((data_of("c2ln"), data_of(BEGIN).as_deref()), (None, Some(MARK)));
        assert_eq!(data_of("aG9vc2gudGhvdWdodHMu*").as_deref(), Some(""));
        assert_eq!(carrying.carry(Dialect::Gemini, &Thought::OfCall(0, "s".into())), None);
    }
}
