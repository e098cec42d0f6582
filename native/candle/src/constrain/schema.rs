//! A caller's schema as llguidance is given it: what it would misread is put in other words that no more texts keep to, or
//! refused.
//!
//! Also refused, by llguidance itself: keywords that it does not know how to keep to (`not`, `if`, `uniqueItems`, `contains`, …),
//! a `oneOf` of which two could hold at once, and references to other documents.

use serde_json::{json, Number, Value};

/// llguidance takes bounds for doubles, which beyond this skip whole numbers.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// White space between two parts of JSON: what llama.cpp's grammars of JSON allow. Without a bound, models fill their whole answer
/// with it.
const SPACE: &str = r"[ ]|\n[ \t]{0,20}";

/// The formats that are kept to. Others say nothing about the text, as JSON Schema has it for all.
const FORMATS: [&str; 10] =
    ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri"];

/// Patterns and formats of all schemas of one form. Each is tried for whether any text has it, which takes a millisecond or two.
const MOST_PATTERNS: usize = 256;

/// Named properties of all schemas of one form: the time that it takes to compile them grows with their square.
const MOST_PROPERTIES: usize = 1_000;

/// `schema` to be compiled, or what is wrong with it. Its `parts` are counted with those of others.
pub(super) fn prepared(schema: &Value, parts: &mut Parts) -> Result<Value, String> {
    let mut schema = match schema {
        Value::Bool(true) => json!({}),
        Value::Object(_) => schema.clone(),
        _ => return Err("it must be an object".into()),
    };
    walk(&mut schema, parts)?;
    parts.check()?;
    // Callers do not set options of llguidance.
    schema["x-guidance"] = json!({ "whitespace_pattern": SPACE });
    Ok(schema)
}

/// The same of the arguments of a function, which are an object.
pub(super) fn of_arguments(schema: &Value, parts: &mut Parts) -> Result<Value, String> {
    let mut schema = prepared(schema, parts)?;
    let kind = schema.get("type").cloned().unwrap_or_else(|| "object".into());
    if kind != "object" {
        return Err(format!("arguments are an object, not of the type {kind}"));
    }
    schema["type"] = kind;
    Ok(schema)
}

/// What schemas have that takes time to compile.
#[derive(Default)]
pub(super) struct Parts {
    patterns: usize,
    properties: usize,
}

impl Parts {
    fn check(&self) -> Result<(), String> {
        let counts =
            [(self.patterns, MOST_PATTERNS, "patterns and formats"), (self.properties, MOST_PROPERTIES, "properties")];
        match counts.into_iter().find(|(count, most, _)| count > most) {
            Some((count, most, what)) => Err(format!("there are {count} {what} or more, and {most} are the most")),
            None => Ok(()),
        }
    }
}

/// Goes through a schema and the schemas in it, and counts their parts. Their depth is bounded by that of JSON.
fn walk(schema: &mut Value, parts: &mut Parts) -> Result<(), String> {
    let Value::Object(fields) = schema else { return Ok(()) };
    fields.retain(|key, value| is_kept(key, value));
    for (key, value) in fields {
        match (key.as_str(), value) {
            ("properties" | "patternProperties" | "$defs" | "definitions", Value::Object(schemas)) => {
                match key.as_str() {
                    "properties" => parts.properties += schemas.len(),
                    "patternProperties" => parts.patterns += schemas.len(),
                    _ => {}
                }
                schemas.values_mut().try_for_each(|schema| walk(schema, parts))?;
            }
            (
                "items" | "prefixItems" | "additionalItems" | "additionalProperties" | "allOf" | "anyOf" | "oneOf",
                Value::Array(schemas),
            ) => schemas.iter_mut().try_for_each(|schema| walk(schema, parts))?,
            ("items" | "additionalItems" | "additionalProperties", schema) => walk(schema, parts)?,
            ("pattern" | "format", _) => parts.patterns += 1,
            ("maximum" | "exclusiveMaximum", value) => bound(value, |number| number.min(EXACT))?,
            ("minimum" | "exclusiveMinimum", value) => bound(value, |number| number.max(-EXACT))?,
            ("const" | "enum" | "multipleOf", value) => exact(value)?,
            _ => {}
        }
    }
    Ok(())
}

fn is_kept(key: &str, value: &Value) -> bool {
    match (key, value) {
        ("format", Value::String(format)) => FORMATS.contains(&format.as_str()),
        // It says nothing, but llguidance refuses the keyword whatever its value.
        ("uniqueItems", Value::Bool(false)) => false,
        _ => true,
    }
}

/// Moves a bound that is out of reach nearer.
fn bound(value: &mut Value, nearer: impl Fn(f64) -> f64) -> Result<(), String> {
    if let Some(number) = value.as_f64().filter(|number| number.abs() > EXACT) {
        *value = Number::from_f64(nearer(number)).map_or(Value::Null, Value::Number);
    }
    exact(value)
}

/// Refuses numbers that are not told from their neighbours.
fn exact(value: &Value) -> Result<(), String> {
    match value {
        Value::Number(number) if number.as_f64().is_none_or(|number| number.abs() > EXACT) => {
            Err(format!("it holds {number}, which is too large a number to be compared"))
        }
        Value::Array(values) => values.iter().try_for_each(exact),
        Value::Object(fields) => fields.values().try_for_each(exact),
        _ => Ok(()),
    }
}
