//! What a response repeats of its request. OpenAI's do, and programs read it there: the labels by which they know whose answer
//! it is, the tools, the most that it could say.

use crate::dialects::Reply;
use crate::json::{write_string, Index, Limits};

/// Members of `Response` in OpenAI's `openai-python` (`types/responses/response.py`) that are the request's, with what stands
/// there if it says nothing. Empty: then the member is not there. `service_tier` is none of them: it names the tier that was had.
const MEMBERS: &[(&str, &str)] = &[
    ("background", "false"),
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", ""),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("prompt_cache_key", ""),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("safety_identifier", ""),
    ("store", ""),
    ("temperature", "null"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", r#""auto""#),
    ("tools", "[]"),
    ("top_logprobs", ""),
    ("top_p", "null"),
    ("truncation", r#""disabled""#),
    ("user", ""),
];

/// Those of one answer, as they are written into each of its responses: every member with a comma before it.
#[derive(Debug)]
pub(super) struct Repeated(Vec<u8>);

impl Repeated {
    /// Of the caller's body; of none, what is usual.
    pub fn of(reply: &Reply) -> Repeated {
        let request = &reply.request[..];
        let mut out = Vec::with_capacity(384);
        let index = Index::scan(request, Limits::default()).ok();
        let said = |name: &str| index.as_ref()?.get(request, name).filter(|value| !value.is_null());
        for (name, usual) in MEMBERS {
            let value = said(name).map_or(usual.as_bytes(), |value| value.raw());
            if !value.is_empty() {
                key(&mut out, name);
                out.extend_from_slice(value);
            }
        }
        key(&mut out, "previous_response_id");
        match &reply.previous {
            Some(id) => write_string(&mut out, id),
            None => out.extend_from_slice(b"null"),
        }
        Repeated(out)
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

fn key(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}
