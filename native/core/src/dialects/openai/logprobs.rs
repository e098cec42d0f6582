//! How likely tokens were, in the form of chat and in the older one of completions: written, and read.

use super::encode::{write_float, write_number};
use crate::dialects::neutral::{Endpoint, TokenLogprob};
use crate::json::{write_string, Kind, Value};

/// What a probability of nothing is written as: JSON has no infinity, and OpenAI writes it so.
const NEVER: f32 = -9999.0;

/// Where each token begins in the text of its choice, in characters, of which `said` came before.
pub(super) fn offsets(said: usize, tokens: &[TokenLogprob]) -> impl Iterator<Item = usize> + '_ {
    tokens.iter().scan(said, |next, token| {
        let here = *next;
        *next += token.token.chars().count();
        Some(here)
    })
}

/// The member `logprobs` with a comma before it; nothing where there are no tokens.
pub(super) fn write(
    out: &mut Vec<u8>,
    endpoint: Endpoint,
    tokens: &[TokenLogprob],
    offsets: impl Iterator<Item = usize>,
) {
    if tokens.is_empty() {
        return;
    }
    out.extend_from_slice(b",\"logprobs\":");
    match endpoint {
        Endpoint::Completions => write_completions(out, tokens, offsets),
        _ => write_chat(out, tokens),
    }
}

fn write_chat(out: &mut Vec<u8>, tokens: &[TokenLogprob]) {
    out.extend_from_slice(b"{\"content\":");
    write_list(out, tokens, |out, token| {
        open_token(out, &token.token, &token.bytes, token.logprob);
        out.extend_from_slice(b",\"top_logprobs\":");
        write_list(out, &token.top, |out, (text, bytes, logprob)| {
            open_token(out, text, bytes, *logprob);
            out.push(b'}');
        });
        out.push(b'}');
    });
    out.extend_from_slice(b",\"refusal\":null}");
}

/// An object that is not closed yet.
fn open_token(out: &mut Vec<u8>, text: &str, bytes: &[u8], logprob: f32) {
    out.extend_from_slice(b"{\"token\":");
    write_string(out, text);
    out.extend_from_slice(b",\"logprob\":");
    write_logprob(out, logprob);
    out.extend_from_slice(b",\"bytes\":");
    write_list(out, bytes, |out, byte| write_number(out, u64::from(*byte)));
}

fn write_completions(out: &mut Vec<u8>, tokens: &[TokenLogprob], offsets: impl Iterator<Item = usize>) {
    out.extend_from_slice(b"{\"tokens\":");
    write_list(out, tokens, |out, token| write_string(out, &token.token));
    out.extend_from_slice(b",\"token_logprobs\":");
    write_list(out, tokens, |out, token| write_logprob(out, token.logprob));
    out.extend_from_slice(b",\"top_logprobs\":");
    write_list(out, tokens, write_top);
    out.extend_from_slice(b",\"text_offset\":");
    write_list(out, offsets, |out, offset| write_number(out, offset as u64));
    out.push(b'}');
}

/// An object of texts and numbers. Parts of characters look alike as text: the likeliest has the name.
fn write_top(out: &mut Vec<u8>, token: &TokenLogprob) {
    out.push(b'{');
    for (at, (text, _, logprob)) in token.top.iter().enumerate() {
        if token.top[..at].iter().any(|(known, ..)| known == text) {
            continue;
        }
        if at > 0 {
            out.push(b',');
        }
        write_string(out, text);
        out.push(b':');
        write_logprob(out, *logprob);
    }
    out.push(b'}');
}

fn write_logprob(out: &mut Vec<u8>, logprob: f32) {
    write_float(out, if logprob.is_finite() { logprob } else { NEVER });
}

fn write_list<T>(out: &mut Vec<u8>, list: impl IntoIterator<Item = T>, write: impl Fn(&mut Vec<u8>, T)) {
    out.push(b'[');
    for (at, one) in list.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(out, one);
    }
    out.push(b']');
}

/// Reads `logprobs` of a choice, in either form; what is of no form is left out.
pub(super) fn read(logprobs: Value<'_>) -> Vec<TokenLogprob> {
    let (mut tokens, mut odds, mut top) = (None, None, None);
    for (key, value) in logprobs.fields().filter(|(_, value)| value.kind() == Kind::Array) {
        match key.raw() {
            b"\"content\"" => return value.elements().filter_map(read_chat).collect(),
            b"\"tokens\"" => tokens = Some(value),
            b"\"token_logprobs\"" => odds = Some(value),
            b"\"top_logprobs\"" => top = Some(value),
            _ => {}
        }
    }
    let (Some(tokens), Some(odds)) = (tokens, odds) else { return Vec::new() };
    let mut top = top.into_iter().flat_map(Value::elements);
    let mut read = Vec::new();
    for (token, logprob) in tokens.elements().zip(odds.elements()) {
        let top = top.next().into_iter().flat_map(Value::fields);
        let Some(token) = token.as_str() else { continue };
        read.push(TokenLogprob {
            bytes: token.as_bytes().to_vec(),
            token: token.into_owned(),
            // The first token of an echoed prompt has none.
            logprob: logprob.as_f64().unwrap_or(0.0) as f32,
            top: top.filter_map(|(text, logprob)| read_top(text, logprob)).collect(),
        });
    }
    read
}

fn read_top(text: Value<'_>, logprob: Value<'_>) -> Option<(String, Vec<u8>, f32)> {
    let text = text.as_str()?.into_owned();
    Some((text.clone(), text.into_bytes(), logprob.as_f64()? as f32))
}

fn read_chat(token: Value<'_>) -> Option<TokenLogprob> {
    let (text, bytes, logprob) = read_token(token)?;
    let top = Some(token).and_then(|token| token.get("top_logprobs")).into_iter().flat_map(Value::elements);
    Some(TokenLogprob { token: text, bytes, logprob, top: top.filter_map(read_token).collect() })
}

fn read_token(token: Value<'_>) -> Option<(String, Vec<u8>, f32)> {
    let (mut text, mut bytes, mut logprob) = (None, None, None);
    for (key, value) in token.fields() {
        match key.raw() {
            b"\"token\"" => text = value.as_str(),
            b"\"bytes\"" if value.kind() == Kind::Array => {
                let byte = |byte: Value<'_>| byte.as_u64().and_then(|byte| u8::try_from(byte).ok());
                bytes = value.elements().map(byte).collect::<Option<Vec<u8>>>();
            }
            b"\"logprob\"" => logprob = value.as_f64(),
            _ => {}
        }
    }
    let text = text?.into_owned();
    let bytes = bytes.unwrap_or_else(|| text.as_bytes().to_vec());
    Some((text, bytes, logprob? as f32))
}
