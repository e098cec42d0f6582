//! Schemas that OpenAI holds an answer to: `strict` is refused where an object may have other members, or a member may be
//! left out (https://platform.openai.com/docs/guides/structured-outputs#supported-schemas).

use crate::dialects::{Change, Loss};
use crate::json::{Kind, Value};

/// Whether a `json_schema` of a response format can be strict as it asks to be; if not, that is reported.
pub(crate) fn may_be_strict(format: Value<'_>, loss: &mut Loss) -> bool {
    let asked = format.get("strict").and_then(Value::as_bool) == Some(true);
    let fits = !asked || format.get("schema").is_none_or(fits);
    if !fits {
        let note = "OpenAI holds an answer to it only where every member is required";
        loss.add(Change::Approximated, "response_format.json_schema.strict", note);
    }
    fits
}

fn fits(schema: Value<'_>) -> bool {
    let all = |name: &str| match schema.get(name) {
        Some(values) if values.kind() == Kind::Array => values.elements().all(fits),
        Some(values) => values.fields().all(|(_, one)| fits(one)),
        None => true,
    };
    let is_object = schema.get("properties").is_some()
        || schema
            .get("type")
            .is_some_and(|kind| kind.str_eq("object") || kind.elements().any(|one| one.str_eq("object")));
    let closed = || schema.get("additionalProperties").and_then(Value::as_bool) == Some(false);
    let required = || {
        let required = schema.get("required");
        let is_required =
            |key: Value<'_>| required.is_some_and(|all| all.elements().any(|one| one.as_str() == key.as_str()));
        schema.get("properties").is_none_or(|all| all.fields().all(|(key, _)| is_required(key)))
    };
    (!is_object || closed() && required())
        && ["properties", "$defs", "definitions", "anyOf"].into_iter().all(all)
        && schema.get("items").is_none_or(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_of_every_object_must_be_required() {
        let closed = r#""additionalProperties":false"#;
        for (schema, wanted) in [
            (r#"{"type":"string"}"#.to_owned(), true),
            (format!(r#"{{"type":"object","properties":{{"a":{{}}}},"required":["a"],{closed}}}"#), true),
            (format!(r#"{{"type":"object","properties":{{"a":{{}}}},{closed}}}"#), false),
            (r#"{"type":"object","properties":{},"required":[]}"#.to_owned(), false),
            (
                format!(
                    r#"{{"type":"array","items":{{"type":["object","null"],"properties":{{"a":{{}}}},{closed}}}}}"#
                ),
                false,
            ),
            (r##"{"$ref":"#/$defs/A","$defs":{"A":{"type":"object"}}}"##.to_owned(), false),
        ] {
            for (strict, wanted) in [(true, wanted), (false, true)] {
                let format = format!(r#"{{"strict":{strict},"schema":{schema}}}"#);
                let format = crate::json::validate(format.as_bytes(), Default::default()).unwrap();
                let mut loss = Loss::default();
                assert_eq!((may_be_strict(format, &mut loss), loss.is_empty()), (wanted, wanted), "{schema}");
            }
        }
    }
}
