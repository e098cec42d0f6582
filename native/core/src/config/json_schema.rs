//! The configuration file as a JSON Schema (draft 2020-12), for editors and other checkers: made of [`super::schema`] alone.
//!
//! What one key may be is said here; what two keys must be together (a slice within its capacity, names that are unique) and
//! whether a host name is one, only [`super::parse()`] knows.

use std::fmt::Write;

use super::catalogue::types;
use super::schema::{Default, Key, Kind, Section, CREDENTIAL, SECTIONS, TOP};
use crate::json::Tree;

/// A class of Python as a type: each name with dots.
const PYTHON_TYPE: &str =
    "^python:[A-Za-z_][A-Za-z0-9_]*([.][A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*([.][A-Za-z_][A-Za-z0-9_]*)*$";

/// Pretty JSON, one line end at its end.
pub fn json_schema() -> String {
    let mut fields = vec![
        ("$schema", "https://json-schema.org/draft/2020-12/schema".into()),
        ("$id", "hoosh.schema.json".into()),
        ("title", "hoosh.toml".into()),
        ("description", "The configuration of hoosh, an AI inference gateway. Reference: docs/config.md.".into()),
    ];
    fields.extend(table_fields(&TOP, ""));
    Tree::Object(fields).pretty()
}

fn texts<'a>(all: impl Iterator<Item = &'a str>) -> Tree {
    all.map(Tree::from).collect()
}

/// A table at `path`, such as `auth.tokens`.
fn table(section: &Section, path: &str) -> Tree {
    Tree::Object(table_fields(section, path))
}

fn table_fields(section: &Section, path: &str) -> Vec<(&'static str, Tree)> {
    let required = || section.keys.iter().filter(|key| key.default == Default::Required);
    let mut fields = vec![
        ("type", "object".into()),
        ("additionalProperties", false.into()),
        ("properties", Tree::Object(section.keys.iter().map(|key| (key.name, property(key, path))).collect())),
    ];
    if required().next().is_some() {
        fields.push(("required", texts(required().map(|key| key.name))));
    }
    fields
}

fn property(key: &Key, path: &str) -> Tree {
    let mut fields = vec![("description", described(key).into())];
    fields.extend(shape(key, path));
    if let Some(unit) = unit(key.name) {
        fields.push(("x-unit", unit.into()));
    }
    if let Default::Is(toml) = key.default {
        fields.push(("default", value(toml)));
    }
    Tree::Object(fields)
}

/// What it means, and what holds where it is left out and no value says so.
fn described(key: &Key) -> String {
    match key.default {
        Default::Derived(words) | Default::None(words) => format!("{} Left out: {words}.", key.about),
        Default::Is(_) | Default::Required => key.about.to_owned(),
    }
}

fn shape(key: &Key, path: &str) -> Vec<(&'static str, Tree)> {
    match key.kind {
        Kind::Text | Kind::Secret => vec![("type", "string".into())],
        Kind::Credential => vec![credential(path)],
        Kind::Secrets => array(Tree::Object(vec![credential(path)])),
        Kind::Named => {
            let string = Tree::Object(vec![("type", "string".into())]);
            vec![("type", "object".into()), ("additionalProperties", string)]
        }
        Kind::Decimal => {
            let text = vec![("type", "string".into()), ("pattern", "^[0-9]+([.][0-9]{1,6})?$".into())];
            let number = vec![("type", "number".into()), ("minimum", 0u32.into())];
            vec![("anyOf", Tree::Array(vec![Tree::Object(number), Tree::Object(text)]))]
        }
        Kind::Boolean => vec![("type", "boolean".into())],
        Kind::Integer { least, most } => {
            let mut fields = vec![("type", "integer".into()), ("minimum", least.into())];
            fields.extend((most < i64::MAX).then(|| ("maximum", most.into())));
            fields
        }
        Kind::Word(words) => word(words.iter().copied(), words.iter().copied()),
        Kind::Type => {
            let mut fields = word(
                types().iter().map(|kind| kind.name.as_str()),
                types().iter().flat_map(|kind| std::iter::once(&kind.name).chain(&kind.aliases)).map(String::as_str),
            );
            if let Some((_, Tree::Array(forms))) = fields.last_mut() {
                forms.push(Tree::Object(vec![("pattern", PYTHON_TYPE.into())]));
            }
            fields
        }
        Kind::Table => vec![("type", "object".into())],
        Kind::Texts => array(Tree::Object(vec![("type", "string".into())])),
        Kind::Section => match section(key.name, path) {
            Some((section, path)) if section.header.starts_with("[[") => array(table(section, &path)),
            Some((section, path)) => table_fields(section, &path),
            None => Vec::new(),
        },
        Kind::Tables => {
            let string = Tree::Object(vec![("type", "string".into())]);
            let tables = section(key.name, path).map(|(section, path)| table(section, &path));
            array(Tree::Object(vec![("anyOf", Tree::Array(std::iter::once(string).chain(tables).collect()))]))
        }
    }
}

/// Text, or a table that says where it is.
fn credential(path: &str) -> (&'static str, Tree) {
    let mut fields = table_fields(&CREDENTIAL, path);
    let one = |key: &str| Tree::Object(vec![("required", texts(std::iter::once(key)))]);
    fields.push(("oneOf", Tree::Array(vec![one("file"), one("command")])));
    let forms = vec![Tree::Object(vec![("type", "string".into())]), Tree::Object(fields)];
    ("anyOf", Tree::Array(forms))
}

fn array(items: Tree) -> Vec<(&'static str, Tree)> {
    vec![("type", "array".into()), ("items", items)]
}

/// One of the words `shown`, which editors offer, or another spelling of one of `known`.
fn word<'a>(shown: impl Iterator<Item = &'a str>, known: impl Iterator<Item = &'a str>) -> Vec<(&'static str, Tree)> {
    let patterns: Vec<String> = known.map(any_spelling).collect();
    let exact = Tree::Object(vec![("enum", texts(shown))]);
    let pattern = format!("^({})$", patterns.join("|")).into();
    vec![("type", "string".into()), ("anyOf", Tree::Array(vec![exact, Tree::Object(vec![("pattern", pattern)])]))]
}

/// A pattern that does not regard case, `-` and `_`: what `catalogue::fold` takes for the same word.
fn any_spelling(word: &str) -> String {
    let mut pattern = String::from("[-_]*");
    for letter in word.chars().filter(|letter| !matches!(letter, '-' | '_')) {
        let _ = write!(pattern, "[{}{}][-_]*", letter.to_ascii_lowercase(), letter.to_ascii_uppercase());
    }
    pattern
}

/// The section that a key opens, and its path.
fn section(name: &str, path: &str) -> Option<(&'static Section, String)> {
    let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    let section = SECTIONS.iter().find(|section| section.header.trim_matches(['[', ']']) == path)?;
    Some((section, path))
}

/// By the endings that keys with a unit have.
fn unit(name: &str) -> Option<&'static str> {
    const UNITS: &[(&str, &str)] = &[
        ("_secs", "seconds"),
        ("_ms", "milliseconds"),
        ("_bytes", "bytes"),
        ("_rpm", "requests per minute"),
        ("_tpm", "tokens per minute"),
        ("_percent", "percent"),
    ];
    UNITS.iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, unit)| *unit)
}

/// A TOML value as JSON. One that is none is a defect of the table, which the tests meet.
fn value(toml: &str) -> Tree {
    let parsed = format!("value = {toml}").parse::<toml::Table>().ok().and_then(|mut table| table.remove("value"));
    parsed.map_or(Tree::Plain("null".into()), json)
}

fn json(value: toml::Value) -> Tree {
    match value {
        toml::Value::String(words) => words.into(),
        toml::Value::Array(values) => Tree::Array(values.into_iter().map(json).collect()),
        // Integers, booleans and finite floats are written alike in both.
        other => Tree::Plain(other.to_string()),
    }
}
