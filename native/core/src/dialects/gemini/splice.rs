//! A body of this dialect for an upstream of the same: only the model and the cap are changed, and thoughts of other dialects
//! that its caller was given are taken out.

use std::ops::Range;

use super::carried;
use super::names::{camel, get, whole};
use super::read_tools::each;
use super::signatures::STAND_IN;
use crate::dialects::neutral::Endpoint;
use crate::dialects::To;
use crate::json::{self, write_string, Edits, Index, Limits, Value, Writer};

/// `models/x`, unless the name says of what kind it is.
pub(super) fn resource(model: &str) -> String {
    if model.starts_with("models/") || model.starts_with("tunedModels/") {
        model.to_owned()
    } else {
        format!("models/{model}")
    }
}

/// The path below a base URL that ends in the version. Batches alone are asked for embeddings.
pub(super) fn target(to: &To<'_>) -> String {
    let mut path = String::from("/");
    let model = resource(to.model);
    // A name leads to no other path.
    let climbs = model.split('/').any(|step| matches!(step, "." | ".."));
    for byte in model.bytes() {
        match byte {
            b'/' if climbs => path.push_str("%2F"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => path.push(char::from(byte)),
            byte => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path.push_str(match (to.endpoint, to.stream) {
        (Endpoint::Embeddings, _) => ":batchEmbedContents",
        (_, true) => ":streamGenerateContent?alt=sse",
        (_, false) => ":generateContent",
    });
    path
}

/// Changes a body. One that is not JSON stays as it is.
pub(super) fn splice(to: &To<'_>, body: &[u8]) -> Vec<u8> {
    let Ok(index) = Index::scan(body, Limits::default()) else { return body.to_vec() };
    if index.get(body, "pool").is_some() {
        // The gateway's own: which budget pays.
        let mut edits = Edits::new();
        edits.remove("pool");
        return splice(to, &edits.apply(body, &index));
    }
    let mut model = Vec::new();
    write_string(&mut model, &resource(to.model));
    let mut changes: Vec<(Range<usize>, Vec<u8>)> = Vec::new();
    let member = |name: &str| index.iter(body).filter(|(key, _)| camel(key) == name).map(|(_, value)| value).last();
    if to.endpoint == Endpoint::Embeddings {
        match member("requests") {
            Some(requests) => requests.elements().for_each(|one| changes.extend(in_object(one, "model", &model, body))),
            None => return single(body, &model),
        }
    } else {
        changes.extend(member("model").map(|said| (said.span_in(body), model)));
        let config = member("generationConfig").filter(|config| !config.is_null());
        changes.extend(to.cap.and_then(|cap| capped(cap, config, body)));
        if carried::may_hold(body) {
            let contents = member("contents").into_iter().flat_map(each);
            let parts = contents.filter_map(|content| get(content, "parts")).flat_map(each);
            changes.extend(parts.filter_map(|part| uncarried(part, body)));
        }
    }
    changes.sort_by_key(|(range, _)| range.start);
    let changes: Vec<_> = changes.iter().map(|(range, with)| (range.clone(), &with[..])).collect();
    json::splice(body, &changes)
}

/// A part without what it carries of another dialect, which Google would take for a broken signature of its own. A call says
/// instead that it is not signed.
fn uncarried(part: Value<'_>, body: &[u8]) -> Option<(Range<usize>, Vec<u8>)> {
    let is_carried = |value: Value<'_>| value.as_str().is_some_and(|text| carried::data_of(&text).is_some());
    if !part.fields().any(|(key, value)| is_signature(key) && is_carried(value)) {
        return None;
    }
    let mut out = Writer::with_capacity(part.raw().len());
    out.open_object();
    for (key, value) in part.fields().filter(|(key, _)| !is_signature(*key)) {
        out.key(&key.as_str().unwrap_or_default()).value(value);
    }
    if get(part, "functionCall").is_some() {
        out.text_member("thoughtSignature", STAND_IN);
    }
    out.close_object();
    Some((part.span_in(body), out.into_bytes()))
}

fn is_signature(key: Value<'_>) -> bool {
    key.as_str().is_some_and(|key| camel(&key) == "thoughtSignature")
}

/// What sets a member of an object: in place of its value, or as the first.
fn in_object(object: Value<'_>, name: &str, json: &[u8], body: &[u8]) -> Option<(Range<usize>, Vec<u8>)> {
    let said = object.fields().filter(|(key, _)| key.as_str().is_some_and(|key| camel(&key) == name)).last();
    if let Some((_, said)) = said {
        return Some((said.span_in(body), json.to_vec()));
    }
    if object.kind() != json::Kind::Object {
        return None;
    }
    let at = object.span_in(body).start + 1;
    let comma: &[u8] = if object.fields().next().is_some() { b"," } else { b"" };
    Some((at..at, [b"\"", name.as_bytes(), b"\":", json, comma].concat()))
}

/// What keeps the output under `cap`; nothing where the caller did so.
fn capped(cap: u64, config: Option<Value<'_>>, body: &[u8]) -> Option<(Range<usize>, Vec<u8>)> {
    let cap = cap.min(i32::MAX.unsigned_abs().into());
    let Some(config) = config else {
        let open = body.iter().position(|byte| *byte == b'{')? + 1;
        let index_is_empty = body[open..].iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'}');
        let comma = if index_is_empty { "" } else { "," };
        return Some((open..open, format!("\"generationConfig\":{{\"maxOutputTokens\":{cap}}}{comma}").into_bytes()));
    };
    let said = get(config, "maxOutputTokens").and_then(whole);
    if said.is_some_and(|said| u64::try_from(said).is_ok_and(|said| said <= cap)) {
        return None;
    }
    in_object(config, "maxOutputTokens", cap.to_string().as_bytes(), body)
}

/// A body of `embedContent` as a batch of one.
fn single(body: &[u8], model: &[u8]) -> Vec<u8> {
    let one =
        match json::validate(body, Limits::default()).ok().and_then(|value| in_object(value, "model", model, body)) {
            Some((range, with)) => json::splice(body, &[(range, &with)]),
            None => body.to_vec(),
        };
    [b"{\"requests\":[", &one[..], b"]}"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(model: &str, endpoint: Endpoint, cap: Option<u64>) -> To<'_> {
        To { endpoint, model, stream: false, cap, version: "" }
    }

    #[test]
    fn paths_name_the_model() {
        let at = |model, endpoint, stream| target(&To { endpoint, model, stream, cap: None, version: "" });
        assert_eq!(at("../../x", Endpoint::Chat, false), "/models%2F..%2F..%2Fx:generateContent");
        assert_eq!(at("gemini-3-pro", Endpoint::Chat, false), "/models/gemini-3-pro:generateContent");
        assert_eq!(at("gemini-3-pro", Endpoint::Chat, true), "/models/gemini-3-pro:streamGenerateContent?alt=sse");
        assert_eq!(at("tunedModels/a b", Endpoint::Chat, false), "/tunedModels/a%20b:generateContent");
        assert_eq!(at("a:b?c#d%", Endpoint::Embeddings, false), "/models/a%3Ab%3Fc%23d%25:batchEmbedContents");
    }

    #[test]
    fn every_byte_but_the_cap_stays() {
        let chat = |cap, body: &str| String::from_utf8(splice(&to("m", Endpoint::Chat, cap), body.as_bytes())).unwrap();
        let body = r#" { "contents" : [ ] , "generation_config":{ "max_output_tokens" : 1e3,"x":1.0} } "#;
        assert_eq!(chat(None, body), body);
        assert_eq!(chat(Some(1000), body), body);
        assert_eq!(chat(Some(5), body), body.replace("1e3", "5"));
        assert_eq!(chat(Some(5), "{}"), r#"{"generationConfig":{"maxOutputTokens":5}}"#);
        assert_eq!(chat(Some(5), r#"{"a":1}"#), r#"{"generationConfig":{"maxOutputTokens":5},"a":1}"#);
        assert_eq!(
            chat(Some(5), r#"{"generationConfig":{"topK":1}}"#),
            r#"{"generationConfig":{"maxOutputTokens":5,"topK":1}}"#
        );
        assert_eq!(chat(None, r#"{"model":"models/alias"}"#), r#"{"model":"models/m"}"#);
        assert_eq!(chat(Some(5), "nonsense"), "nonsense");
    }

    /// google-genai names the model in each request of a batch too.
    #[test]
    fn a_batch_names_its_model_in_each_request() {
        let embed =
            |body: &str| String::from_utf8(splice(&to("m", Endpoint::Embeddings, None), body.as_bytes())).unwrap();
        assert_eq!(
            embed(r#"{"requests":[{"model":"models/alias","content":{}},{"content":{}}]}"#),
            r#"{"requests":[{"model":"models/m","content":{}},{"model":"models/m","content":{}}]}"#
        );
        assert_eq!(embed(r#"{"content":{}}"#), r#"{"requests":[{"model":"models/m","content":{}}]}"#);
    }
}
