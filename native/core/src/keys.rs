//! Who may call: keys, compared by hash, and what each may use.
//!
//! No key is kept. What a caller presents is hashed first (BLAKE3), so that neither the table walk nor the comparison
//! ever touches the secret's own bytes: whatever time they take tells about a digest that the caller cannot steer.
//! The last comparison is constant-time all the same (no early exit over the 32 bytes), so that not even a prefix of
//! a stored digest can be measured, and nobody has to redo this argument when the table changes.

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashTable};

use crate::config::{Provider, Token};
use crate::engine::Priority;
use crate::glob::Glob;

/// A key and its rights.
#[derive(Debug)]
pub struct Key {
    /// For rows and metrics; never the secret.
    pub name: Arc<str>,
    /// Place in `[auth] tokens`, from 0: the handle for per-key limits.
    pub index: u32,
    /// Who it is, whatever its name and place.
    pub digest: Digest,
    /// What it may use. Empty: everything.
    pub models: Vec<Pattern>,
    /// Budget that it charges.
    pub budget: Option<Arc<str>>,
    /// Requests at once. `None`: no bound.
    pub max_concurrency: Option<u32>,
    /// Requests a minute. `None`: no bound.
    pub rate_limit_rpm: Option<u32>,
    /// Tokens a minute. `None`: no bound.
    pub rate_limit_tpm: Option<u32>,
    /// Most output tokens for each choice. `None`: no bound.
    pub max_tokens_limit: Option<u32>,
    /// How its requests stand to others that wait for an engine; they may say less.
    pub priority: Priority,
}

impl Key {
    /// Whether it may use `model`, by the name under which it is sent upstream, at the provider called `provider`.
    /// Asked of every candidate, so that no retry or fallback leaves the scope.
    pub fn allows(&self, model: &str, provider: &str) -> bool {
        self.models.is_empty() || self.models.iter().any(|pattern| pattern.matches(model, provider))
    }

    /// Whether it may use the alias of that name, and with it everything that the alias leads to: only where the scope
    /// names the alias as it is written. No pattern grants one, because whoever wrote it thought of models.
    pub fn grants(&self, alias: &str) -> bool {
        self.models.iter().any(|pattern| *pattern.text == *alias)
    }
}

/// What a secret hashes to. Never shown: that of a short key could be searched for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest(blake3::Hash);

impl Digest {
    /// Of what a caller presented, or a file holds.
    pub fn of(secret: &[u8]) -> Self {
        Digest(blake3::hash(secret))
    }

    /// For hashing on.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// A number for tables: BLAKE3 spreads evenly, so that any eight bytes do.
    pub fn number(&self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|at| self.0.as_bytes()[at]))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digest(…)")
    }
}

/// A scope: a model or a pattern of models, alone or after `provider/`; or the name of an alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// As it was written.
    text: Box<str>,
    provider: Option<Box<str>>,
    model: Glob,
}

impl Pattern {
    /// Reads a pattern. A first segment is a provider only where `is_provider` says so: model names hold slashes too
    /// (`meta/llama`). Where it is one, the pattern never means a model of another provider: `openai/*` must not open
    /// `openai/gpt-4o` at a reseller.
    pub fn new(text: &str, is_provider: impl Fn(&str) -> bool) -> Self {
        let (provider, model) = match text.split_once('/') {
            Some((provider, model)) if is_provider(provider) => (Some(provider.into()), model),
            _ => (None, text),
        };
        Pattern { text: text.into(), provider, model: Glob::new(model) }
    }

    /// Whether it covers `model` at `provider`.
    pub fn matches(&self, model: &str, provider: &str) -> bool {
        self.provider.as_deref().is_none_or(|own| own == provider) && self.model.matches(model)
    }
}

/// All keys, found by digest.
pub struct Keys {
    /// Places in `keys`, found by digest.
    places: HashTable<u32>,
    keys: Vec<Arc<Key>>,
}

impl Keys {
    /// Hashes the tokens; `providers` tell which scopes begin with a provider's name.
    pub fn new(tokens: &[Token], providers: &[Provider]) -> Keys {
        let known: HashMap<&str, (), FixedState> = {
            let mut known = HashMap::with_hasher(FixedState::with_seed(0));
            known.extend(providers.iter().map(|p| (p.name.as_str(), ())));
            known
        };
        let mut keys = Keys { places: HashTable::with_capacity(tokens.len()), keys: Vec::new() };
        for (index, token) in (0u32..).zip(tokens) {
            let digest = Digest::of(token.token.expose().as_bytes());
            let rehash = |place: &u32| keys.keys[*place as usize].digest.number();
            keys.places.insert_unique(digest.number(), index, rehash);
            keys.keys.push(Arc::new(Key {
                name: token.name.as_str().into(),
                index,
                digest,
                models: token.models.iter().map(|m| Pattern::new(m, |name| known.contains_key(name))).collect(),
                budget: token.budget.as_deref().map(Into::into),
                max_concurrency: token.max_concurrency,
                rate_limit_rpm: token.rate_limit_rpm,
                rate_limit_tpm: token.rate_limit_tpm,
                max_tokens_limit: token.max_tokens_limit,
                priority: token.priority,
            }));
        }
        keys
    }

    /// Whether there are none, so that anybody may call.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Every key, in the order of the file.
    pub fn all(&self) -> &[Arc<Key>] {
        &self.keys
    }

    /// The key whose secret was presented.
    pub fn find(&self, presented: &[u8]) -> Option<&Arc<Key>> {
        self.get(&Digest::of(presented))
    }

    /// The key with this digest.
    pub fn get(&self, digest: &Digest) -> Option<&Arc<Key>> {
        let key = |place: &u32| &self.keys[*place as usize];
        // `blake3::Hash` compares in constant time, by contract and behind an optimiser barrier.
        self.places.find(digest.number(), |place| key(place).digest == *digest).map(key)
    }
}

impl std::fmt::Debug for Keys {
    /// Names only: a digest of a short key could be searched for.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| &key.name)).finish()
    }
}

/// The credential in an `Authorization` value: `Bearer x`, its scheme without case (RFC 9110 section 11.1), spaces
/// around the credential dropped. `None` for another scheme or an empty credential.
pub fn bearer(value: &[u8]) -> Option<&[u8]> {
    let value = value.trim_ascii();
    let (scheme, rest) = value.split_at_checked(6)?;
    let credential = rest.trim_ascii_start();
    let separated = credential.len() < rest.len();
    (scheme.eq_ignore_ascii_case(b"bearer") && separated && !credential.is_empty()).then_some(credential)
}
