//! `thread`: Anthropic holds what was said before under the id of its last answer, and a request says only what is new. The beta's types
//! are `anthropic` 2.14's, `types/beta/beta_message_thread_param.py`.

use memchr::memmem;

use super::read_request::THREAD_FIELD;
use crate::error::{Code, Failure};
use crate::json::{Index, Kind, Limits, Value};

/// The field that names the answer from which a thread goes on.
pub(super) const PREVIOUS_FIELD: &str = "thread.previous_message_id";
/// Letters of an id that are told again.
const TOLD: usize = 128;

/// Whether the answer to a request is kept by Anthropic, and the id from which the request goes on.
pub fn of(body: &[u8]) -> Option<Option<String>> {
    // Few requests have one. A name may be written with escapes, and is the same to Anthropic.
    if memmem::find(body, b"\"thread\"").is_none() && memmem::find(body, b"\\u").is_none() {
        return None;
    }
    let index = Index::scan(body, Limits::default()).ok()?;
    let thread = index.get(body, THREAD_FIELD).filter(|thread| thread.kind() == Kind::Object)?;
    Some(thread.get("previous_message_id").and_then(Value::as_str).map(|id| id.into_owned()))
}

/// No thread of the caller's goes on from there. By this Anthropic's SDK begins another with the whole conversation.
pub fn not_found(id: &str) -> Failure {
    let id: String = id.chars().filter(|c| !c.is_control()).take(TOLD).collect();
    let words = format!(
        "No thread was found for '{id}'. Send the whole conversation with 'thread': {{\"type\": \"create\"}} to begin another."
    );
    Failure::new(Code::UnknownPath, words).param(PREVIOUS_FIELD)
}
