//! A JSON schema as Anthropic takes it in `output_config.format` and for strict tools. It refuses objects that are open, and
//! keywords that its grammar cannot hold an answer to.
//!
//! After `transform_schema` of Anthropic's own SDK (anthropic-sdk-python 2, `lib/_parse/_transform.py`), which does so to every
//! schema: objects are closed, and keywords that are not taken are told to the model in the description.

use crate::dialects::{Change, Loss};
use crate::json::{Kind, Value, Writer};

/// Formats of strings that are kept to (`SupportedStringFormats` there).
const FORMATS: &[&str] = &["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];
/// Keywords that say nothing of an answer.
const SILENT: &[&str] = &["$schema", "$id", "$anchor", "$comment", "propertyOrdering"];

/// Writes `schema`, which stands at `at` of the caller's request.
pub(super) fn write_schema(schema: Value<'_>, at: &'static str, out: &mut Writer, loss: &mut Loss) {
    if schema.kind() != Kind::Object {
        // `true` and `{}` mean the same: anything.
        out.value(schema);
        return;
    }
    out.open_object();
    let is_object = has_type(schema, "object") || schema.get("properties").is_some();
    let mut told = String::new();
    for (key, value) in schema.fields() {
        let name = key.as_str().unwrap_or_default();
        match &*name {
            "type" | "title" | "default" | "$ref" | "required" => {
                out.key(&name).value(value);
            }
            "enum" if value.elements().all(is_plain) => {
                out.key("enum").value(value);
            }
            "const" if is_plain(value) => {
                out.key("const").value(value);
            }
            "description" | "additionalProperties" => {}
            "properties" | "$defs" | "definitions" => each_named(&name, value, at, out, loss),
            "anyOf" | "oneOf" | "allOf" => {
                out.key(if name == "allOf" { "allOf" } else { "anyOf" }).open_array();
                value.elements().for_each(|one| write_schema(one, at, out, loss));
                out.close_array();
            }
            "items" => {
                out.key("items");
                write_schema(value, at, out, loss);
            }
            "format" if FORMATS.iter().any(|format| value.str_eq(format)) => {
                out.key("format").value(value);
            }
            "minItems" if matches!(value.as_u64(), Some(0 | 1)) => {
                out.key("minItems").value(value);
            }
            silent if SILENT.contains(&silent) => {}
            _ => tell(&mut told, &name, value),
        }
    }
    if is_object {
        close(schema, at, out, loss);
    }
    if !told.is_empty() {
        loss.add(Change::Approximated, at, "keywords that Anthropic does not hold an answer to are told in words");
    }
    describe(schema.get("description"), &told, out);
    out.close_object();
}

fn has_type(schema: Value<'_>, name: &str) -> bool {
    schema.get("type").is_some_and(|kind| kind.str_eq(name) || kind.elements().any(|one| one.str_eq(name)))
}

/// Values of enumerations are no lists and no objects.
fn is_plain(value: Value<'_>) -> bool {
    !matches!(value.kind(), Kind::Array | Kind::Object)
}

fn each_named(name: &str, schemas: Value<'_>, at: &'static str, out: &mut Writer, loss: &mut Loss) {
    out.key(name).open_object();
    for (key, one) in schemas.fields() {
        out.key(&key.as_str().unwrap_or_default());
        write_schema(one, at, out, loss);
    }
    out.close_object();
}

/// An object has no members but its own. What is said of others is lost; where nothing is, each answer still fits.
fn close(schema: Value<'_>, at: &'static str, out: &mut Writer, loss: &mut Loss) {
    match schema.get("additionalProperties") {
        Some(others) if others.as_bool() == Some(false) => {}
        Some(_) => loss.add(Change::Dropped, at, "additionalProperties: Anthropic's objects are closed"),
        None => loss.add(Change::Renamed, at, "with additionalProperties false, which Anthropic wants"),
    }
    out.key("additionalProperties").boolean(false);
}

fn tell(told: &mut String, name: &str, value: Value<'_>) {
    if !told.is_empty() {
        told.push_str(", ");
    }
    told.push_str(name);
    told.push_str(": ");
    told.push_str(&value.as_str().unwrap_or_else(|| String::from_utf8_lossy(value.raw())));
}

/// The description, with what is told besides: `A number`, blank line, `{minimum: 1}`.
fn describe(description: Option<Value<'_>>, told: &str, out: &mut Writer) {
    match description.and_then(Value::as_str) {
        Some(words) if told.is_empty() => out.text_member("description", &words),
        Some(words) => out.text_member("description", &format!("{words}\n\n{{{told}}}")),
        None if told.is_empty() => out,
        None => out.text_member("description", &format!("{{{told}}}")),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(schema: &str) -> (serde_json::Value, Vec<Change>) {
        let schema = crate::json::validate(schema.as_bytes(), Default::default()).unwrap();
        let (mut out, mut loss) = (Writer::default(), Loss::default());
        write_schema(schema, "response_format", &mut out, &mut loss);
        let json = serde_json::from_slice(&out.into_bytes()).unwrap();
        (json, loss.fields().iter().map(|lost| lost.change).collect())
    }

    #[test]
    fn a_schema_that_anthropic_takes_stays_as_it_is() {
        let schema = json!({
            "type": "object", "title": "T", "additionalProperties": false, "required": ["a"],
            "properties": {
                "a": {"anyOf": [{"type": "integer", "enum": [1, 2]}, {"type": "null"}], "default": null},
                "b": {"type": "array", "items": {"$ref": "#/$defs/B"}, "minItems": 1},
                "c": {"type": ["string", "null"], "format": "date"},
            },
            "$defs": {"B": {"const": "b", "description": "Only b."}},
        });
        assert_eq!(written(&schema.to_string()), (schema, vec![]));
    }

    #[test]
    fn every_object_is_closed() {
        let (json, changes) = written(
            r##"{"$schema":"s","type":"object","properties":{"a":{"type":"object","properties":{}},"b":{"$ref":"#/$defs/B"}},
                "$defs":{"B":{"properties":{"c":{"type":"string"}}}}}"##,
        );
        assert_eq!(
            json,
            json!({"type": "object", "additionalProperties": false,
                "properties": {"a": {"type": "object", "properties": {}, "additionalProperties": false}, "b": {"$ref": "#/$defs/B"}},
                "$defs": {"B": {"properties": {"c": {"type": "string"}}, "additionalProperties": false}}})
        );
        // Each answer fits what the caller asked for: nothing is lost.
        assert_eq!(changes, [Change::Renamed]);
        let (json, changes) = written(r#"{"type":"object","additionalProperties":{"type":"string"}}"#);
        assert_eq!(json, json!({"type": "object", "additionalProperties": false}));
        assert_eq!(changes, [Change::Dropped]);
    }

    #[test]
    fn keywords_that_are_refused_are_told_in_words() {
        let (json, changes) = written(r#"{"type":"integer","minimum":1,"maximum":10,"description":"A number"}"#);
        assert_eq!(json, json!({"type": "integer", "description": "A number\n\n{minimum: 1, maximum: 10}"}));
        assert_eq!(changes, [Change::Approximated]);
        let (json, _) = written(
            r#"{"oneOf":[{"type":"string","format":"byte","pattern":"^a"},{"type":"array","minItems":2,"items":{"type":"number"}}]}"#,
        );
        assert_eq!(
            json,
            json!({"anyOf": [
                {"type": "string", "description": "{format: byte, pattern: ^a}"},
                {"type": "array", "items": {"type": "number"}, "description": "{minItems: 2}"},
            ]})
        );
    }
}
