//! How likely tokens were: `[{"token","logprob","bytes","top_logprobs":[…]}]`.

use crate::dialects::neutral::TokenLogprob;
use crate::json::{Kind, Value, Writer};

/// Of an upstream.
pub(super) fn read(logprobs: Option<Value<'_>>) -> Vec<TokenLogprob> {
    let tokens = logprobs.into_iter().flat_map(Value::elements);
    tokens
        .filter_map(|token| {
            let (text, bytes, logprob) = read_one(token)?;
            let top = token.get("top_logprobs").into_iter().flat_map(Value::elements).filter_map(read_one).collect();
            Some(TokenLogprob { token: text, bytes, logprob, top })
        })
        .collect()
}

fn read_one(token: Value<'_>) -> Option<(String, Vec<u8>, f32)> {
    let text = token.get("token")?.as_str()?.into_owned();
    let logprob = token.get("logprob")?.as_f64()? as f32;
    let given = token.get("bytes").filter(|bytes| bytes.kind() == Kind::Array);
    let bytes = given.map(|bytes| bytes.elements().filter_map(|byte| u8::try_from(byte.as_u64()?).ok()).collect());
    let bytes = bytes.unwrap_or_else(|| text.as_bytes().to_vec());
    Some((text, bytes, logprob))
}

/// For a caller.
pub(super) fn write(logprobs: &[TokenLogprob], out: &mut Writer) {
    out.key("logprobs").open_array();
    for TokenLogprob { token, bytes, logprob, top } in logprobs {
        write_one(token, bytes, *logprob, out);
        if !top.is_empty() {
            out.key("top_logprobs").open_array();
            for (token, bytes, logprob) in top {
                write_one(token, bytes, *logprob, out);
                out.close_object();
            }
            out.close_array();
        }
        out.close_object();
    }
    out.close_array();
}

/// All but the closing brace.
fn write_one(token: &str, bytes: &[u8], logprob: f32, out: &mut Writer) {
    out.open_object().text_member("token", token).key("logprob");
    write_float(logprob, out);
    out.key("bytes").open_array();
    for byte in bytes {
        out.integer(u64::from(*byte));
    }
    out.close_array();
}

/// JSON has neither infinity nor NaN; the least that a float holds stands for a token that could not come.
pub(super) fn write_float(number: f32, out: &mut Writer) {
    let number = if number.is_nan() { 0.0 } else { number.clamp(f32::MIN, f32::MAX) };
    out.raw(ryu::Buffer::new().format_finite(number).as_bytes());
}
