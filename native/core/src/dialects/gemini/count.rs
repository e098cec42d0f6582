//! `countTokens`: its request as the neutral one, and its answer.

use super::names::{camel, object};
use super::read_request::{generate, read};
use crate::dialects::openai::request::json_failure;
use crate::dialects::{Ask, Loss};
use crate::error::Failure;
use crate::json::{Index, Limits, Writer};

/// Reads either form: `contents` alone, or a whole `generateContentRequest`.
///
/// # Errors
/// As of a request for an answer.
pub fn read_request(ask: &Ask, body: &[u8], loss: &mut Loss) -> Result<Vec<u8>, Failure> {
    let index = Index::scan(body, Limits::default()).map_err(|error| json_failure(&error))?;
    let inner = index.iter(body).find(|(key, value)| camel(key) == "generateContentRequest" && !value.is_null());
    match inner {
        None => read(&Ask { endpoint: None, ..ask.clone() }, body, loss),
        Some((_, inner)) => {
            let members = object(inner, "generateContentRequest")?.fields();
            let named = members.filter_map(|(key, value)| match key.as_str()? {
                std::borrow::Cow::Borrowed(name) => Some((std::borrow::Cow::Borrowed(name.as_bytes()), value)),
                std::borrow::Cow::Owned(name) => Some((std::borrow::Cow::Owned(name.into_bytes()), value)),
            });
            generate(ask, named, loss)
        }
    }
}

/// The answer.
pub fn answer(tokens: u64) -> Vec<u8> {
    let mut out = Writer::with_capacity(32);
    out.open_object().key("totalTokens").integer(tokens).close_object();
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_form_is_read() {
        let ask = Ask { model: Some("gemini-3-pro".into()), ..Ask::default() };
        let plain: &[u8] = br#"{"contents":[{"parts":[{"text":"Hi"}]}]}"#;
        let whole: &[u8] =
            br#"{"generate_content_request":{"model":"models/x","contents":[{"parts":[{"text":"Hi"}]}]}}"#;
        for body in [plain, whole] {
            let read = read_request(&ask, body, &mut Loss::default()).unwrap();
            assert_eq!(read, br#"{"model":"gemini-3-pro","messages":[{"role":"user","content":"Hi"}]}"#);
        }
        assert_eq!(answer(7), br#"{"totalTokens":7}"#);
        assert!(read_request(&ask, b"{}", &mut Loss::default()).is_err());
    }
}
