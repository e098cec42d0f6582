//! A key that the operator does not write into the file: where it is, and what it says. The one place that makes a credential
//! of a value.

use toml::de::DeValue;

use super::providers::is_header_text;
use super::reader::{Checked, Table, Value};
use super::{schema, Secret};

/// Where a credential is, other than in the file or the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `{ file = "/run/secrets/key" }`: the text of a file.
    File(String),
    /// `{ command = ["op", "read", "…"] }`: what a program prints. No shell sees it.
    Command(Vec<String>),
}

/// The credential that `key` holds or names; `None` where it is absent.
pub(super) fn credential(t: &Table<'_>, key: &'static str) -> Checked<Option<Secret>> {
    match t.value(key) {
        None => Ok(None),
        Some(value) => one(t, key, value).map(Some),
    }
}

/// The credential that one value holds or names: of `key`, or a member of its array.
pub(super) fn one(t: &Table<'_>, key: &'static str, value: &Value<'_>) -> Checked<Secret> {
    let at = value.span();
    let text = match value.get_ref() {
        DeValue::String(text) => t.source.expand(text, &at)?,
        DeValue::Table(entries) => {
            let inner = Table::new(t.source, entries, at.clone(), &schema::CREDENTIAL)?;
            let source = source(&inner, key)?;
            match t.source.read(&source) {
                Ok(text) => text.trim().to_owned(),
                // Whoever reads does not quote what it read.
                Err(why) => return t.fail(key, format_args!("cannot be had: {why}")),
            }
        }
        _ => return t.wrong_type(key, value, "string, or a table with `file` or `command`"),
    };
    if !is_header_text(&text) {
        let message = format!(
            "`{key}` in {} must be one line of visible ASCII without spaces, because it is sent in a header",
            t.header()
        );
        return t.source.error(&at, message);
    }
    Ok(Secret::new(text))
}

fn source(t: &Table<'_>, key: &str) -> Checked<Source> {
    let words = t.strings("command")?;
    match (t.string("file")?, words.is_empty()) {
        (Some(file), true) if !file.is_empty() => Ok(Source::File(file.to_owned())),
        (None, false) if !words[0].0.is_empty() => {
            Ok(Source::Command(words.into_iter().map(|(word, _)| word.to_owned()).collect()))
        }
        _ => t.source.error(
            &t.span,
            format!("`{key}` as a table has one of `file`, a path, and `command`, a program and its arguments"),
        ),
    }
}
