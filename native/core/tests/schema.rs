//! The table of keys: that the JSON Schema made of it is the committed one, and that parser, defaults, description and
//! documents say the same as it does. `UPDATE_SCHEMA=1 cargo test -p hoosh-core --test main schema::` writes the schema anew.

use std::path::Path;

use hoosh_core::config::schema::{self, Default as Missing, Key, Kind, Section};
use hoosh_core::config::{parse, Config, Environment};
use hoosh_core::egress::TlsTerms;
use serde_json::Value;

const EXAMPLE: &str = include_str!("../../../hoosh.example.toml");
const DOCUMENT: &str = include_str!("../../../docs/config.md");

/// Where every variable is set, and hoosh installed.
struct Installed;

impl Environment for Installed {
    fn get(&self, name: &str) -> Option<String> {
        Some(format!("value-of-{name}"))
    }

    fn pem(&self, path: &str) -> Result<String, String> {
        Ok(format!("text-of-{path}"))
    }

    fn catalogue(&self, _: &str) -> Result<String, String> {
        Ok("[catalogue]".into())
    }

    fn keeps(&self, _: &TlsTerms) -> Result<(), String> {
        Ok(())
    }

    /// What hoosh's own package offers (pyproject.toml, `hoosh.providers`).
    fn engine_types(&self) -> Vec<String> {
        vec!["llama-cpp-python".into()]
    }
}

fn good(text: &str) -> Config {
    parse(text, &Installed).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn generated() -> Value {
    serde_json::from_str(&schema::json_schema()).unwrap()
}

#[test]
fn the_committed_schema_is_the_one_that_is_made() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/hoosh.schema.json");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&file, schema::json_schema()).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == schema::json_schema(), "docs/hoosh.schema.json is old: `make schema` writes it anew");
}

/// The schema of the tables that a header names.
fn at<'a>(schema: &'a Value, header: &str) -> &'a Value {
    header.trim_matches(['[', ']']).split('.').fold(schema, |table, name| {
        let property = &table["properties"][name];
        let items = &property["items"];
        let table = if items.is_null() { property } else { items };
        table["anyOf"].as_array().map_or(table, |forms| forms.last().unwrap())
    })
}

#[test]
fn every_key_is_in_the_schema_and_nothing_else() {
    let schema = generated();
    for section in schema::SECTIONS.iter().copied().chain([&schema::TOP]) {
        let table = if section.header == schema::TOP.header { &schema } else { at(&schema, section.header) };
        assert_eq!(table["additionalProperties"], Value::Bool(false), "{}", section.header);
        let known = table["properties"].as_object().unwrap_or_else(|| panic!("{}", section.header));
        assert_eq!(known.len(), section.keys.len(), "{}", section.header);
        for key in section.keys {
            let property = &known[key.name];
            let words = property["description"].as_str().unwrap();
            assert!(words.contains(key.about), "{words}");
            assert!(property["type"].is_string() || property["anyOf"].is_array(), "{} has no type", key.name);
            assert_eq!(property.get("default").is_some(), matches!(key.default, Missing::Is(_)), "{}", key.name);
            assert_ne!(property.get("default"), Some(&Value::Null), "{}: its default is no TOML", key.name);
            let required = table["required"].as_array().is_some_and(|all| all.contains(&key.name.into()));
            assert_eq!(required, key.default == Missing::Required, "{}", key.name);
        }
    }
    let key = &at(&schema, "[[providers]]")["properties"]["api_key"]["anyOf"];
    for (form, type_) in [(0, "string"), (1, "object")] {
        assert_eq!(key[form]["type"], type_);
    }
    for key_of_it in schema::CREDENTIAL.keys {
        assert!(key[1]["properties"][key_of_it.name].is_object());
        assert!(DOCUMENT.contains(&format!("`{}", key_of_it.name)) && EXAMPLE.contains(key_of_it.name));
    }
    assert_eq!(at(&schema, "[[auth.tokens]]")["properties"]["token"]["type"], "string");
    assert_eq!(at(&schema, "[deadlines]")["properties"]["idle_secs"]["x-unit"], "seconds");
    assert_eq!(at(&schema, "[server]")["properties"]["port"]["maximum"], 65_535);
}

/// The keys of a section with the defaults that the table states.
fn defaults(section: &Section) -> String {
    let stated = section.keys.iter().filter_map(|key| match key.default {
        Missing::Is(toml) => Some(format!("{} = {toml}\n", key.name)),
        _ => None,
    });
    stated.collect()
}

#[test]
fn stated_defaults_are_those_in_force() {
    let alone = |section: &&&Section| !section.header.starts_with("[[") && !section.header.contains('.');
    for section in schema::SECTIONS.iter().filter(alone) {
        let stated = good(&format!("{}\n{}", section.header, defaults(section)));
        assert_eq!(stated, good(""), "{}", section.header);
    }
    for (section, needed) in [
        (&schema::PROVIDERS, "type = \"ollama\"\n"),
        (&schema::TOKENS, "token = \"t\"\n"),
        (&schema::BUDGETS, "name = \"b\"\ncapacity = 5\n"),
    ] {
        let without = format!("{}\n{needed}", section.header);
        assert_eq!(good(&format!("{without}{}", defaults(section))), good(&without), "{}", section.header);
    }
    {
        let section = &schema::PROVIDERS_TLS;
        let without = format!("[[providers]]\ntype = \"openai\"\n{}\nca_file = \"x\"\n", section.header);
        assert_eq!(good(&format!("{without}{}", defaults(section))), good(&without), "{}", section.header);
    }
}

/// The example with its commented keys switched on, and one form of `tokens`. A comment that is a key has ` = ` after its
/// first word.
fn whole_example() -> String {
    let is_key =
        |rest: &str| rest.starts_with('[') || rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
    let lines = EXAMPLE.lines().map(|line| line.strip_prefix("# ").filter(|rest| is_key(rest)).unwrap_or(line));
    // Of the two forms of keys the other is tested in `config.rs`.
    let other = |line: &str| line.starts_with("tokens = ") || line.starts_with("api_keys = ");
    lines.filter(|line| !other(line)).map(|line| line.to_owned() + "\n").collect()
}

/// The lines below a header, until the next.
fn body<'a>(text: &'a str, header: &str) -> Vec<&'a str> {
    let below = |line: &&str| !line.starts_with('[');
    text.split(&format!("\n{header}\n")).skip(1).flat_map(|rest| rest.lines().take_while(below)).collect()
}

#[test]
fn a_description_prints_every_key() {
    let config = good(&whole_example());
    let described = format!("\n{}", config.describe());
    for section in schema::SECTIONS {
        let lines = body(&described, section.header);
        let told = |key: &&Key| !matches!(key.kind, Kind::Tables | Kind::Section | Kind::Secrets);
        for key in section.keys.iter().filter(told) {
            let shown = |line: &&str| line.starts_with(&format!("{} = ", key.name));
            let absent = |line: &&str| line.starts_with(&format!("# {}: ", key.name));
            let found = lines.iter().any(|line| shown(line) || absent(line));
            assert!(found, "{} of {}\n{described}", key.name, section.header);
        }
    }
}

/// A default as the document writes it: digits in groups of commas, words without quotes.
fn in_the_document(key: &Key) -> String {
    match key.default {
        Missing::Required => "required".into(),
        Missing::Derived(words) | Missing::None(words) => words.replace('`', ""),
        Missing::Is(toml) if toml.starts_with(|c: char| c.is_ascii_digit()) => toml.replace('_', ","),
        Missing::Is(toml) => toml.replace('"', ""),
    }
}

#[test]
fn the_document_states_the_same_defaults() {
    for section in schema::SECTIONS {
        let part = DOCUMENT.split_once(&format!("\n## `{}`\n", section.header));
        let part = part.unwrap_or_else(|| panic!("{}", section.header)).1.split("\n## ").next().unwrap();
        for key in section.keys {
            let row = part.lines().find(|line| line.starts_with(&format!("| `{}` |", key.name)));
            let row = row.unwrap_or_else(|| panic!("{} of {} has no row", key.name, section.header));
            let cell = row.split(" | ").nth(1).unwrap().replace('`', "");
            // Links say where a word is explained.
            let cell = match (cell.split_once("]("), cell.rsplit_once('[')) {
                (Some((words, _)), Some((before, _))) => before.to_owned() + &words[before.len() + 1..],
                _ => cell.clone(),
            };
            assert_eq!(cell, in_the_document(key), "{} of {}", key.name, section.header);
        }
    }
}
