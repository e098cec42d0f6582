//! The table of configuration keys, from which the types of `hoosh.Provider` and the builder are written.

use std::iter::once;

use hoosh_core::config::schema::{Default, Kind, CREDENTIAL, SECTIONS};
use pyo3::prelude::*;

type Key = (&'static str, &'static str, Vec<&'static str>, bool, String, &'static str);

/// What a credential may hold, then each table of the file.
///
/// Of each its header, and its keys as (name, kind, words, required, default, meaning).
#[pyfunction]
pub fn config_keys() -> Vec<(&'static str, Vec<Key>)> {
    let key = |key: &hoosh_core::config::schema::Key| {
        let (kind, words): (_, &[&str]) = match key.kind {
            // A type has aliases, which a list of words would refuse.
            Kind::Text | Kind::Type => ("text", &[]),
            Kind::Secret => ("secret", &[]),
            Kind::Credential => ("credential", &[]),
            Kind::Boolean => ("boolean", &[]),
            Kind::Integer { .. } => ("integer", &[]),
            Kind::Word(words) => ("word", words),
            Kind::Texts => ("texts", &[]),
            Kind::Secrets => ("credentials", &[]),
            Kind::Table => ("table", &[]),
            Kind::Named => ("named", &[]),
            Kind::Decimal => ("decimal", &[]),
            Kind::Tables => ("tables", &[]),
            Kind::Section => ("section", &[]),
        };
        let default = match key.default {
            Default::Required => String::new(),
            Default::Is(text) | Default::Derived(text) | Default::None(text) => text.to_owned(),
        };
        (key.name, kind, words.to_vec(), key.default == Default::Required, default, key.about)
    };
    let sections = once(&CREDENTIAL).chain(SECTIONS.iter().copied());
    sections.map(|section| (section.header, section.keys.iter().map(key).collect())).collect()
}
