//! A kept body as the event stream that a caller with `stream` gets, and a kept stream with or without its usage. Pure.
//! What cannot be told so is `None`.

use super::join::events;
use super::members::{is_empty, write_member};
use super::pieces::{framed, DONE};
use crate::dialects::neutral::Endpoint;
use crate::json::{Edits, Index, Kind, Limits, Value};

/// Tells a body. `usage`: told where the body names none; `with_usage`: the caller asked for it.
pub fn stream_of(body: &[u8], endpoint: Endpoint, with_usage: bool, usage: Option<&[u8]>) -> Option<Vec<u8>> {
    let index = Index::scan(body, Limits::default()).ok()?;
    let mut head = vec![b'{'];
    for (key, value) in index.iter(body).filter(|(key, _)| !matches!(&**key, "object" | "choices" | "usage")) {
        write_member(&mut head, key.as_bytes(), value.raw());
        head.push(b',');
    }
    head.extend_from_slice(match endpoint {
        Endpoint::Completions => b"\"object\":\"text_completion\",\"choices\":[",
        _ => b"\"object\":\"chat.completion.chunk\",\"choices\":[",
    });
    let mut out = Vec::with_capacity(body.len() * 2);
    for choice in index.get(body, "choices")?.elements() {
        let parts = Parts::of(choice, endpoint)?;
        for part in [parts.opening, parts.saying, parts.ending].into_iter().flatten() {
            let number = choice.get("index").and_then(Value::as_u64).unwrap_or(0).to_string();
            let chunk = [&head[..], b"{\"index\":", number.as_bytes(), &part[..], b"}]}"].concat();
            out.extend_from_slice(&framed(chunk, false));
        }
    }
    let named = index.get(body, "usage").filter(|usage| !usage.is_null()).map(Value::raw).or(usage);
    if with_usage {
        out.extend_from_slice(&framed([&head[..], b"],\"usage\":", named?, b"}"].concat(), false));
    }
    out.extend_from_slice(DONE);
    Some(out)
}

/// What the chunks of one choice hold after its index.
struct Parts {
    opening: Option<Vec<u8>>,
    saying: Option<Vec<u8>>,
    ending: Option<Vec<u8>>,
}

impl Parts {
    fn of(choice: Value<'_>, endpoint: Endpoint) -> Option<Parts> {
        let mut ending = match endpoint {
            Endpoint::Completions => b",\"text\":\"\"".to_vec(),
            _ => b",\"delta\":{}".to_vec(),
        };
        let (mut logprobs, mut reason) = (&b"null"[..], &b"null"[..]);
        for (key, value) in choice.fields() {
            match &*key.as_str()? {
                "index" | "message" | "text" => {}
                "logprobs" => logprobs = value.raw(),
                "finish_reason" => reason = value.raw(),
                name => match value.kind() {
                    Kind::Object | Kind::Array if !is_empty(value) => return None,
                    Kind::Null | Kind::Object | Kind::Array => {}
                    _ => {
                        ending.push(b',');
                        write_member(&mut ending, name.as_bytes(), value.raw());
                    }
                },
            }
        }
        ending.extend_from_slice(b",\"logprobs\":null,\"finish_reason\":");
        ending.extend_from_slice(reason);
        let rest = [b",\"logprobs\":", logprobs, b",\"finish_reason\":null"].concat();
        let (opening, mut saying) = match endpoint {
            Endpoint::Completions => (None, [b",\"text\":", choice.get("text")?.raw()].concat()),
            _ => {
                let (opening, saying) = delta_of(choice.get("message")?)?;
                (Some(opening), saying)
            }
        };
        saying.extend_from_slice(&rest);
        Some(Parts { opening, saying: Some(saying), ending: Some(ending) })
    }
}

/// The opening delta, with the role, and the one that says everything.
fn delta_of(message: Value<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut opening =
        b",\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null".to_vec();
    let mut delta = b",\"delta\":{".to_vec();
    let mut first = true;
    for (key, value) in message.fields() {
        let name = key.as_str()?;
        let raw = match (&*name, value.kind()) {
            ("role", Kind::String) => {
                opening = [
                    b",\"delta\":{\"role\":",
                    value.raw(),
                    b",\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null",
                ]
                .concat();
                continue;
            }
            (_, Kind::Null) => continue,
            ("tool_calls", Kind::Array) if !is_empty(value) => numbered(value)?,
            ("function_call", Kind::Object) => value.raw().to_vec(),
            (_, Kind::String) => value.raw().to_vec(),
            (_, Kind::Array | Kind::Object) if is_empty(value) => continue,
            _ => return None,
        };
        if !std::mem::take(&mut first) {
            delta.push(b',');
        }
        write_member(&mut delta, name.as_bytes(), &raw);
    }
    delta.push(b'}');
    Some((opening, delta))
}

/// The calls, each with its number, as a stream has them.
fn numbered(calls: Value<'_>) -> Option<Vec<u8>> {
    let mut out = vec![b'['];
    for (at, call) in calls.elements().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"index\":");
        out.extend_from_slice(at.to_string().as_bytes());
        for (key, value) in call.fields() {
            let name = key.as_str()?;
            if name == "index" {
                continue;
            }
            out.push(b',');
            write_member(&mut out, name.as_bytes(), value.raw());
        }
        out.push(b'}');
    }
    out.push(b']');
    Some(out)
}

/// A stream with a usage chunk before its end mark, made after one of its own chunks.
pub fn with_usage(stream: &[u8], usage: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(stream.len() + 512);
    let mut model = None;
    for data in events(stream)? {
        out.extend_from_slice(&framed(data.clone().into_bytes(), false));
        if model.is_none() {
            let index = Index::scan(data.as_bytes(), Limits::default()).ok()?;
            let is_chunk = index.get(data.as_bytes(), "choices").is_some_and(|list| !is_empty(list));
            model = is_chunk.then_some((data, index));
        }
    }
    let (data, index) = model?;
    let mut edits = Edits::new();
    edits.set("choices", bytes::Bytes::from_static(b"[]"));
    edits.set("usage", usage.to_vec());
    out.extend_from_slice(&framed(edits.apply(data.as_bytes(), &index), false));
    out.extend_from_slice(DONE);
    Some(out)
}

/// A stream without the events that only tell usage.
pub fn without_usage(stream: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(stream.len());
    for data in events(stream)? {
        let index = Index::scan(data.as_bytes(), Limits::default()).ok()?;
        let field = |name| index.get(data.as_bytes(), name);
        let tells_usage = field("usage").is_some_and(|usage| !usage.is_null());
        if !(tells_usage && field("choices").is_some_and(is_empty)) {
            out.extend_from_slice(&framed(data.clone().into_bytes(), false));
        }
    }
    out.extend_from_slice(DONE);
    Some(out)
}
