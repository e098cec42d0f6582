//! `[[routes]]`, what is set for some models; and the deadlines that a route or provider sets for itself.

use std::collections::HashSet;

use super::providers::pattern_fault;
use super::reader::{Checked, Table};
use super::{schema, Deadlines};

/// `[[routes]]`: what is set for some models, wherever they are asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// The exact name by which providers know the model, or a prefix that ends in `*`. Unique.
    pub model: String,
    /// Deadlines of its own, before those of the provider.
    pub patience: Patience,
}

/// Deadlines that a provider or route sets for itself, seconds; `None`: whatever holds without it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patience {
    /// See [`Deadlines::connect_secs`].
    pub connect_secs: Option<u32>,
    /// See [`Deadlines::first_byte_secs`].
    pub first_byte_secs: Option<u32>,
    /// See [`Deadlines::idle_secs`].
    pub idle_secs: Option<u32>,
    /// See [`Deadlines::total_secs`].
    pub total_secs: Option<u32>,
}

pub fn routes(top: &Table<'_>) -> Checked<Vec<Route>> {
    let (mut routes, mut taken) = (Vec::new(), HashSet::new());
    for t in top.tables("routes", &schema::ROUTES)? {
        let Some(model) = t.string("model")? else {
            return t.fail("model", "is missing; name a model, or a prefix that ends in `*`");
        };
        if let Some(message) = pattern_fault(model) {
            return t.fail("model", format_args!("is not one: {message}"));
        }
        if !taken.insert(model) {
            return t.fail("model", format_args!("is taken: two routes are for `{model}`; make them one"));
        }
        routes.push(Route { model: model.to_owned(), patience: patience(&t)? });
    }
    Ok(routes)
}

/// The four keys of `[deadlines]` that a table may set for itself.
pub fn patience(t: &Table<'_>) -> Checked<Patience> {
    Ok(Patience {
        connect_secs: t.bound("connect_secs")?,
        first_byte_secs: t.bound("first_byte_secs")?,
        idle_secs: t.bound("idle_secs")?,
        total_secs: t.bound("total_secs")?,
    })
}

impl Patience {
    /// Each with its key.
    pub(super) fn keys(&self) -> [(&'static str, Option<u32>); 4] {
        [
            ("connect_secs", self.connect_secs),
            ("first_byte_secs", self.first_byte_secs),
            ("idle_secs", self.idle_secs),
            ("total_secs", self.total_secs),
        ]
    }
}

impl Deadlines {
    /// These, but for what `patience` sets.
    pub fn but(&self, patience: &Patience) -> Deadlines {
        let or = |own: Option<u32>, other: u64| own.map_or(other, u64::from);
        Deadlines {
            connect_secs: or(patience.connect_secs, self.connect_secs),
            first_byte_secs: or(patience.first_byte_secs, self.first_byte_secs),
            idle_secs: or(patience.idle_secs, self.idle_secs),
            total_secs: or(patience.total_secs, self.total_secs),
            ..self.clone()
        }
    }
}
