//! How likely tokens were, both ways.

use crate::dialects::neutral::TokenLogprob;
use crate::json::{write_string, Value};

/// What a probability of nothing is written as: JSON has no infinity, and OpenAI writes it so.
const NEVER: f32 = -9999.0;

/// Reads `logprobs` of a part or of an event.
pub(super) fn read(logprobs: Value<'_>) -> Vec<TokenLogprob> {
    logprobs.elements().map(read_token).collect()
}

fn read_token(token: Value<'_>) -> TokenLogprob {
    let (text, bytes, logprob) = read_one(token);
    let top = token.get("top_logprobs").into_iter().flat_map(Value::elements).map(read_one).collect();
    TokenLogprob { token: text, bytes, logprob, top }
}

fn read_one(token: Value<'_>) -> (String, Vec<u8>, f32) {
    let text = token.get("token").and_then(Value::as_str).unwrap_or_default().into_owned();
    let byte = |byte: Value<'_>| byte.as_u64().and_then(|byte| u8::try_from(byte).ok());
    let bytes = token.get("bytes").filter(|bytes| bytes.elements().next().is_some());
    // Events of a stream leave them out.
    let bytes = bytes.map_or_else(|| text.as_bytes().to_vec(), |bytes| bytes.elements().filter_map(byte).collect());
    let logprob = token.get("logprob").and_then(Value::as_f64).map_or(NEVER, |logprob| logprob as f32);
    (text, bytes, logprob)
}

/// Appends tokens as elements of an array, with a comma between each and before the first unless `out` opens one.
pub(super) fn write(out: &mut Vec<u8>, tokens: &[TokenLogprob]) {
    for token in tokens {
        if !matches!(out.last(), None | Some(b'[')) {
            out.push(b',');
        }
        open(out, &token.token, &token.bytes, token.logprob);
        out.extend_from_slice(b",\"top_logprobs\":[");
        for (at, (text, bytes, logprob)) in token.top.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            open(out, text, bytes, *logprob);
            out.push(b'}');
        }
        out.extend_from_slice(b"]}");
    }
}

/// An object that is not closed yet.
fn open(out: &mut Vec<u8>, text: &str, bytes: &[u8], logprob: f32) {
    out.extend_from_slice(b"{\"token\":");
    write_string(out, text);
    out.extend_from_slice(b",\"bytes\":[");
    for (at, byte) in bytes.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(itoa::Buffer::new().format(*byte).as_bytes());
    }
    out.extend_from_slice(b"],\"logprob\":");
    let logprob = if logprob.is_finite() { logprob } else { NEVER };
    out.extend_from_slice(ryu::Buffer::new().format_finite(logprob).as_bytes());
}
