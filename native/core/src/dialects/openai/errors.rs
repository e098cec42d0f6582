//! The words of an error body, in the shapes of those who speak this dialect.

use super::answer::error_message;
use crate::json::{Index, Limits};

/// Words of `{"error":{"message":…}}`, `{"error":"…"}`, `{"object":"error","message":…}` (vLLM, Mistral),
/// `{"detail":…}` (FastAPI), of an object or of an array that holds one (Google). `None` if it is none of these.
pub fn error_words(body: &[u8]) -> Option<String> {
    let body = body.trim_ascii();
    let body = match body {
        [b'[', inside @ .., b']'] => inside,
        whole => whole,
    };
    let index = Index::scan(body, Limits::default()).ok()?;
    let field = |name| index.get(body, name).filter(|value| !value.is_null());
    if let Some(error) = field("error") {
        return Some(error_message(error)).filter(|words| !words.is_empty());
    }
    let is_error = field("object").or(field("type")).is_some_and(|kind| kind.str_eq("error"));
    let words = field("message").filter(|_| is_error).or(field("detail"))?;
    Some(error_message(words)).filter(|words| !words.is_empty())
}
