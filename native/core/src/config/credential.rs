//! A key that the operator does not write into the file: where it is, and what it says. The one place that makes a credential
//! of a value.

use toml::de::DeValue;

use super::providers::is_header_text;
use super::reader::{Checked, Table, Value};
use super::{schema, Credential, Secret};

/// Where a credential is, other than in the file or the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `{ file = "/run/secrets/key" }`: the text of a file.
    File(String),
    /// `{ command = ["op", "read", "…"] }`: what a program prints. No shell sees it.
    Command(Vec<String>),
}

/// That a credential is read again, because what its source says may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// Where it is.
    pub source: Source,
    /// Seconds from one reading to the next. `None`: only when the provider refuses it.
    pub refresh_secs: Option<u64>,
}

impl Credential {
    /// What a source said, without the white space around it, if it can be sent in a header.
    pub(crate) fn sendable(text: &str) -> Option<Secret> {
        let text = text.trim();
        is_header_text(text).then(|| Secret::new(text))
    }

    fn source(&self) -> Option<&Source> {
        self.renewal.as_ref().map(|renewal| &renewal.source)
    }

    /// Whether two of one provider are one credential: of one place, or with the same text.
    pub(super) fn is_same(&self, other: &Credential) -> bool {
        self.secret == other.secret || self.source().is_some() && self.source() == other.source()
    }

    /// Whether `other`, of another configuration, is this one: of the same place, whatever it says there by now.
    pub(crate) fn stays(&self, other: &Credential) -> bool {
        match self.source() {
            None => other.source().is_none() && self.secret == other.secret,
            own => own == other.source(),
        }
    }
}

/// The credential that `key` holds or names; `None` where it is absent.
pub(super) fn credential(t: &Table<'_>, key: &'static str) -> Checked<Option<Credential>> {
    match t.value(key) {
        None => Ok(None),
        Some(value) => one(t, key, value).map(Some),
    }
}

/// The credential that one value holds or names: of `key`, or a member of its array.
pub(super) fn one(t: &Table<'_>, key: &'static str, value: &Value<'_>) -> Checked<Credential> {
    let at = value.span();
    let (text, renewal) = match value.get_ref() {
        DeValue::String(text) => (t.source.expand(text, &at)?, None),
        DeValue::Table(entries) => {
            let inner = Table::new(t.source, entries, at.clone(), &schema::CREDENTIAL)?;
            let renewal = renewal(&inner, key)?;
            match t.source.read(&renewal.source) {
                Ok(text) => (text.trim().to_owned(), Some(renewal)),
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
    Ok(Credential { secret: Secret::new(text), renewal })
}

fn renewal(t: &Table<'_>, key: &str) -> Checked<Renewal> {
    let words = t.strings("command")?;
    let source = match (t.string("file")?, words.is_empty()) {
        (Some(file), true) if !file.is_empty() => Source::File(file.to_owned()),
        (None, false) if !words[0].0.is_empty() => {
            Source::Command(words.into_iter().map(|(word, _)| word.to_owned()).collect())
        }
        _ => {
            let message =
                format!("`{key}` as a table has one of `file`, a path, and `command`, a program and its arguments");
            return t.source.error(&t.span, message);
        }
    };
    let mut refresh_secs = 0u64;
    t.integer("refresh_secs", &mut refresh_secs)?;
    Ok(Renewal { source, refresh_secs: (refresh_secs > 0).then_some(refresh_secs) })
}
