//! `logprobsResult`, both ways.

use super::names::{get, text};
use crate::dialects::neutral::TokenLogprob;
use crate::json::{Value, Writer};

/// What a probability of nothing is written as: JSON has no infinity.
const NEVER: f32 = -9999.0;

/// The tokens of an event, each with those that might have come in its place.
pub(super) fn read(result: Value<'_>) -> Vec<TokenLogprob> {
    let mut tops = get(result, "topCandidates").into_iter().flat_map(Value::elements);
    let chosen = get(result, "chosenCandidates").into_iter().flat_map(Value::elements);
    chosen
        .map(|token| {
            let (token, bytes, logprob) = one(token);
            let top = tops.next().and_then(|top| get(top, "candidates")).into_iter().flat_map(Value::elements);
            TokenLogprob { token, bytes, logprob, top: top.map(one).collect() }
        })
        .collect()
}

fn one(token: Value<'_>) -> (String, Vec<u8>, f32) {
    let words = text(token, "token").unwrap_or_default().into_owned();
    let bytes = words.clone().into_bytes();
    let logprob = get(token, "logProbability").and_then(Value::as_f64).unwrap_or(0.0);
    (words, bytes, logprob as f32)
}

/// Writes the member `logprobsResult`, if there are tokens.
pub(super) fn write(tokens: &[TokenLogprob], out: &mut Writer) {
    if tokens.is_empty() {
        return;
    }
    out.key("logprobsResult").open_object().key("topCandidates").open_array();
    for token in tokens {
        out.open_object().key("candidates").open_array();
        token.top.iter().for_each(|(text, _, logprob)| write_one(text, *logprob, out));
        out.close_array().close_object();
    }
    out.close_array().key("chosenCandidates").open_array();
    tokens.iter().for_each(|token| write_one(&token.token, token.logprob, out));
    out.close_array().close_object();
}

fn write_one(token: &str, logprob: f32, out: &mut Writer) {
    let logprob = if logprob.is_finite() { logprob } else { NEVER };
    out.open_object().text_member("token", token).key("logProbability");
    out.raw(ryu::Buffer::new().format_finite(logprob).as_bytes()).close_object();
}
