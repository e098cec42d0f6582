//! From a model name to the providers that serve it, and from those to the one that is asked next.
//!
//! Strategy: what can be known at build time is known then. Each exact model name has its finished candidate list, in
//! a table whose names lie in one block, so that ten thousand names cost two cache misses more than twenty. What
//! cannot be listed (prefixes, providers that serve everything) is merged once per name by hashing one slice for each
//! distinct prefix length, and remembered in a bounded cache. `provider/model` is looked up. Nothing scans the providers;
//! patterns with a `*` elsewhere than at their end are a list that is looked through when a name is merged.
//!
//! Who serves a name, in this order:
//! 1. An alias of exactly this name: what it stands for, one model after the other.
//! 2. A name that a provider lists exactly (configured, or discovered and not excluded by its `models`) is a model,
//!    slashes included: served by every provider that lists it, has a pattern of it, or serves everything. A discovered
//!    name that begins with a provider's name and `/` is none by itself: else what a provider reports could take over
//!    what another one is asked for by name.
//! 3. Else, where the part before the first `/` is a provider's name, it is that provider and no other, and the rest
//!    is the model; its `models` still bind it.
//! 4. Else, the alias whose pattern matches; of several, the one with the longest text. It goes before names that were
//!    only discovered, so that what a name means does not hang on when a provider's list comes.
//! 5. Else, every provider with a pattern of it and every provider that serves everything.
//!
//! Under [`Strategy::Direct`] only 1, 3 and 4 hold, and 2 where exactly one provider lists the name, which then is alone.

mod aliases;
mod bounds;
mod build;
mod merged;
mod nearest;
mod pick;

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::config::Strategy;
use crate::glob::Glob;
use crate::sync::atomic::{AtomicU64, Ordering};
use aliases::Aliases;
use bounds::Known;
use merged::Merged;

pub use bounds::{Bounds, Lack, Needs};
pub(crate) use build::admits;
pub use nearest::nearest;
pub use pick::{pick, Tried};

/// A provider that serves the model asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Index in `Config.providers`.
    pub provider: u32,
    /// Which of the models that an alias stands for; one with a lower number is asked first, whatever the strategy.
    pub step: u32,
    /// The model's name there, as it is sent upstream.
    pub model: Arc<str>,
    /// From the configuration; lower first.
    pub priority: i64,
    /// What is known that it cannot do.
    pub bounds: Option<Arc<Bounds>>,
}

impl Candidate {
    /// The most output tokens that the model can give, if that is known.
    pub fn most_output(&self) -> Option<u64> {
        self.bounds.as_ref().and_then(|bounds| bounds.max_output_tokens)
    }

    /// Whether its engine or server says that the model does not think before it answers.
    pub fn never_thinks(&self) -> bool {
        self.bounds.as_ref().is_some_and(|bounds| bounds.reasoning == Some(false))
    }
}

/// What became of a model name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// At least one, by step, then by priority, then in the order of the file.
    Candidates(Arc<[Candidate]>),
    /// Nobody serves it.
    Unknown {
        /// A similar name that somebody does serve.
        nearest: Option<String>,
    },
}

/// A model of `GET /v1/models`. Every listed name resolves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The name that a caller may send.
    pub model: Arc<str>,
    /// Index of the first provider that lists it; of an alias, of the one that is asked first.
    pub provider: u32,
    /// Whether it is an alias.
    pub alias: bool,
}

/// An exact name: where it lies in `Routes::names`, and who serves it.
struct Exact {
    hash: u64,
    start: usize,
    len: usize,
    /// Written in the configuration, not only discovered.
    written: bool,
    /// `None`: merged on demand, because all lists together would take too much memory, or the name alone does not
    /// resolve (`Direct`).
    candidates: Option<Arc<[Candidate]>>,
}

/// The routing table of one configuration. Immutable but for its cache and turn counters; shared by all exchanges.
pub struct Routes {
    hasher: FixedState,
    strategy: Strategy,
    /// Provider's priority by index.
    priorities: Vec<i64>,
    /// A provider's place by priority, then file order; and back.
    ranks: Vec<u32>,
    by_rank: Vec<u32>,
    /// Provider names, to index.
    names_of_providers: HashTable<(Box<str>, u32)>,
    /// All exact names in one block.
    names: Box<str>,
    exact: HashTable<Exact>,
    /// Who lists each exact name, by index, ascending.
    listers: hashbrown::HashMap<Arc<str>, Vec<u32>, FixedState>,
    /// Prefix without `*`, to the ranks of the providers that have it.
    prefixes: hashbrown::HashMap<Box<[u8]>, Vec<u32>, FixedState>,
    /// Distinct lengths in `prefixes`, ascending.
    prefix_lengths: Vec<usize>,
    /// Other patterns, with the rank of the provider that has it.
    globs: Vec<(Glob, u32)>,
    /// Ranks of the providers that serve every name, ascending.
    everything: Vec<u32>,
    listed: Vec<Listed>,
    aliases: Aliases,
    known: Known,
    merged: Merged,
    turns: Box<[AtomicU64]>,
}

impl Routes {
    /// Finds who serves `model`, by the rules of the module. An exact name costs one hash and one reference count.
    pub fn resolve(&self, model: &str) -> Resolved {
        // An alias has no candidates while nobody serves what it stands for.
        self.served(model).map_or_else(|| Resolved::Unknown { nearest: self.suggested(model) }, Resolved::Candidates)
    }

    fn served(&self, model: &str) -> Option<Arc<[Candidate]>> {
        self.find(model).filter(|candidates| !candidates.is_empty())
    }

    /// A name to suggest that does resolve: an alias may have taken over what a provider lists, and lead nowhere.
    fn suggested(&self, model: &str) -> Option<String> {
        self.nearest(model).filter(|near| self.served(near).is_some())
    }

    fn inexact(&self, hash: u64, model: &str, exact: Option<&Exact>) -> Option<Arc<[Candidate]>> {
        let direct_only = self.strategy == Strategy::Direct;
        if exact.is_none() || direct_only {
            if let Some((provider, rest)) = self.named(model) {
                return self.one(provider, rest);
            }
        }
        if let Some(alias) = self.caught(model, exact) {
            return Some(alias.candidates.clone());
        }
        if direct_only {
            return None;
        }
        self.merged(hash, model)
    }

    /// Whether `provider` lists `model` exactly.
    pub fn lists(&self, provider: u32, model: &str) -> bool {
        self.listers.get(model).is_some_and(|listers| listers.binary_search(&provider).is_ok())
    }

    /// What the operator says of `model` at `provider`.
    pub fn configured(&self, provider: u32, model: &str) -> Option<Bounds> {
        self.known.configured(provider, model)
    }

    /// Who serves `model`; while aliases are built, without them.
    fn find(&self, model: &str) -> Option<Arc<[Candidate]>> {
        let hash = self.hash(model.as_bytes());
        match self.exact.find(hash, |e| e.hash == hash && self.name(e) == model.as_bytes()) {
            Some(Exact { candidates: Some(candidates), .. }) => Some(candidates.clone()),
            exact => self.inexact(hash, model, exact),
        }
    }

    /// The next turn of a model: what [`Strategy::RoundRobin`] counts by, so that two models asked in alternation do
    /// not send each other always to the same provider. Counters are 1,024; models that share one share its turns.
    pub fn turn(&self, model: &str) -> u64 {
        self.turn_of(model).fetch_add(1, Ordering::Relaxed)
    }

    /// What [`Self::turn`] would give, without taking the turn.
    pub fn peek_turn(&self, model: &str) -> u64 {
        self.turn_of(model).load(Ordering::Relaxed)
    }

    fn turn_of(&self, model: &str) -> &AtomicU64 {
        &self.turns[self.hash(model.as_bytes()) as usize % self.turns.len()]
    }

    /// Chooses the next candidate by the configured strategy: see [`pick()`].
    pub fn pick(
        &self,
        candidates: &[Candidate],
        turn: u64,
        tried: &mut Tried,
        usable: impl Fn(&Candidate) -> bool,
        latency: impl Fn(u32) -> Option<u64>,
    ) -> Option<usize> {
        pick(self.strategy, candidates, turn, tried, usable, latency)
    }

    /// The models of `GET /v1/models`, in the order of the file.
    pub fn listed(&self) -> &[Listed] {
        &self.listed
    }

    /// The index of the provider called `name`.
    pub fn provider(&self, name: &str) -> Option<u32> {
        let hash = self.hash(name.as_bytes());
        self.names_of_providers.find(hash, |(known, _)| **known == *name).map(|(_, index)| *index)
    }

    fn hash(&self, bytes: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(bytes);
        hasher.finish()
    }

    fn name(&self, exact: &Exact) -> &[u8] {
        &self.names.as_bytes()[exact.start..][..exact.len]
    }

    /// A provider's name before the first `/`, and the rest.
    pub fn named<'m>(&self, model: &'m str) -> Option<(u32, &'m str)> {
        let (provider, rest) = model.split_once('/')?;
        Some((self.provider(provider)?, rest))
    }

    /// `model` at a provider that was named. Made anew each time: that costs less than a look-up that misses, however
    /// many providers and models are in use, and takes no lock.
    fn one(&self, provider: u32, model: &str) -> Option<Arc<[Candidate]>> {
        let serves = !model.is_empty() && self.serves(provider, model);
        serves.then(|| self.candidates(&[self.ranks[provider as usize]], model.into()))
    }

    /// All that serve `model`, from the cache or into it.
    fn merged(&self, hash: u64, model: &str) -> Option<Arc<[Candidate]>> {
        self.merged.get(hash, model).or_else(|| {
            let candidates = self.all_that_serve(model)?;
            self.merged.put(hash, model, &candidates);
            Some(candidates)
        })
    }

    /// Everyone who lists `model`, has a prefix of it, or serves everything.
    fn all_that_serve(&self, model: &str) -> Option<Arc<[Candidate]>> {
        let mut ranks = self.everything.clone();
        if let Some((name, listers)) = self.listers.get_key_value(model) {
            ranks.extend(listers.iter().map(|p| self.ranks[*p as usize]));
            ranks.extend(self.ranks_by_pattern(model));
            return Some(self.finish(ranks, name.clone()));
        }
        ranks.extend(self.ranks_by_pattern(model));
        (!ranks.is_empty()).then(|| self.finish(ranks, model.into()))
    }

    fn finish(&self, mut ranks: Vec<u32>, model: Arc<str>) -> Arc<[Candidate]> {
        ranks.sort(); // a stable sort finds the runs, which are sorted already
        ranks.dedup();
        self.candidates(&ranks, model)
    }

    fn candidates(&self, ranks: &[u32], model: Arc<str>) -> Arc<[Candidate]> {
        let candidate = |rank: &u32| {
            let provider = self.by_rank[*rank as usize];
            let (priority, bounds) = (self.priorities[provider as usize], self.known.get(provider, &model));
            Candidate { provider, step: 0, model: model.clone(), priority, bounds }
        };
        ranks.iter().map(candidate).collect()
    }

    fn ranks_by_pattern<'a>(&'a self, model: &'a str) -> impl Iterator<Item = u32> + 'a {
        let globs = self.globs.iter().filter(|(glob, _)| glob.matches(model));
        self.ranks_by_prefix(model).chain(globs.map(|(_, rank)| *rank))
    }

    fn ranks_by_prefix<'a>(&'a self, model: &'a str) -> impl Iterator<Item = u32> + 'a {
        let lengths = self.prefix_lengths.iter().take_while(|len| **len <= model.len());
        lengths.filter_map(|len| self.prefixes.get(&model.as_bytes()[..*len])).flatten().copied()
    }

    /// Whether one provider serves a name.
    fn serves(&self, provider: u32, model: &str) -> bool {
        let rank = self.ranks[provider as usize];
        self.everything.binary_search(&rank).is_ok()
            || self.lists(provider, model)
            || self.ranks_by_prefix(model).any(|r| r == rank)
            || self.globs.iter().any(|(glob, r)| *r == rank && glob.matches(model))
    }

    /// A name to suggest: of a provider that was named, else of all.
    fn nearest(&self, model: &str) -> Option<String> {
        if let Some(listers) = self.listers.get(model) {
            // `Direct`, and several list it: only with a provider's name does it say which.
            let full =
                |l: &&Listed| l.provider == listers[0] && l.model.strip_suffix(model).is_some_and(|p| p.ends_with('/'));
            return self.listed.iter().find(full).map(|l| l.model.to_string());
        }
        if let Some((provider, rest)) = self.named(model) {
            let own = self.listers.iter().filter(|(_, listers)| listers.binary_search(&provider).is_ok());
            let near = nearest(rest, own.map(|(model, _)| &**model))?;
            return Some(format!("{}{near}", &model[..model.len() - rest.len()]));
        }
        nearest(model, self.listed.iter().map(|l| &*l.model)).map(str::to_owned)
    }
}

impl std::fmt::Debug for Routes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Routes")
            .field("strategy", &self.strategy)
            .field("providers", &self.priorities.len())
            .field("exact", &self.exact.len())
            .field("prefixes", &self.prefixes.len())
            .field("everything", &self.everything.len())
            .finish_non_exhaustive()
    }
}
