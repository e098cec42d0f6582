//! Signatures that are none: the words by which a caller says that a call was not signed.
//!
//! Google documents two of them for a conversation of another model (ai.google.dev, "Thought signatures", FAQ). They stand in a
//! field of bytes, so that clients send them as they are or in base64 of either alphabet: pydantic-ai 2.68 gives google-genai
//! `b'skip_thought_signature_validator'`, which writes `c2tpcF90…`.

use super::data::usual;
use crate::base64;

/// The one that the Gemini API and Vertex AI both take.
pub(super) const STAND_IN: &str = "skip_thought_signature_validator";
/// The same as Google's clients read bytes: Go's takes the usual alphabet alone.
pub(super) const STAND_IN_BASE64: &str = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=";
const WORDS: [&str; 2] = [STAND_IN, "context_engineering_is_the_way_to_go"];
/// Letters of the longest of them in base64. Signatures of models are longer by far.
const LONGEST: usize = 48;

/// Whether a signature is such a word.
pub(super) fn is_stand_in(signature: &str) -> bool {
    if signature.len() > LONGEST {
        return false;
    }
    let decoded = |text: &str| base64::read(&usual(text));
    let bytes = decoded(signature);
    let is = |word: &str| bytes.as_deref() == Some(word.as_bytes()) || bytes.is_some() && bytes == decoded(word);
    WORDS.into_iter().any(|word| signature == word || is(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_known_in_every_writing() {
        for word in WORDS {
            let mut usual = Vec::new();
            base64::write(&mut usual, word.bytes());
            let usual = String::from_utf8(usual).unwrap();
            assert_eq!(usual == STAND_IN_BASE64, word == STAND_IN);
            let unfilled = usual.trim_end_matches('=');
            for written in [word, &word.replace('_', "/"), &usual, unfilled, &usual.replace('+', "-").replace('/', "_")]
            {
                assert!(is_stand_in(written), "{written}");
            }
        }
        for real in [
            "",
            "CpcHAdHtim9+q4rstcbvQC0ic4x1/vqQlCJWgE+UZ6dTLYGHMMBkF/AxqL5UmP6SY46uYC8t4BTFiXG5zkw6EMJ=",
            "c2ln",
            "ü",
        ] {
            assert!(!is_stand_in(real), "{real}");
        }
    }
}
