//! Requests that ask nothing: Ollama loads the model, or unloads it with `"keep_alive":0`, and says so.
//!
//! They have no neutral form: [`super::Ollama`]'s `read_request` refuses them. Whoever serves callers asks [`asked`] first.

use super::dates::date;
use crate::dialects::neutral::Endpoint;
pub use crate::dialects::questions::Load;
use crate::dialects::{Ask, Form, Reply};
use crate::json::{Index, Kind, Limits, Value, Writer};

/// Whether a body asks nothing: chat without messages, or generate without a prompt.
pub fn asked(ask: &Ask, body: &[u8]) -> Option<Load> {
    if ask.endpoint == Some(Endpoint::Embeddings) {
        return None;
    }
    let index = Index::scan(body, Limits::default()).ok()?;
    let field = |name: &str| index.get(body, name).filter(|value| !value.is_null());
    let is_empty = match ask.form {
        Form::Prompt => field("prompt").is_none_or(|prompt| prompt.str_eq("")),
        _ => field("messages").is_none_or(|all| all.kind() == Kind::Array && all.elements().next().is_none()),
    };
    is_empty.then(|| if field("keep_alive").is_some_and(is_zero) { Load::Unload } else { Load::Load })
}

/// `0`, or as a duration: `"0"`, `"0s"`, `"0m0s"`.
fn is_zero(keep_alive: Value<'_>) -> bool {
    let none = |text: &str| text.starts_with('0') && text.chars().all(|c| matches!(c, '0' | '.' | 'h' | 'm' | 's'));
    keep_alive.as_f64() == Some(0.0) || keep_alive.as_str().is_some_and(|text| none(&text))
}

/// The answer to [`Load::Load`]: one object, whether or not a stream was asked for.
pub fn answer(reply: &Reply) -> Vec<u8> {
    let mut out = Writer::with_capacity(160);
    out.open_object().text_member("model", &reply.model).text_member("created_at", &date(reply.created));
    match reply.form {
        Form::Prompt => out.text_member("response", ""),
        _ => {
            out.key("message").open_object().text_member("role", "assistant").text_member("content", "");
            out.close_object()
        }
    };
    out.key("done").boolean(true).text_member("done_reason", "load").close_object();
    out.into_bytes()
}
