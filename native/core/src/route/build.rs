//! Building the table.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet, HashTable};

use super::aliases::Aliases;
use super::bounds::Known;
use super::merged::Merged;
use super::{Candidate, Exact, Listed, Routes};
use crate::config::{Config, Provider, ProviderKind, Strategy};
use crate::glob::Glob;
use crate::probe::Facts;
use crate::sync::atomic::AtomicU64;

/// Candidates that the lists of all exact names may hold together, about 8 MiB; names beyond it are merged when asked
/// for. Only many names under many providers that serve everything come near it.
const MAX_READY: usize = 1 << 18;
/// Counters for turns.
const TURNS: usize = 1 << 10;

/// The exact names, while the table is built.
struct Names {
    /// As they came up first.
    order: Vec<Arc<str>>,
    /// Those that stand in the configuration.
    written: HashSet<Arc<str>, FixedState>,
}

impl Routes {
    /// Builds the table. `discovered[p]` are the models that provider `p` reported itself (`GET /models`); the slice
    /// may be shorter than the providers. They are listed as far as the provider's `models` admit them, and they are
    /// all that a *found* provider, or an engine of this process, serves without `models`.
    pub fn build(config: &Config, discovered: &[Vec<String>]) -> Routes {
        let discovered: Vec<_> = discovered.iter().cloned().map(Some).collect();
        Routes::build_probed(config, &discovered, &[])
    }

    /// The same, where `None` stands for a provider that is not there and serves nothing, and `probed[p]` is what the engine
    /// or the server of provider `p` says of its models.
    pub fn build_probed(config: &Config, discovered: &[Option<Vec<String>>], probed: &[Vec<Facts>]) -> Routes {
        let hasher = FixedState::with_seed(0x726f_7574_6573);
        let providers = &config.providers;
        let (ranks, by_rank) = ranks(providers);
        let mut routes = Routes {
            strategy: config.server.strategy,
            priorities: providers.iter().map(|p| p.priority).collect(),
            ranks,
            by_rank,
            names_of_providers: HashTable::with_capacity(providers.len()),
            names: "".into(),
            exact: HashTable::new(),
            listers: HashMap::with_hasher(hasher.clone()),
            prefixes: HashMap::with_hasher(hasher.clone()),
            prefix_lengths: Vec::new(),
            everything: Vec::new(),
            globs: Vec::new(),
            listed: Vec::new(),
            aliases: Aliases::none(hasher.clone()),
            known: Known::of(config, probed, hasher.clone()),
            merged: Merged::default(),
            turns: (0..TURNS).map(|_| AtomicU64::new(0)).collect(),
            hasher,
        };
        let mut names = Names { order: Vec::new(), written: HashSet::with_hasher(routes.hasher.clone()) };
        for (index, provider) in (0u32..).zip(providers) {
            let said = discovered.get(index as usize).map_or(Some(&[][..]), Option::as_deref);
            routes.add_provider(index, provider, said, &mut names);
        }
        routes.everything.sort_unstable();
        routes.everything.dedup();
        routes.prefix_lengths = routes.prefixes.keys().map(|p| p.len()).collect();
        routes.prefix_lengths.sort_unstable();
        routes.prefix_lengths.dedup();
        routes.list(&names, providers);
        routes.index(&names);
        routes.aliases = Aliases::of(config, &routes);
        routes.list_aliases();
        routes.index_aliases();
        routes
    }

    fn add_provider(&mut self, index: u32, provider: &Provider, discovered: Option<&[String]>, names: &mut Names) {
        let hash = self.hash(provider.name.as_bytes());
        if self.provider(&provider.name).is_none() {
            let rehash = |(name, _): &(Box<str>, u32)| hash_of(&self.hasher, name.as_bytes());
            self.names_of_providers.insert_unique(hash, (provider.name.as_str().into(), index), rehash);
        }
        let Some(discovered) = discovered else { return };
        let rank = self.ranks[index as usize];
        for pattern in &provider.models {
            match Glob::new(pattern) {
                Glob::Exact(_) => self.add_exact(index, pattern, true, names),
                Glob::Prefix(stem) if stem.is_empty() => self.everything.push(rank),
                Glob::Prefix(stem) => self.prefixes.entry(stem.as_bytes().into()).or_default().push(rank),
                glob => self.globs.push((glob, rank)),
            }
        }
        // One that was found may not be what it seems, and an engine of this process knows all that it has.
        let says_all = provider.found || provider.kind == ProviderKind::Engine;
        if provider.models.is_empty() && (!says_all || discovered.is_empty()) {
            self.everything.push(rank);
        }
        for model in discovered.iter().filter(|m| !m.is_empty() && admits(provider, m)) {
            self.add_exact(index, model, false, names);
        }
    }

    fn add_exact(&mut self, provider: u32, model: &str, written: bool, names: &mut Names) {
        match self.listers.get_mut(model) {
            // Providers come in ascending order, so that a repeated name is the last entry.
            Some(listers) if listers.last() == Some(&provider) => {}
            Some(listers) => listers.push(provider),
            None => {
                let name: Arc<str> = model.into();
                names.order.push(name.clone());
                self.listers.insert(name, vec![provider]);
            }
        }
        if written {
            names.written.insert(model.into());
        }
    }

    /// Fills the list for callers. A name that does not resolve by itself (under `Direct` one of several providers, or a
    /// discovered one that begins with a provider's name) is listed once for each, with its provider.
    fn list(&mut self, names: &Names, providers: &[Provider]) {
        for name in &names.order {
            let listers = &self.listers[name];
            let alone = self.strategy != Strategy::Direct || listers.len() == 1;
            if alone && self.has_own_meaning(names, name) {
                self.listed.push(Listed { model: name.clone(), provider: listers[0], alias: false });
                continue;
            }
            for &provider in listers {
                let model = format!("{}/{name}", providers[provider as usize].name).into();
                self.listed.push(Listed { model, provider, alias: false });
            }
        }
    }

    /// Whether an exact name means its model: discovered ones do not take over what begins with a provider's name.
    fn has_own_meaning(&self, names: &Names, name: &Arc<str>) -> bool {
        names.written.contains(name) || self.named(name).is_none()
    }

    /// Aliases come first, and in the place of models of their names.
    fn list_aliases(&mut self) {
        let serving = self.aliases.exact_ones().filter_map(|alias| Some((alias, alias.candidates.first()?)));
        let mut listed: Vec<Listed> = serving
            .map(|(alias, first)| Listed { model: alias.name.clone(), provider: first.provider, alias: true })
            .collect();
        if !self.aliases.is_empty() {
            let models = std::mem::take(&mut self.listed);
            listed.extend(models.into_iter().filter(|model| self.aliases.exact(&model.model).is_none()));
            self.listed = listed;
        }
    }

    /// Lays the exact names into one block and finishes their candidate lists.
    fn index(&mut self, names: &Names) {
        let own: Vec<&Arc<str>> = names.order.iter().filter(|name| self.has_own_meaning(names, name)).collect();
        self.names = own.iter().map(|name| &***name).collect::<String>().into();
        let mut room = MAX_READY;
        let mut start = 0;
        let mut entries = Vec::with_capacity(own.len());
        for name in own {
            let (candidates, written) = (self.ready(name, &mut room), names.written.contains(name));
            entries.push(Exact { hash: self.hash(name.as_bytes()), start, len: name.len(), written, candidates });
            start += name.len();
        }
        self.exact.reserve(entries.len(), |e| e.hash);
        for entry in entries {
            self.exact.insert_unique(entry.hash, entry, |e| e.hash);
        }
    }

    /// Puts aliases into the table of exact names, and where a pattern means a name that was only discovered, its list.
    fn index_aliases(&mut self) {
        if self.aliases.is_empty() {
            return;
        }
        let (mut names, aliases) = (std::mem::take(&mut self.names).into_string(), &self.aliases);
        for entry in self.exact.iter_mut().filter(|entry| !entry.written) {
            if let Some(alias) = aliases.matching(&names[entry.start..][..entry.len]) {
                entry.candidates = Some(alias.candidates.clone());
            }
        }
        for alias in aliases.exact_ones() {
            let (hash, candidates) = (hash_of(&self.hasher, alias.name.as_bytes()), Some(alias.candidates.clone()));
            let same = |e: &Exact| e.hash == hash && names[e.start..][..e.len] == *alias.name;
            if let Some(entry) = self.exact.find_mut(hash, same) {
                *entry = Exact { written: true, candidates, ..*entry };
                continue;
            }
            let entry = Exact { hash, start: names.len(), len: alias.name.len(), written: true, candidates };
            names.push_str(&alias.name);
            self.exact.insert_unique(hash, entry, |e| e.hash);
        }
        self.names = names.into();
        // A pattern may mean a discovered name and lead nowhere.
        let mut listed = std::mem::take(&mut self.listed);
        listed.retain(|listed| self.find(&listed.model).is_some_and(|candidates| !candidates.is_empty()));
        self.listed = listed;
    }

    /// The finished list of an exact name, while there is room.
    fn ready(&self, name: &Arc<str>, room: &mut usize) -> Option<Arc<[Candidate]>> {
        let listers = &self.listers[name];
        if self.strategy == Strategy::Direct {
            // Several listers: only `provider/model` tells which is meant.
            return (listers.len() == 1).then(|| self.candidates(&[self.ranks[listers[0] as usize]], name.clone()));
        }
        *room = room.checked_sub(self.everything.len() + listers.len())?;
        self.all_that_serve(name)
    }
}

/// Whether a provider's own `models` let a discovered name through.
pub(crate) fn admits(provider: &Provider, model: &str) -> bool {
    provider.models.is_empty() || provider.models.iter().any(|pattern| Glob::new(pattern).matches(model))
}

/// Places by priority, then file order: `(rank of provider, provider of rank)`.
fn ranks(providers: &[Provider]) -> (Vec<u32>, Vec<u32>) {
    let mut by_rank: Vec<u32> = (0u32..).take(providers.len()).collect();
    by_rank.sort_by_key(|p| providers[*p as usize].priority);
    let mut ranks = vec![0; providers.len()];
    for (rank, provider) in (0u32..).zip(&by_rank) {
        ranks[*provider as usize] = rank;
    }
    (ranks, by_rank)
}

fn hash_of(hasher: &FixedState, bytes: &[u8]) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write(bytes);
    hasher.finish()
}
