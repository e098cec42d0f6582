//! Schemas. Gemini takes JSON Schema as it is in `parametersJsonSchema` and `responseJsonSchema`, but heeds only some of
//! its keywords; its older `parameters` and `responseSchema` are a part of OpenAPI's, with types in capitals.

use std::borrow::Cow;

use super::names::{fields, whole};
use crate::dialects::{Change, Loss};
use crate::json::{Kind, Value, Writer};

/// What Google's reference says that `responseJsonSchema` and `parametersJsonSchema` heed.
const HEEDED: &[&str] = &[
    "$id",
    "$defs",
    "$ref",
    "$anchor",
    "$schema",
    "type",
    "format",
    "title",
    "description",
    "enum",
    "items",
    "prefixItems",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "anyOf",
    "oneOf",
    "properties",
    "additionalProperties",
    "required",
    "propertyOrdering",
    // Not named there, but they say nothing that an answer could break.
    "default",
    "examples",
    "definitions",
];

/// Reports each keyword of a JSON Schema that Gemini will not heed.
pub(super) fn report(schema: Value<'_>, at: &str, loss: &mut Loss) {
    for (key, value) in schema.fields() {
        let Some(name) = key.as_str() else { continue };
        if !HEEDED.contains(&&*name) {
            loss.add(Change::Dropped, format!("{at}.{name}"), "a keyword that Gemini does not heed");
            continue;
        }
        match &*name {
            "properties" | "$defs" | "definitions" => value.fields().for_each(|(_, one)| report(one, at, loss)),
            "anyOf" | "oneOf" | "prefixItems" => value.elements().for_each(|one| report(one, at, loss)),
            "items" | "additionalProperties" => report(value, at, loss),
            _ => {}
        }
    }
}

/// Writes a schema of OpenAPI's kind as JSON Schema.
pub(super) fn write(schema: Value<'_>, at: &str, json: &mut Writer, loss: &mut Loss) {
    if schema.kind() != Kind::Object {
        json.value(schema);
        return;
    }
    let nullable = super::names::get(schema, "nullable").and_then(Value::as_bool) == Some(true);
    json.open_object();
    for (name, value) in fields(schema) {
        match &*name {
            "type" => write_type(value, nullable, json),
            "nullable" => {}
            "format" if value.str_eq("enum") => {}
            "properties" | "defs" | "$defs" => {
                json.key(if name == "properties" { "properties" } else { "$defs" }).open_object();
                for (key, one) in value.fields() {
                    json.key(&key.as_str().unwrap_or_default());
                    write(one, at, json, loss);
                }
                json.close_object();
            }
            "anyOf" | "oneOf" | "prefixItems" | "allOf" => {
                json.key(&name).open_array();
                value.elements().for_each(|one| write(one, at, json, loss));
                json.close_array();
            }
            "items" | "additionalProperties" => {
                json.key(&name);
                write(value, at, json, loss);
            }
            "ref" => {
                json.key("$ref").value(value);
            }
            "example" => {
                json.key("examples").open_array().value(value).close_array();
            }
            "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties" => {
                if let Some(number) = whole(value).and_then(|number| u64::try_from(number).ok()) {
                    json.key(&name).integer(number);
                }
            }
            "propertyOrdering" => {
                loss.add(Change::Dropped, format!("{at}.propertyOrdering"), "JSON Schema orders no properties");
            }
            _ => {
                json.key(&name).value(value);
            }
        }
    }
    json.close_object();
}

/// `STRING` as `string`; with `null` beside it where the value may be null.
fn write_type(value: Value<'_>, nullable: bool, json: &mut Writer) {
    let word = |value: Value<'_>| Cow::Owned(value.as_str().unwrap_or_default().to_ascii_lowercase());
    let mut words: Vec<Cow<'_, str>> = match value.kind() {
        Kind::Array => value.elements().map(word).collect(),
        _ => vec![word(value)],
    };
    words.retain(|word| !word.is_empty() && word != "type_unspecified");
    if nullable && !words.iter().any(|word| word == "null") {
        words.push(Cow::Borrowed("null"));
    }
    match &words[..] {
        [] => {}
        [one] => {
            json.text_member("type", one);
        }
        several => {
            json.key("type").open_array();
            several.iter().for_each(|word| {
                json.string(word);
            });
            json.close_array();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value<'_> {
        crate::json::validate(text.as_bytes(), Default::default()).unwrap()
    }

    #[test]
    fn openapi_becomes_json_schema() {
        let openapi = r#"{"type":"OBJECT","properties":{"max_items":{"type":"STRING","nullable":true,"format":"enum",
            "enum":["a","b"]},"b":{"type":"ARRAY","min_items":"1","items":{"anyOf":[{"type":"INTEGER"},{"type":"NULL"}]}}},
            "required":["b"],"propertyOrdering":["b"],"example":{"b":[1]}}"#;
        let (mut json, mut loss) = (Writer::default(), Loss::default());
        write(value(openapi), "parameters", &mut json, &mut loss);
        let json: serde_json::Value = serde_json::from_slice(&json.into_bytes()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"type":"object","properties":{"max_items":{"type":["string","null"],"enum":["a","b"]},
                "b":{"type":"array","minItems":1,"items":{"anyOf":[{"type":"integer"},{"type":"null"}]}}},
                "required":["b"],"examples":[{"b":[1]}]})
        );
        assert_eq!(loss.fields().len(), 1);
    }

    /// A property may have the name of a keyword.
    #[test]
    fn keywords_that_are_not_heeded_are_named() {
        let schema = r#"{"type":"object","properties":{"pattern":{"type":"string","pattern":"^a"},
            "x":{"items":{"not":{}}}},"additionalProperties":false}"#;
        let mut loss = Loss::default();
        report(value(schema), "s", &mut loss);
        let names: Vec<_> = loss.fields().iter().map(|lost| &*lost.field).collect();
        assert_eq!(names, ["s.pattern", "s.not"]);
    }
}
