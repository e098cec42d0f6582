//! One configuration made ready, and the live state that outlasts it.

use bytes::Bytes;
use hashbrown::HashMap;

use crate::budget::Pool;
use crate::cache::{Cache, Entry};
use crate::config::{CapField, Config, Provider, ProviderKind};
use crate::dialects::neutral::Endpoint;
use crate::flight::Flights;
use crate::health::{Health, Settings};
use crate::http::Origin;
use crate::keys::{Key, Keys};
use crate::limit::{Concurrency, Rate};
use crate::metrics::{Metrics, Slot};
use crate::retry::RetryBudget;
use crate::route::Routes;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::Arc;

/// A configuration made ready. Exchanges pin the one they began with.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub config: Config,
    pub routes: Routes,
    pub keys: Keys,
    /// By index of `config.providers`.
    pub upstreams: Vec<Arc<Upstream>>,
    /// By index of `config.auth.tokens`.
    pub holders: Vec<Arc<Holder>>,
    /// Whoever calls when no keys are configured.
    pub anonymous: Arc<Holder>,
    /// The operator's own program.
    pub local: Arc<Holder>,
    pub budgets: Vec<Arc<Pool>>,
    pub cache: Option<Arc<Cache>>,
    pub flights: Arc<Flights<Entry>>,
    pub retries: Arc<RetryBudget>,
    pub concurrency: Option<Arc<Concurrency>>,
}

/// One provider, with everything about a request to it that is known beforehand.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub name: Arc<str>,
    pub kind: ProviderKind,
    pub origin: Option<Arc<Origin>>,
    pub cap_field: CapField,
    pub uuid_ids: bool,
    pub slot: Slot,
    pub live: Arc<UpstreamLive>,
    pub bounded: bool,
    pub rated: bool,
    pub authorization: Option<Bytes>,
    targets: [Bytes; 3],
    pub models_target: Bytes,
}

/// What is known of a provider beyond one configuration.
#[derive(Debug)]
pub(crate) struct UpstreamLive {
    pub health: Arc<Health>,
    pub concurrency: Arc<Concurrency>,
    pub rate: Rate,
    /// A reload took it out: no new attempt.
    pub withdrawn: AtomicBool,
}

/// A key, or who calls without one, with live limits.
#[derive(Debug)]
pub(crate) struct Holder {
    pub name: Arc<str>,
    /// `None`: may use everything.
    pub key: Option<Arc<Key>>,
    /// Whose cached answers are whose: see [`tenant_of`].
    pub tenant: String,
    /// Stands for it where places are given out in turn.
    pub owner: u64,
    pub live: Arc<HolderLive>,
    pub bounded: bool,
    pub rated: bool,
}

/// What is known of a key beyond one configuration.
#[derive(Debug)]
pub(crate) struct HolderLive {
    pub concurrency: Arc<Concurrency>,
    pub rate: Rate,
    /// A reload took the key out: nothing new for it.
    pub revoked: AtomicBool,
}

/// A bound that is none.
const UNBOUNDED: u32 = u32::MAX;

impl Upstream {
    pub fn target(&self, endpoint: Endpoint) -> &Bytes {
        &self.targets[match endpoint {
            Endpoint::Chat => 0,
            Endpoint::Completions => 1,
            Endpoint::Embeddings => 2,
        }]
    }

    fn new(provider: &Provider, slot: Slot, live: Arc<UpstreamLive>) -> Upstream {
        let prefix = provider.base_url.as_ref().map_or("", |url| url.prefix.as_str());
        let target = |path: &str| Bytes::from(format!("{prefix}{path}"));
        Upstream {
            name: provider.name.as_str().into(),
            kind: provider.kind,
            origin: provider.base_url.as_ref().map(|url| url.origin.clone()),
            cap_field: provider.cap_field,
            uuid_ids: provider.uuid_ids,
            slot,
            live,
            bounded: provider.max_concurrency.is_some(),
            rated: provider.rate_limit_rpm.is_some(),
            authorization: provider.api_key.as_ref().map(|key| Bytes::from(format!("Bearer {}", key.expose()))),
            targets: [Endpoint::Chat, Endpoint::Completions, Endpoint::Embeddings].map(|e| target(e.path())),
            models_target: target("/models"),
        }
    }
}

impl Holder {
    fn of_key(key: &Arc<Key>, models: &[String], live: Arc<HolderLive>) -> Arc<Holder> {
        Arc::new(Holder {
            name: key.name.clone(),
            bounded: key.max_concurrency.is_some(),
            rated: key.rate_limit_rpm.is_some(),
            key: Some(key.clone()),
            tenant: tenant_of(key, models),
            owner: key.digest.number(),
            live,
        })
    }

    /// Whoever needs no key.
    fn keyless(name: &str, owner: u64) -> Arc<Holder> {
        let (name, tenant, live) = (name.into(), name.to_owned(), holder_live(None, None, 0));
        Arc::new(Holder { name, key: None, tenant, owner, live, bounded: false, rated: false })
    }

    /// Whether a request of this holder may go to `upstream` as `model`, looked up live.
    pub fn allows(&self, model: &str, upstream: &Upstream) -> bool {
        !upstream.live.withdrawn.load(Ordering::Relaxed)
            && !self.live.revoked.load(Ordering::Relaxed)
            && self.key.as_ref().is_none_or(|key| key.allows(model, &upstream.name))
    }
}

/// One tenant is one key in one scope: cached answers are shared among all who hold the key, and with nobody else. Neither
/// names (`key-1` is whoever stands first in the file) nor places take part. In another scope other providers may answer.
///
/// A hash of the key's digest, so that neither can be read from it. Callers without a key and the program itself are
/// tenants under their own names, which no hash is.
fn tenant_of(key: &Key, models: &[String]) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("hoosh: a key and its scope as a tenant of the cache");
    hasher.update(key.digest.as_bytes());
    for model in models {
        hasher.update(&(model.len() as u64).to_le_bytes()).update(model.as_bytes());
    }
    hasher.finalize().to_hex().as_str()[..32].to_owned()
}

fn holder_live(max: Option<u32>, rpm: Option<u32>, max_waiting: u32) -> Arc<HolderLive> {
    Arc::new(HolderLive {
        concurrency: Concurrency::new(max.unwrap_or(UNBOUNDED), max_waiting),
        rate: Rate::new(rpm.unwrap_or(UNBOUNDED), rpm.unwrap_or(UNBOUNDED)),
        revoked: AtomicBool::new(false),
    })
}

fn upstream_live(provider: &Provider, max_waiting: u32) -> Arc<UpstreamLive> {
    let rpm = provider.rate_limit_rpm.unwrap_or(UNBOUNDED);
    Arc::new(UpstreamLive {
        health: Arc::new(Health::new(Settings::default())),
        concurrency: Concurrency::new(provider.max_concurrency.unwrap_or(UNBOUNDED), max_waiting),
        rate: Rate::new(rpm, rpm),
        withdrawn: AtomicBool::new(false),
    })
}

impl Snapshot {
    /// Makes `config` ready. What of `before` stays (equal key, equal provider, equal budget) keeps its live state;
    /// what goes is revoked or withdrawn at once.
    pub fn build(
        config: Config,
        before: Option<&Snapshot>,
        discovered: &HashMap<Arc<str>, Vec<String>, foldhash::fast::FixedState>,
        metrics: &Metrics,
        seed: u64,
        now_us: u64,
    ) -> Snapshot {
        let names: Vec<&str> = config.providers.iter().map(|p| p.name.as_str()).collect();
        let slots = metrics.providers(&names);
        let lists: Vec<Vec<String>> =
            config.providers.iter().map(|p| discovered.get(p.name.as_str()).cloned().unwrap_or_default()).collect();
        let waiting = config.limits.max_waiting;
        let upstreams = config.providers.iter().zip(slots).map(|(provider, slot)| {
            let kept = before.and_then(|before| before.upstream_like(provider)).map(|old| {
                old.live.concurrency.set_max(provider.max_concurrency.unwrap_or(UNBOUNDED));
                old.live.concurrency.set_max_waiting(waiting);
                let rpm = provider.rate_limit_rpm.unwrap_or(UNBOUNDED);
                old.live.rate.set_rate(rpm, rpm, now_us);
                old.live.clone()
            });
            Arc::new(Upstream::new(provider, slot, kept.unwrap_or_else(|| upstream_live(provider, waiting))))
        });
        let upstreams: Vec<_> = upstreams.collect();
        let keys = Keys::new(&config.auth.tokens, &config.providers);
        let holders = config.auth.tokens.iter().zip(keys.all()).map(|(token, key)| {
            let kept = before.and_then(|before| before.holder_of(key)).map(|old| {
                old.live.concurrency.set_max(token.max_concurrency.unwrap_or(UNBOUNDED));
                old.live.concurrency.set_max_waiting(waiting);
                let rpm = token.rate_limit_rpm.unwrap_or(UNBOUNDED);
                old.live.rate.set_rate(rpm, rpm, now_us);
                old.live.clone()
            });
            let live = kept.unwrap_or_else(|| holder_live(token.max_concurrency, token.rate_limit_rpm, waiting));
            Holder::of_key(key, &token.models, live)
        });
        let holders: Vec<_> = holders.collect();
        let budgets = config.budgets.iter().map(|budget| match before.and_then(|before| before.budget(&budget.name)) {
            Some(pool) => {
                pool.set_capacity(budget.capacity);
                pool.set_slice(budget.slice);
                pool.clone()
            }
            None => Pool::new(budget.name.as_str(), budget.capacity, budget.slice),
        });
        let budgets: Vec<_> = budgets.collect();
        // Answers were made under the old routes; they stay only if nothing that chose them changed. The same goes for
        // those still in flight.
        let alike = |old: &Config| old.cache == config.cache && old.providers == config.providers;
        let same = before.filter(|before| alike(&before.config));
        let new_cache = || {
            let ttl_us = config.cache.ttl_secs.saturating_mul(crate::clock::SECOND);
            Arc::new(Cache::new(config.cache.max_entries, config.cache.max_bytes, ttl_us, seed))
        };
        let kept = || same.and_then(|before| before.cache.clone());
        let cache = config.cache.enabled.then(|| kept().unwrap_or_else(new_cache));
        let flights = same.map_or_else(Flights::new, |before| before.flights.clone());
        let retries = match before {
            Some(before) if before.config.retry == config.retry => before.retries.clone(),
            _ => Arc::new(RetryBudget::new(config.retry.budget_percent, config.retry.min_per_sec)),
        };
        let concurrency = config.limits.max_concurrency.map(|max| match before.and_then(|b| b.concurrency.as_ref()) {
            Some(kept) => {
                kept.set_max(max);
                kept.set_max_waiting(waiting);
                kept.clone()
            }
            None => Concurrency::new(max, waiting),
        });
        let routes = Routes::build(&config, &lists);
        // Revoked for good for those who began before keys were asked for: who comes when none are again is another.
        let anonymous = before.map(|before| &before.anonymous).filter(|old| !old.live.revoked.load(Ordering::Relaxed));
        let snapshot = Snapshot {
            routes,
            keys,
            upstreams,
            holders,
            anonymous: anonymous.cloned().unwrap_or_else(|| Holder::keyless("anonymous", 0)),
            local: before.map_or_else(|| Holder::keyless("local", 1), |before| before.local.clone()),
            budgets,
            cache,
            flights,
            retries,
            concurrency,
            config,
        };
        if let Some(before) = before {
            before.retire(&snapshot);
        }
        snapshot
    }

    pub fn budget(&self, name: &str) -> Option<&Arc<Pool>> {
        self.budgets.iter().find(|pool| &**pool.name() == name)
    }

    fn upstream_like(&self, provider: &Provider) -> Option<&Arc<Upstream>> {
        let at = self.config.providers.iter().position(|old| {
            old.name == provider.name && old.base_url == provider.base_url && old.kind == provider.kind
        })?;
        self.upstreams.get(at)
    }

    fn holder_of(&self, key: &Key) -> Option<&Arc<Holder>> {
        self.holders.get(self.keys.get(&key.digest)?.index as usize)
    }

    /// What `next` no longer has ends at once, for exchanges that pinned this snapshot too.
    fn retire(&self, next: &Snapshot) {
        for upstream in &self.upstreams {
            if !next.upstreams.iter().any(|kept| Arc::ptr_eq(&kept.live, &upstream.live)) {
                upstream.live.withdrawn.store(true, Ordering::Relaxed);
            }
        }
        for holder in &self.holders {
            if holder.key.as_ref().is_none_or(|key| next.keys.get(&key.digest).is_none()) {
                holder.live.revoked.store(true, Ordering::Relaxed);
            }
        }
        if self.holders.is_empty() && !next.holders.is_empty() {
            self.anonymous.live.revoked.store(true, Ordering::Relaxed);
        }
        for pool in &self.budgets {
            if next.budget(pool.name()).is_none() {
                pool.set_capacity(0);
            }
        }
    }
}
