//! The table of configuration keys, from which the types of `hoosh.Provider` and the builder are written.

use hoosh_core::config::schema::{Default, Kind, SECTIONS};
use pyo3::prelude::*;

type Key = (&'static str, &'static str, Vec<&'static str>, bool, String, &'static str);

/// Each table of the file: its header, and its keys as (name, kind, words, required, default, meaning).
#[pyfunction]
pub fn config_keys() -> Vec<(&'static str, Vec<Key>)> {
    let key = |key: &hoosh_core::config::schema::Key| {
        let (kind, words): (_, &[&str]) = match key.kind {
            Kind::Text => ("text", &[]),
            Kind::Secret => ("secret", &[]),
            Kind::Boolean => ("boolean", &[]),
            Kind::Integer { .. } => ("integer", &[]),
            Kind::Word(words) => ("word", words),
            Kind::Texts => ("texts", &[]),
            Kind::Tables => ("tables", &[]),
        };
        let default = match key.default {
            Default::Required => String::new(),
            Default::Is(text) | Default::Derived(text) | Default::None(text) => text.to_owned(),
        };
        (key.name, kind, words.to_vec(), key.default == Default::Required, default, key.about)
    };
    SECTIONS.iter().map(|section| (section.header, section.keys.iter().map(key).collect())).collect()
}
