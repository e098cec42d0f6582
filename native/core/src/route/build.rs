//! Building the table.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashTable};

use super::merged::Merged;
use super::{Candidate, Exact, Listed, Routes};
use crate::config::{Config, Provider, Strategy};
use crate::sync::atomic::AtomicU64;

/// Candidates that the lists of all exact names may hold together, about 8 MiB; names beyond it are merged when asked
/// for. Only many names under many providers that serve everything come near it.
const MAX_READY: usize = 1 << 18;
/// Counters for turns.
const TURNS: usize = 1 << 10;

impl Routes {
    /// Builds the table. `discovered[p]` are the models that provider `p` reported itself (`GET /models`); the slice
    /// may be shorter than the providers. They are listed as far as the provider's `models` admit them, and they are
    /// all that a *found* provider without `models` serves.
    pub fn build(config: &Config, discovered: &[Vec<String>]) -> Routes {
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
            listed: Vec::new(),
            merged: Merged::default(),
            turns: (0..TURNS).map(|_| AtomicU64::new(0)).collect(),
            hasher,
        };
        let mut order: Vec<Arc<str>> = Vec::new();
        for (index, provider) in (0u32..).zip(providers) {
            let found = discovered.get(index as usize).map_or(&[][..], Vec::as_slice);
            routes.add_provider(index, provider, found, &mut order);
        }
        routes.everything.sort_unstable();
        routes.everything.dedup();
        routes.prefix_lengths = routes.prefixes.keys().map(|p| p.len()).collect();
        routes.prefix_lengths.sort_unstable();
        routes.prefix_lengths.dedup();
        routes.list(&order, providers);
        routes.index(&order);
        routes
    }

    fn add_provider(&mut self, index: u32, provider: &Provider, discovered: &[String], order: &mut Vec<Arc<str>>) {
        let hash = self.hash(provider.name.as_bytes());
        if self.provider(&provider.name).is_none() {
            let rehash = |(name, _): &(Box<str>, u32)| hash_of(&self.hasher, name.as_bytes());
            self.names_of_providers.insert_unique(hash, (provider.name.as_str().into(), index), rehash);
        }
        let rank = self.ranks[index as usize];
        for pattern in &provider.models {
            match pattern.strip_suffix('*') {
                Some("") => self.everything.push(rank),
                Some(prefix) => self.prefixes.entry(prefix.as_bytes().into()).or_default().push(rank),
                None => self.add_exact(index, pattern, order),
            }
        }
        if provider.models.is_empty() && (!provider.found || discovered.is_empty()) {
            self.everything.push(rank);
        }
        for model in discovered.iter().filter(|m| !m.is_empty() && admits(provider, m)) {
            self.add_exact(index, model, order);
        }
    }

    fn add_exact(&mut self, provider: u32, model: &str, order: &mut Vec<Arc<str>>) {
        match self.listers.get_mut(model) {
            // Providers come in ascending order, so that a repeated name is the last entry.
            Some(listers) if listers.last() == Some(&provider) => {}
            Some(listers) => listers.push(provider),
            None => {
                let name: Arc<str> = model.into();
                order.push(name.clone());
                self.listers.insert(name, vec![provider]);
            }
        }
    }

    /// Fills the list for callers. Under `Direct` a name of several providers is listed once for each, with its
    /// provider, because only so it resolves.
    fn list(&mut self, order: &[Arc<str>], providers: &[Provider]) {
        for name in order {
            let listers = &self.listers[name];
            if self.strategy != Strategy::Direct || listers.len() == 1 {
                self.listed.push(Listed { model: name.clone(), provider: listers[0] });
                continue;
            }
            for &provider in listers {
                let model = format!("{}/{name}", providers[provider as usize].name).into();
                self.listed.push(Listed { model, provider });
            }
        }
    }

    /// Lays the exact names into one block and finishes their candidate lists.
    fn index(&mut self, order: &[Arc<str>]) {
        self.names = order.iter().map(|name| &**name).collect::<String>().into();
        let mut room = MAX_READY;
        let mut start = 0;
        let mut entries = Vec::with_capacity(order.len());
        for name in order {
            let candidates = self.ready(name, &mut room);
            entries.push(Exact { hash: self.hash(name.as_bytes()), start, len: name.len(), candidates });
            start += name.len();
        }
        self.exact.reserve(entries.len(), |e| e.hash);
        for entry in entries {
            self.exact.insert_unique(entry.hash, entry, |e| e.hash);
        }
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
fn admits(provider: &Provider, model: &str) -> bool {
    let matches = |pattern: &String| match pattern.strip_suffix('*') {
        Some(prefix) => model.starts_with(prefix),
        None => pattern == model,
    };
    provider.models.is_empty() || provider.models.iter().any(matches)
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
