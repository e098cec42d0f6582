//! What a request that passes as it is says in its head, beyond what every request says.

use super::step::RequestHead;
use super::Caller;
use crate::dialects::multipart;
use crate::dialects::passed::{Names, Passed, Takes};
use crate::error::{Code, Failure};
use crate::homes::Home;
use crate::http::is_media_type;

/// The facts of such a head.
#[derive(Debug)]
pub(super) struct Ask {
    pub passed: Passed,
    pub method: &'static str,
    /// What separates the parts of its form, if it is one.
    pub boundary: Option<String>,
    /// `x-hoosh-model`: what the form is for, where that cannot be read in time.
    pub model: Option<String>,
    /// The provider that the request names: `x-hoosh-provider`, or `provider` in the query.
    pub provider: Option<String>,
    /// The rest of the query.
    pub query: String,
    /// Where the response is that it is about.
    pub home: Option<Home>,
}

impl Ask {
    pub fn read(passed: Passed, head: RequestHead<'_>) -> Result<Ask, Failure> {
        let header = |name| head.headers.get(name).map(|value| String::from_utf8_lossy(value).into_owned());
        let mut ask = Ask {
            passed,
            method: match head.method {
                // The listener leaves out the body.
                "GET" | "HEAD" => "GET",
                "DELETE" => "DELETE",
                _ => "POST",
            },
            boundary: None,
            model: header("x-hoosh-model"),
            provider: header("x-hoosh-provider"),
            query: String::new(),
            home: None,
        };
        ask.read_query(head.target)?;
        let content_type = head.headers.get("content-type");
        let is_form = is_media_type(content_type, "multipart/form-data");
        // A caller of this process that says nothing has JSON.
        let is_json = is_media_type(content_type, "application/json")
            || (head.caller == Caller::Neutral && content_type.is_none());
        match passed.takes(ask.method) {
            Takes::Nothing => {}
            Takes::Json | Takes::JsonOrForm if is_json => {}
            Takes::Form | Takes::JsonOrForm if is_form => {
                ask.boundary = content_type.and_then(multipart::boundary);
                if ask.boundary.is_none() {
                    let words = "The form has no boundary of 1 to 70 plain characters in its 'Content-Type'.";
                    return Err(Failure::new(Code::WrongContentType, words));
                }
            }
            takes => return Err(wrong_type(takes)),
        }
        Ok(ask)
    }

    /// Takes `provider` out of the query; the rest is sent on where the provider reads one.
    fn read_query(&mut self, target: &str) -> Result<(), Failure> {
        let query = target.split_once('?').map_or("", |(_, query)| query);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            if let Some(name) = pair.strip_prefix("provider=") {
                self.provider = Some(name.to_owned());
            } else if self.passed.has_query(self.method) {
                if !pair.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
                    let words = "The query must be visible ASCII; write everything else as %XX.";
                    return Err(Failure::new(Code::InvalidValue, words));
                }
                self.query.push(if self.query.is_empty() { '?' } else { '&' });
                self.query.push_str(pair);
            }
        }
        Ok(())
    }

    /// Whether its body is sent on while it comes.
    pub fn is_upload(&self) -> bool {
        self.boundary.is_some()
    }

    /// Whether it carries something.
    pub fn has_body(&self) -> bool {
        self.passed.takes(self.method) != Takes::Nothing
    }

    /// Whether a model may be named.
    pub fn has_model(&self) -> bool {
        self.passed.names() != Names::Nothing
    }
}

fn wrong_type(takes: Takes) -> Failure {
    let words = match takes {
        Takes::Form => "The body must be a form: send 'Content-Type: multipart/form-data; boundary=…'.",
        Takes::JsonOrForm => "The body must be a form or JSON: send 'Content-Type: multipart/form-data; boundary=…'.",
        Takes::Nothing | Takes::Json => "The body must be JSON: send 'Content-Type: application/json'.",
    };
    Failure::new(Code::WrongContentType, words)
}
