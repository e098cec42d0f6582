//! Other names for models: the operator's word on what a name means.
//!
//! Each alias has its finished candidate list, as an exact name has. Those without `*` lie in the table of exact names, so
//! that they cost what a model's name costs; patterns are a short list that is looked through last of all.

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::{Candidate, Exact, Routes};
use crate::config::{self, Config};
use crate::glob::Glob;

/// All aliases of one configuration.
pub(super) struct Aliases {
    /// In the order of the file.
    all: Vec<Alias>,
    /// Those without `*`.
    exact: HashMap<Arc<str>, u32, FixedState>,
    /// The others, the one with the longest text first, equals in the order of the file.
    patterns: Vec<(Glob, u32)>,
}

/// Where each alias stands in the configuration, by its name.
type Places<'a> = HashMap<&'a str, usize, FixedState>;

pub(super) struct Alias {
    /// As it is written.
    pub name: Arc<str>,
    /// Empty if nobody serves any of what it stands for.
    pub candidates: Arc<[Candidate]>,
}

impl Aliases {
    pub fn none(hasher: FixedState) -> Aliases {
        Aliases { all: Vec::new(), exact: HashMap::with_hasher(hasher), patterns: Vec::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The alias of exactly this name.
    pub fn exact(&self, name: &str) -> Option<&Alias> {
        self.exact.get(name).map(|at| &self.all[*at as usize])
    }

    /// Those without `*`, in the order of the file.
    pub fn exact_ones(&self) -> impl Iterator<Item = &Alias> {
        self.all.iter().filter(|alias| self.exact.contains_key(&alias.name))
    }

    /// The pattern that means `name` and says most.
    pub fn matching(&self, name: &str) -> Option<&Alias> {
        let (_, at) = self.patterns.iter().find(|(glob, _)| glob.matches(name))?;
        Some(&self.all[*at as usize])
    }

    /// Finishes the lists, once `routes` knows everything else.
    pub fn of(config: &Config, routes: &Routes) -> Aliases {
        let mut aliases = Aliases::none(routes.hasher.clone());
        let mut places: Places<'_> = HashMap::with_hasher(routes.hasher.clone());
        for (at, alias) in config.aliases.iter().enumerate() {
            places.entry(&alias.name).or_insert(at);
        }
        for (at, alias) in (0u32..).zip(&config.aliases) {
            let mut list = Vec::new();
            expand(routes, (&config.aliases, &places), at as usize, &mut Vec::new(), &mut list);
            let name: Arc<str> = alias.name.as_str().into();
            match Glob::new(&name) {
                Glob::Exact(_) => drop(aliases.exact.insert(name.clone(), at)),
                glob => aliases.patterns.push((glob, at)),
            }
            aliases.all.push(Alias { name, candidates: list.into() });
        }
        aliases.patterns.sort_by_key(|(glob, _)| std::cmp::Reverse(glob.literal_bytes()));
        aliases
    }
}

impl Routes {
    /// The alias by whose pattern a name is meant that is none of the names with a meaning of their own.
    pub(super) fn caught(&self, model: &str, exact: Option<&Exact>) -> Option<&Alias> {
        if self.aliases.is_empty() || exact.is_some_and(|exact| exact.written) {
            return None;
        }
        self.aliases.matching(model)
    }

    /// The name, as it is written, of the alias that answers for `model`.
    pub fn alias(&self, model: &str) -> Option<&str> {
        if self.aliases.is_empty() {
            return None;
        }
        if let Some(alias) = self.aliases.exact(model) {
            return Some(&alias.name);
        }
        let hash = self.hash(model.as_bytes());
        let exact = self.exact.find(hash, |e| e.hash == hash && self.name(e) == model.as_bytes());
        let is_named = exact.is_none() && self.named(model).is_some();
        self.caught(model, exact).filter(|_| !is_named).map(|alias| &*alias.name)
    }
}

/// Adds the candidates of what alias number `at` stands for, each model a step of its own. `open` are the aliases on the
/// way here: a configuration that was not read from a file may lead in a circle.
fn expand(
    routes: &Routes,
    aliases: (&[config::Alias], &Places<'_>),
    at: usize,
    open: &mut Vec<usize>,
    list: &mut Vec<Candidate>,
) {
    if open.contains(&at) {
        return;
    }
    open.push(at);
    for model in &aliases.0[at].models {
        let other = aliases.1.get(&**model).copied().filter(|other| *other != at);
        if let Some(other) = other {
            expand(routes, aliases, other, open, list);
            continue;
        }
        let step = list.last().map_or(0, |last| last.step + 1);
        for candidate in routes.find(model).iter().flat_map(|all| all.iter()) {
            let known = |c: &Candidate| (c.provider, &c.model) == (candidate.provider, &candidate.model);
            if !list.iter().any(known) {
                list.push(Candidate { step, ..candidate.clone() });
            }
        }
    }
    open.pop();
}
