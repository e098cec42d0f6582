//! How an engine says no: in the words that an upstream would use.

use bytes::Bytes;

use crate::error::refusal_body;
use crate::http::Headers;

/// Why an engine does not answer, so that one table judges it and an upstream over HTTP: 400 is the request's fault, 413 a
/// context that is too long, 429 and 503 mean full, 5xx the engine's own. Its exchange is told by `head`, `data` and `end`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// An HTTP status of 400 or more.
    pub status: u16,
    /// A stable word, such as `context_length_exceeded`.
    pub code: &'static str,
    /// What is wrong and what helps, for the caller. A 400 whose message begins with a name in backticks means the field of
    /// the request that is so called.
    pub message: String,
    /// With 429 and 503: when to come again.
    pub retry_after_secs: Option<u32>,
}

impl Refusal {
    /// For the door `head`.
    pub fn headers(&self) -> Headers {
        headers(self.retry_after_secs)
    }

    /// For the door `data`: an error as OpenAI writes it.
    pub fn body(&self) -> Bytes {
        refusal_body(self.status, Some(self.code), &self.message, self.param())
    }

    /// The field of the request that it means.
    fn param(&self) -> Option<&str> {
        let (name, _) = self.message.strip_prefix('`').filter(|_| self.status == 400)?.split_once('`')?;
        Some(name)
    }
}

/// The headers of a refusal.
pub fn headers(retry_after_secs: Option<u32>) -> Headers {
    let mut headers = vec![(Bytes::from_static(b"content-type"), Bytes::from_static(b"application/json"))];
    let after = retry_after_secs.map(|seconds| Bytes::from(seconds.to_string()));
    headers.extend(after.map(|after| (Bytes::from_static(b"retry-after"), after)));
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_the_message_begins_with_is_told() {
        let refusal = |status, message: &str| {
            let message = message.to_owned();
            Refusal { status, code: "wrong", message, retry_after_secs: None }
        };
        assert_eq!(refusal(400, "`stop` must be a string").param(), Some("stop"));
        assert_eq!(refusal(400, "there is no `stop`").param(), None);
        assert_eq!(refusal(400, "`stop").param(), None);
        assert_eq!(refusal(503, "`m` is full").param(), None);
        let body = refusal(400, "`n` is wrong").body();
        assert_eq!(
            body.as_ref(),
            br#"{"error":{"message":"`n` is wrong","type":"invalid_request_error","param":"n","code":"wrong"}}"#
        );
    }
}
