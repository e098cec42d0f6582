//! Typed access to a TOML document that keeps the line of everything it says.

use std::collections::HashSet;
use std::ops::{Range, RangeInclusive};

use toml::de::{DeTable, DeValue};
use toml::Spanned;

use super::catalogue::fold;
use super::parse::{ConfigError, Environment};
use super::schema::{Kind, Section, CREDENTIAL, SECTIONS};
use super::CredentialSource;
use crate::egress::TlsTerms;
use crate::route::nearest;

/// Words that an error names of those that are known.
const MOST_NAMED: usize = 50;

/// A value and where it stands.
pub type Value<'i> = Spanned<DeValue<'i>>;
/// What every step gives.
pub type Checked<T> = Result<T, ConfigError>;

/// The text, for lines, and the environment, for `$NAME`.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    text: &'a str,
    environment: &'a dyn Environment,
}

impl<'a> Source<'a> {
    pub fn new(text: &'a str, environment: &'a dyn Environment) -> Self {
        Source { text, environment }
    }

    /// The value of a variable, without the white space around it (secrets mounted from files end in a newline).
    pub fn variable(&self, name: &str) -> Option<String> {
        self.environment.get(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty())
    }

    /// A variable that names proxies, where they are used.
    pub fn proxy_variable(&self, name: &str) -> Option<String> {
        self.environment.has_proxies().then(|| self.variable(name))?
    }

    /// What a credential's source says.
    pub fn read(&self, source: &CredentialSource) -> Result<String, String> {
        self.environment.read(source)
    }

    /// What a file of `[providers.tls]` says.
    pub fn pem(&self, path: &str) -> Result<String, String> {
        self.environment.pem(path)
    }

    /// What the file of `[catalogue]` says.
    pub fn catalogue(&self, path: &str) -> Result<String, String> {
        self.environment.catalogue(path)
    }

    /// Why terms of TLS cannot be kept.
    pub fn keeps(&self, terms: &TlsTerms) -> Result<(), String> {
        self.environment.keeps(terms)
    }

    /// Types of engines that packages offer.
    pub fn engine_types(&self) -> Vec<String> {
        self.environment.engine_types()
    }

    /// Line of a byte offset, from 1.
    pub fn line(&self, offset: usize) -> usize {
        1 + memchr::memchr_iter(b'\n', &self.text.as_bytes()[..offset.min(self.text.len())]).count()
    }

    pub fn error<T>(&self, at: &Range<usize>, message: impl Into<String>) -> Checked<T> {
        Err(ConfigError { line: Some(self.line(at.start)), message: message.into() })
    }

    /// Resolves `$NAME` and `${NAME}`; `$$…` is `$…`. Text that is no reference is never quoted: it may be a secret.
    pub fn expand(&self, text: &str, at: &Range<usize>) -> Checked<String> {
        let Some(reference) = text.strip_prefix('$') else { return Ok(text.to_owned()) };
        if reference.starts_with('$') {
            return Ok(reference.to_owned());
        }
        let name = reference.strip_prefix('{').and_then(|r| r.strip_suffix('}')).unwrap_or(reference);
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !starts_well || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return self.error(
                at,
                "a value that begins with `$` must be the name of an environment variable; begin with `$$` for a dollar sign",
            );
        }
        match self.variable(name) {
            Some(value) => Ok(value),
            None => self.error(
                at,
                format!("environment variable `{name}` is not set or empty; set it, or write the value here"),
            ),
        }
    }
}

/// One table, its keys already held against the schema.
pub struct Table<'a> {
    pub source: Source<'a>,
    pub span: Range<usize>,
    entries: &'a DeTable<'a>,
    section: &'static Section,
}

impl<'a> Table<'a> {
    pub fn new(
        source: Source<'a>,
        entries: &'a DeTable<'a>,
        span: Range<usize>,
        section: &'static Section,
    ) -> Checked<Self> {
        let unknown = entries.iter().filter(|(key, _)| section.key(key.get_ref()).is_none());
        if let Some((key, value)) = unknown.min_by_key(|(key, _)| key.span().start) {
            return source.error(&key.span(), unknown_key(key.get_ref(), value.get_ref(), section));
        }
        Ok(Table { source, span, entries, section })
    }

    /// As an operator writes and reads it.
    pub fn header(&self) -> &'static str {
        self.section.header
    }

    /// The value of a key. Asking for one that the schema does not have is a defect that every test would meet.
    pub fn value(&self, key: &str) -> Option<&'a Value<'a>> {
        debug_assert!(self.section.key(key).is_some(), "{key} is missing in the schema of {}", self.section.header);
        self.entries.get(key)
    }

    /// Where a key's value stands, else the table.
    pub fn at(&self, key: &str) -> Range<usize> {
        self.value(key).map_or_else(|| self.span.clone(), |value| value.span())
    }

    /// An error about a key: "`key` in [section] …".
    pub fn fail<T>(&self, key: &str, message: impl std::fmt::Display) -> Checked<T> {
        self.source.error(&self.at(key), format!("`{key}` in {} {message}", self.section.header))
    }

    pub fn wrong_type<T>(&self, key: &str, value: &Value<'_>, wanted: &str) -> Checked<T> {
        let (header, found) = (self.section.header, value.get_ref().type_str());
        let article = |noun: &str| if noun.starts_with(['a', 'i', 'o']) { "an" } else { "a" };
        let message =
            format!("`{key}` in {header} must be {} {wanted}, not {} {found}", article(wanted), article(found));
        self.source.error(&value.span(), message)
    }

    pub fn string(&self, key: &str) -> Checked<Option<&'a str>> {
        match self.value(key) {
            None => Ok(None),
            Some(value) => match value.get_ref() {
                DeValue::String(text) => Ok(Some(text)),
                _ => self.wrong_type(key, value, "string"),
            },
        }
    }

    /// A string that may name an environment variable.
    pub fn expanded(&self, key: &str) -> Checked<Option<String>> {
        let Some(text) = self.string(key)? else { return Ok(None) };
        self.source.expand(text, &self.at(key)).map(Some)
    }

    pub fn boolean(&self, key: &str, into: &mut bool) -> Checked<()> {
        if let Some(value) = self.value(key) {
            match value.get_ref() {
                DeValue::Boolean(flag) => *into = *flag,
                _ => return self.wrong_type(key, value, "boolean"),
            }
        }
        Ok(())
    }

    /// Sets `into` where the key is present, within the schema's bounds.
    pub fn integer<T: TryFrom<i64>>(&self, key: &str, into: &mut T) -> Checked<()> {
        let Some(Kind::Integer { least, most }) = self.section.key(key).map(|key| key.kind) else {
            return self.fail(key, "is no integer in the schema: a defect of hoosh");
        };
        self.integer_in(key, least..=most, into)
    }

    /// The same within bounds of its own, which depend on other keys.
    pub fn integer_in<T: TryFrom<i64>>(&self, key: &str, range: RangeInclusive<i64>, into: &mut T) -> Checked<()> {
        let Some(value) = self.value(key) else { return Ok(()) };
        let DeValue::Integer(digits) = value.get_ref() else { return self.wrong_type(key, value, "integer") };
        let number = i64::from_str_radix(digits.as_str(), digits.radix()).ok().filter(|n| range.contains(n));
        match number.and_then(|n| T::try_from(n).ok()) {
            Some(number) => *into = number,
            None if *range.end() == i64::MAX => {
                return self.fail(key, format_args!("must be at least {}, not {digits}", range.start()))
            }
            None => {
                let (low, high) = range.into_inner();
                return self.fail(key, format_args!("must be from {low} to {high}, not {digits}"));
            }
        }
        Ok(())
    }

    /// A bound that is absent by default: at least 1.
    pub fn bound(&self, key: &str) -> Checked<Option<u32>> {
        let mut bound = 0u32;
        self.integer(key, &mut bound)?;
        Ok((bound > 0).then_some(bound))
    }

    /// One of a few words; case, `-` and `_` do not matter.
    pub fn choice<T: Copy>(&self, key: &str, known: &[(&'static str, T)], into: &mut T) -> Checked<()> {
        let Some(text) = self.string(key)? else { return Ok(()) };
        match known.iter().find(|(word, _)| fold(word) == fold(text)) {
            Some((_, value)) => *into = *value,
            None => {
                return self.fail(key, format_args!("is {}", unknown_word(text, known.iter().map(|(word, _)| *word))))
            }
        }
        Ok(())
    }

    /// The elements of an array; none where the key is absent.
    pub fn array(&self, key: &str) -> Checked<&'a [Value<'a>]> {
        match self.value(key) {
            None => Ok(&[]),
            Some(value) => match value.get_ref() {
                DeValue::Array(values) => Ok(values),
                _ => self.wrong_type(key, value, "array"),
            },
        }
    }

    /// An array of strings, each with its place.
    pub fn strings(&self, key: &str) -> Checked<Vec<(&'a str, Range<usize>)>> {
        self.array(key)?
            .iter()
            .map(|value| match value.get_ref() {
                DeValue::String(text) => Ok((text.as_ref(), value.span())),
                _ => self.wrong_type(key, value, "array of strings"),
            })
            .collect()
    }

    /// `[key]`
    pub fn table(&self, key: &str, section: &'static Section) -> Checked<Option<Table<'a>>> {
        let Some(value) = self.value(key) else { return Ok(None) };
        match value.get_ref() {
            DeValue::Table(entries) => Table::new(self.source, entries, value.span(), section).map(Some),
            DeValue::Array(_) => {
                self.source.error(&value.span(), format!("`{key}` is one table; write it as {}", section.header))
            }
            _ => self.source.error(&value.span(), format!("`{key}` is a table; write it as {}", section.header)),
        }
    }

    /// `[[key]]`
    pub fn tables(&self, key: &str, section: &'static Section) -> Checked<Vec<Table<'a>>> {
        let Some(value) = self.value(key) else { return Ok(Vec::new()) };
        let message = format!("`{key}` is a list of tables; write each as {}", section.header);
        let DeValue::Array(values) = value.get_ref() else { return self.source.error(&value.span(), message) };
        let table = |value: &'a Value<'a>| match value.get_ref() {
            DeValue::Table(entries) => Table::new(self.source, entries, value.span(), section),
            _ => self.source.error(&value.span(), message.as_str()),
        };
        values.iter().map(table).collect()
    }
}

fn unknown_key(key: &str, value: &DeValue<'_>, section: &Section) -> String {
    let top = section.header == super::schema::TOP.header;
    let table = top && matches!(value, DeValue::Table(_) | DeValue::Array(_));
    let what = if table { "table" } else { "key" };
    let start =
        if top { format!("unknown {what} `{key}`") } else { format!("unknown {what} `{key}` in {}", section.header) };
    if let Some(near) = nearest(key, section.keys.iter().map(|key| key.name)) {
        return format!("{start}; did you mean `{near}`?");
    }
    match SECTIONS.iter().chain([&&CREDENTIAL]).find(|other| other.key(key).is_some()) {
        Some(home) => format!("{start}; it belongs in {}", home.header),
        None => format!("{start}; known are {}", names(section)),
    }
}

fn names(section: &Section) -> String {
    section.keys.iter().map(|key| key.name).collect::<Vec<_>>().join(", ")
}

/// Words that may stand somewhere, as many as an operator has written.
pub struct Words<'a> {
    /// In the order of the file.
    all: Vec<&'a str>,
    known: HashSet<&'a str>,
}

impl<'a> Words<'a> {
    pub fn of(all: impl Iterator<Item = &'a str>) -> Self {
        let all: Vec<&str> = all.collect();
        Words { known: all.iter().copied().collect(), all }
    }

    pub fn contains(&self, word: &str) -> bool {
        self.known.contains(word)
    }

    /// As [`unknown_word`] says it.
    pub fn unknown(&self, word: &str) -> String {
        unknown_word(word, self.all.iter().copied())
    }
}

/// "not known: `x`; did you mean `y`? Known are …"
pub fn unknown_word<'k>(word: &str, known: impl Iterator<Item = &'k str> + Clone) -> String {
    if known.clone().next().is_none() {
        return format!("not known: `{word}` (there is none)");
    }
    let hint = nearest(word, known.clone()).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    let (named, all) = (known.clone().take(MOST_NAMED).collect::<Vec<_>>().join(", "), known.count());
    let more = if all > MOST_NAMED { format!(" and {} more", all - MOST_NAMED) } else { String::new() };
    format!("not known: `{word}`{hint} (known are {named}{more})")
}
