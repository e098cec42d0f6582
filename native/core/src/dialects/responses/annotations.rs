//! Where something is from, both ways: chat has what an annotation says in a member named after its type, here it is
//! beside the type.

use crate::dialects::wrapped::one_line;
use crate::json::{validate, Kind, Limits, Value, Writer};

/// An annotation of this dialect as chat's.
pub(super) fn read(annotation: Value<'_>) -> Option<String> {
    let kind = annotation.get("type")?.as_str()?;
    let mut out = Writer::with_capacity(annotation.raw().len() + 32);
    out.open_object().text_member("type", &kind).key(&kind).open_object();
    for (key, value) in annotation.fields().filter(|(key, _)| !key.str_eq("type")) {
        out.key(&key.as_str().unwrap_or_default()).value(value);
    }
    out.close_object().close_object();
    let json = String::from_utf8(out.into_bytes()).ok()?;
    Some(if json.contains(['\n', '\r']) { json.replace(['\n', '\r'], " ") } else { json })
}

/// Chat's annotation as this dialect's. What its clients rely on is there, whatever the upstream left out.
pub(super) fn write(json: &str) -> Option<Vec<u8>> {
    let annotation = validate(json.as_bytes(), Limits::default()).ok()?;
    let kind = annotation.get("type")?.as_str()?;
    let inner = annotation.get(&kind).filter(|inner| inner.kind() == Kind::Object).unwrap_or(annotation);
    let mut out = Writer::with_capacity(json.len() + 32);
    out.open_object().text_member("type", &kind);
    for (key, value) in inner.fields().filter(|(key, value)| !key.str_eq("type") && !value.is_null()) {
        out.key(&key.as_str().unwrap_or_default()).raw(one_line(value).as_bytes());
    }
    if kind == "url_citation" {
        for name in ["start_index", "end_index"].into_iter().filter(|name| is_missing(inner, name)) {
            out.key(name).integer(0);
        }
        for name in ["url", "title"].into_iter().filter(|name| is_missing(inner, name)) {
            out.text_member(name, "");
        }
    }
    out.close_object();
    Some(out.into_bytes())
}

fn is_missing(inner: Value<'_>, name: &str) -> bool {
    inner.get(name).is_none_or(Value::is_null)
}
