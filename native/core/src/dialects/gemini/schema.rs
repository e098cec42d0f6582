//! Schemas. Gemini takes JSON Schema in `parametersJsonSchema` and `responseJsonSchema`, on the Gemini API and on Vertex AI,
//! and heeds some of its keywords; its older `parameters` and `responseSchema` are a part of OpenAPI's, with types in
//! capitals. Other dialects' callers have JSON Schema, so that is what is sent.

use std::borrow::Cow;

use super::names::{fields, get, whole};
use crate::dialects::{Change, Loss};
use crate::json::{self, Kind, Value, Writer};

/// What Google says that it heeds (google-genai 3.6, `types.GenerateContentConfig.response_json_schema`): "While the full
/// JSON Schema may be sent, not all features are supported".
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
    "deprecated",
    "$comment",
    // Written in other words: see `rewrite`.
    "definitions",
    "const",
    "nullable",
];

/// Writes a JSON Schema as Gemini heeds it, and reports what it will not heed.
pub(super) fn write_json(schema: Value<'_>, at: &str, out: &mut Writer, loss: &mut Loss) {
    report(schema, at, loss);
    let holds = |name: &str| memchr::memmem::find(schema.raw(), name.as_bytes()).is_some();
    if ["$ref", "definitions", "const", "nullable", "allOf"].into_iter().any(holds) {
        rewrite(schema, out);
    } else {
        out.value(schema);
    }
}

/// Says with the keywords that Gemini heeds what others say: `definitions` is the older name of `$defs`, `const` an `enum`
/// of one, `nullable` OpenAPI's word for a type more, `allOf` of one the same as `anyOf` of it. And "if `$ref` is set on a
/// sub-schema, no other properties […] may be set", which Pydantic does for a description.
fn rewrite(schema: Value<'_>, out: &mut Writer) {
    if schema.kind() != Kind::Object {
        out.value(schema);
        return;
    }
    let has = |name: &str| schema.get(name).is_some();
    let is_plain = |key: Value<'_>| key.as_str().is_some_and(|key| !key.starts_with('$'));
    let wraps = has("$ref") && !has("anyOf") && schema.fields().any(|(key, _)| is_plain(key));
    let is_nullable = schema.get("nullable").and_then(Value::as_bool) == Some(true);
    let mut defines = true;
    out.open_object();
    for (key, value) in schema.fields() {
        let name = key.as_str().unwrap_or_default();
        match &*name {
            "$ref" if wraps => {
                out.key("anyOf").open_array().open_object().text_member("$ref", &reference(value));
                out.close_object().close_array();
            }
            "$ref" => {
                out.text_member("$ref", &reference(value));
            }
            "$defs" | "definitions" => {
                if std::mem::take(&mut defines) {
                    let all = ["$defs", "definitions"].into_iter().filter_map(|name| schema.get(name));
                    out.key("$defs").open_object();
                    all.flat_map(Value::fields).for_each(|(key, one)| {
                        rewrite(one, out.key(&key.as_str().unwrap_or_default()));
                    });
                    out.close_object();
                }
            }
            "properties" => {
                out.key("properties").open_object();
                value.fields().for_each(|(key, one)| rewrite(one, out.key(&key.as_str().unwrap_or_default())));
                out.close_object();
            }
            "items" | "additionalProperties" => rewrite(value, out.key(&name)),
            "anyOf" | "oneOf" | "prefixItems" | "allOf" => {
                let is_one = name == "allOf" && !has("anyOf") && !wraps && is_one(value);
                out.key(if is_one { "anyOf" } else { &name }).open_array();
                value.elements().for_each(|one| rewrite(one, out));
                out.close_array();
            }
            "const" if !has("enum") => {
                out.key("enum").open_array().value(value).close_array();
            }
            "type" if is_nullable && value.kind() == Kind::String && !value.str_eq("null") => {
                out.key("type").open_array().value(value).string("null").close_array();
            }
            "nullable" if has("type") => {}
            _ => {
                out.key(&name).value(value);
            }
        }
    }
    out.close_object();
}

fn is_one(list: Value<'_>) -> bool {
    list.elements().take(2).count() == 1
}

/// A reference to what `rewrite` or `write` put under `$defs`.
fn reference(value: Value<'_>) -> String {
    let said = value.as_str().unwrap_or_default();
    let named = ["#/definitions/", "#/defs/"].into_iter().find_map(|root| said.strip_prefix(root));
    named.map_or_else(|| said.to_string(), |name| format!("#/$defs/{name}"))
}

/// Reports each keyword of a JSON Schema that Gemini will not heed.
fn report(schema: Value<'_>, at: &str, loss: &mut Loss) {
    for (key, value) in schema.fields() {
        let Some(name) = key.as_str() else { continue };
        if name == "allOf" && is_one(value) {
            value.elements().for_each(|one| report(one, at, loss));
            continue;
        }
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
    let nullable = get(schema, "nullable").and_then(Value::as_bool) == Some(true);
    json.open_object();
    for (name, value) in fields(schema) {
        match &*name {
            "type" => write_type(value, nullable, json),
            "nullable" => {}
            "format" if value.str_eq("enum") => {}
            "enum" => write_enum(schema, value, nullable, json),
            "properties" => {
                json.key("properties").open_object();
                for (key, one) in ordered(schema, value) {
                    json.key(&key);
                    write(one, at, json, loss);
                }
                json.close_object();
            }
            "defs" | "$defs" => {
                json.key("$defs").open_object();
                for (key, one) in value.fields() {
                    json.key(&key.as_str().unwrap_or_default());
                    write(one, at, json, loss);
                }
                json.close_object();
            }
            "anyOf" | "oneOf" | "prefixItems" | "allOf" => {
                json.key(&name).open_array();
                value.elements().for_each(|one| write(one, at, json, loss));
                if nullable && name == "anyOf" && get(schema, "type").is_none() {
                    json.raw(br#"{"type":"null"}"#);
                }
                json.close_array();
            }
            "items" | "additionalProperties" => {
                json.key(&name);
                write(value, at, json, loss);
            }
            "ref" | "$ref" => {
                json.text_member("$ref", &reference(value));
            }
            "example" => {
                json.key("examples").open_array().value(value).close_array();
            }
            "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties" => {
                if let Some(number) = whole(value).and_then(|number| u64::try_from(number).ok()) {
                    json.key(&name).integer(number);
                }
            }
            // OpenAI's models write properties in the order in which a schema has them.
            "propertyOrdering" => {
                loss.add(Change::Renamed, format!("{at}.propertyOrdering"), "the order of the properties");
            }
            _ => {
                json.key(&name).value(value);
            }
        }
    }
    json.close_object();
}

/// The properties, those that `propertyOrdering` names first and as it names them.
fn ordered<'a>(schema: Value<'a>, properties: Value<'a>) -> Vec<(Cow<'a, str>, Value<'a>)> {
    let mut all: Vec<_> = properties.fields().map(|(key, one)| (key.as_str().unwrap_or_default(), one)).collect();
    let order: Vec<_> =
        get(schema, "propertyOrdering").into_iter().flat_map(Value::elements).filter_map(Value::as_str).collect();
    all.sort_by_key(|(key, _)| order.iter().position(|name| name == key).unwrap_or(order.len()));
    all
}

/// Google writes the values of an enumeration of numbers as texts; one that may be null has that value too.
fn write_enum(schema: Value<'_>, values: Value<'_>, nullable: bool, json: &mut Writer) {
    let is_number = get(schema, "type")
        .and_then(Value::as_str)
        .is_some_and(|kind| kind.eq_ignore_ascii_case("integer") || kind.eq_ignore_ascii_case("number"));
    json.key("enum").open_array();
    for value in values.elements() {
        let number = value.as_str().filter(|text| {
            is_number && json::validate(text.as_bytes(), Default::default()).is_ok_and(|it| it.kind() == Kind::Number)
        });
        match number {
            Some(number) => json.raw(number.trim().as_bytes()),
            None => json.value(value),
        };
    }
    if nullable && !values.elements().any(Value::is_null) {
        json.null();
    }
    json.close_array();
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
            serde_json::json!({"type":"object","properties":{"max_items":{"type":["string","null"],"enum":["a","b",null]},
                "b":{"type":"array","minItems":1,"items":{"anyOf":[{"type":"integer"},{"type":"null"}]}}},
                "required":["b"],"examples":[{"b":[1]}]})
        );
        assert_eq!(loss.fields().len(), 1);
    }

    #[test]
    fn references_numbers_and_orders_of_openapi_are_kept() {
        let openapi = r##"{"type":"OBJECT","propertyOrdering":["z","a"],"properties":{"a":{"ref":"#/defs/P"},
            "z":{"type":"INTEGER","format":"enum","enum":["101","x"]},"n":{"nullable":true,"anyOf":[{"type":"STRING"}]}},
            "defs":{"P":{"type":"STRING"}}}"##;
        let (mut json, mut loss) = (Writer::default(), Loss::default());
        write(value(openapi), "parameters", &mut json, &mut loss);
        let json = String::from_utf8(json.into_bytes()).unwrap();
        assert_eq!(
            json,
            concat!(
                r##"{"type":"object","properties":{"z":{"type":"integer","enum":[101,"x"]},"a":{"$ref":"#/$defs/P"},"##,
                r##""n":{"anyOf":[{"type":"string"},{"type":"null"}]}},"$defs":{"P":{"type":"string"}}}"##
            )
        );
        assert!(!loss.loses(), "{loss:?}");
    }

    /// As Pydantic, OpenAI's callers and older drafts say it.
    #[test]
    fn json_schema_is_said_in_what_gemini_heeds() {
        for (said, written) in [
            (r#"{ "type" : "string" }"#, r#"{ "type" : "string" }"#),
            (r#"{"const":"a"}"#, r#"{"enum":["a"]}"#),
            (r#"{"type":"string","nullable":true}"#, r#"{"type":["string","null"]}"#),
            (r##"{"$ref":"#/$defs/A"}"##, r##"{"$ref":"#/$defs/A"}"##),
            (
                r##"{"description":"d","$ref":"#/definitions/A"}"##,
                r##"{"description":"d","anyOf":[{"$ref":"#/$defs/A"}]}"##,
            ),
            (r#"{"allOf":[{"const":1}],"title":"t"}"#, r#"{"anyOf":[{"enum":[1]}],"title":"t"}"#),
            (
                r#"{"properties":{"const":{"items":{"const":1}}},"definitions":{"a":{}},"$defs":{"b":{}}}"#,
                r#"{"properties":{"const":{"items":{"enum":[1]}}},"$defs":{"b":{},"a":{}}}"#,
            ),
        ] {
            let (mut json, mut loss) = (Writer::default(), Loss::default());
            write_json(value(said), "s", &mut json, &mut loss);
            assert_eq!(String::from_utf8(json.into_bytes()).unwrap(), written);
            assert!(loss.is_empty(), "{said}: {loss:?}");
        }
        let mut loss = Loss::default();
        report(value(r#"{"allOf":[{},{}],"items":{"exclusiveMinimum":1}}"#), "s", &mut loss);
        assert_eq!(loss.fields().len(), 2, "{loss:?}");
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
