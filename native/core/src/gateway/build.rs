//! How one configuration follows another: what stays keeps its live state, what goes ends at once.

use std::collections::{HashMap, HashSet};

use super::desk::{Desk, Watch};
use super::discovered::{facts, lists, Discovered};
use super::renewal::Shown;
use super::snapshot::{Holder, HolderLive, Places, Snapshot, Upstream, UpstreamLive};
use crate::budget::Pool;
use crate::cache::Cache;
use crate::clock::SECOND;
use crate::config::{Config, Credential, Provider};
use crate::flight::Flights;
use crate::health::{CredentialHealth, Credentials, Health, Settings};
use crate::keys::Keys;
use crate::limit::{Concurrency, Rate};
use crate::metrics::Metrics;
use crate::price::Prices;
use crate::retry::RetryBudget;
use crate::route::Routes;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::Arc;
use crate::wake::Wakes;

/// A bound that is none.
const UNBOUNDED: u32 = u32::MAX;

impl Snapshot {
    /// Makes `config` ready, with the live state of what `before` has too (equal key, provider, budget), and leaves that
    /// state as it is: see [`Self::take_over`]. `retired`: budgets that earlier configurations had.
    pub fn build(
        config: Config,
        before: Option<&Snapshot>,
        retired: &[Arc<Pool>],
        discovered: &Discovered,
        metrics: &Metrics,
        desk: &Arc<Desk>,
        seed: u64,
    ) -> Snapshot {
        let waiting = config.limits.max_waiting;
        let keys = Keys::new(&config.auth.tokens, &config.providers);
        let holders = config.auth.tokens.iter().zip(keys.all()).map(|(token, key)| {
            let kept = before.and_then(|before| before.holder_of(key)).map(|old| old.live.clone());
            let new = || holder_live(token.max_concurrency, token.rate_limit_rpm, token.rate_limit_tpm, waiting);
            Holder::of_key(key, &token.models, kept.unwrap_or_else(new))
        });
        let retired: HashMap<&str, &Arc<Pool>> = retired.iter().map(|pool| (&**pool.name(), pool)).collect();
        let budgets = config.budgets.iter().map(|budget| {
            let kept = before.and_then(|before| before.budget(&budget.name));
            let kept = kept.or_else(|| retired.get(&*budget.name).copied()).cloned();
            kept.unwrap_or_else(|| Pool::unrestored(budget.name.as_str(), budget.capacity, budget.slice))
        });
        let concurrency = config.limits.max_concurrency.map(|max| {
            let kept = before.and_then(|before| before.concurrency.clone());
            kept.unwrap_or_else(|| Concurrency::new(max, waiting))
        });
        let minute = |per_minute: Option<u32>, kept: Option<Arc<Rate>>| {
            per_minute.map(|most| kept.unwrap_or_else(|| Arc::new(Rate::new(most, most))))
        };
        let rate = minute(config.limits.rate_limit_rpm, before.and_then(|before| before.rate.clone()));
        let tokens = minute(config.limits.rate_limit_tpm, before.and_then(|before| before.tokens.clone()));
        // Answers were made under the old routes; they stay only if nothing that chose them changed. The same goes for
        // those still in flight.
        let alike = |old: &Config| {
            old.cache == config.cache
                && old.providers == config.providers
                && old.aliases == config.aliases
                && old.models == config.models
        };
        let same = before.filter(|before| alike(&before.config));
        let cache = config.cache.enabled.then(|| same.and_then(|before| before.cache.clone()));
        let retries = before.filter(|before| before.config.retry == config.retry).map(|before| before.retries.clone());
        // Revoked for good for those who began before keys were asked for: who comes when none are again is another.
        let anonymous = before.map(|before| &before.anonymous).filter(|old| !old.live.revoked.load(Ordering::Relaxed));
        Snapshot {
            routes: Routes::build_probed(&config, &lists(&config, discovered), &facts(&config, discovered)),
            upstreams: upstreams(&config, before, metrics, desk),
            holders: holders.collect(),
            keys,
            anonymous: anonymous.cloned().unwrap_or_else(|| Holder::keyless("anonymous", 0)),
            local: before.map_or_else(|| Holder::keyless("local", 1), |before| before.local.clone()),
            budgets: budgets.collect(),
            places: Places::of(&config),
            cache: cache.map(|kept| kept.unwrap_or_else(|| new_cache(&config, seed))),
            flights: same.map_or_else(Flights::new, |before| before.flights.clone()),
            retries: retries
                .unwrap_or_else(|| Arc::new(RetryBudget::new(config.retry.budget_percent, config.retry.min_per_sec))),
            concurrency,
            rate,
            tokens,
            prices: Prices::of(&config),
            superseded: AtomicBool::new(false),
            config,
        }
    }

    /// Gives what stays the limits of this configuration, for exchanges that pinned `before` too, and ends budgets that do
    /// not. Whoever that lets in is woken when the result is dropped.
    pub fn take_over(&self, before: &Snapshot, now_us: u64) -> Wakes {
        let mut wakes = Wakes::default();
        let waiting = self.config.limits.max_waiting;
        let minute = |rate: &Rate, most: Option<u32>| {
            rate.set_rate(most.unwrap_or(UNBOUNDED), most.unwrap_or(UNBOUNDED), now_us)
        };
        let bound = |concurrency: &Concurrency, max: Option<u32>| {
            concurrency.set_max_waiting(waiting);
            concurrency.set_max(max.unwrap_or(UNBOUNDED))
        };
        for (provider, Upstream { live, .. }) in self.config.providers.iter().zip(self.upstreams.iter().map(|u| &**u)) {
            wakes.add(bound(&live.concurrency, provider.max_concurrency));
            wakes.add(minute(&live.rate, provider.rate_limit_rpm));
            wakes.add(minute(&live.tokens, provider.rate_limit_tpm));
        }
        for (token, Holder { live, .. }) in self.config.auth.tokens.iter().zip(self.holders.iter().map(|h| &**h)) {
            wakes.add(bound(&live.concurrency, token.max_concurrency));
            wakes.add(minute(&live.rate, token.rate_limit_rpm));
            wakes.add(minute(&live.tokens, token.rate_limit_tpm));
        }
        let limits = &self.config.limits;
        // One that is gone holds back nobody who waits at it.
        let rate = self.rate.as_ref().or(before.rate.as_ref());
        let tokens = self.tokens.as_ref().or(before.tokens.as_ref());
        for (rate, most) in [(rate, limits.rate_limit_rpm), (tokens, limits.rate_limit_tpm)] {
            rate.iter().for_each(|rate| wakes.add(minute(rate, most)));
        }
        for (budget, pool) in self.config.budgets.iter().zip(&self.budgets) {
            wakes.add(pool.set_capacity(budget.capacity));
            wakes.add(pool.set_slice(budget.slice));
        }
        if let Some(concurrency) = self.concurrency.as_ref().or(before.concurrency.as_ref()) {
            wakes.add(bound(concurrency, limits.max_concurrency));
        }
        for pool in before.budgets.iter().filter(|pool| self.budget(pool.name()).is_none()) {
            wakes.add(pool.retire());
        }
        wakes
    }

    /// `next` is in force: what it no longer has ends, and all who wait look at once whether that concerns them.
    pub fn retire(&self, next: &Snapshot) -> Wakes {
        // Before anything else, so that whoever misses something knows why.
        self.superseded.store(true, Ordering::Release);
        let kept: HashSet<*const UpstreamLive> = next.upstreams.iter().map(|kept| Arc::as_ptr(&kept.live)).collect();
        for upstream in &self.upstreams {
            if !kept.contains(&Arc::as_ptr(&upstream.live)) {
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
        let mut wakes = Wakes::default();
        let upstreams = self.upstreams.iter().map(|u| (&u.live.concurrency, &u.live.rate, &u.live.tokens));
        let holders = self.holders.iter().map(|h| (&h.live.concurrency, &h.live.rate, &h.live.tokens));
        for (concurrency, rate, tokens) in upstreams.chain(holders) {
            wakes.add(concurrency.wake_all());
            wakes.add(rate.wake_all());
            wakes.add(tokens.wake_all());
        }
        self.concurrency.iter().for_each(|places| wakes.add(places.wake_all()));
        self.rate.iter().chain(&self.tokens).for_each(|rate| wakes.add(rate.wake_all()));
        wakes
    }
}

fn upstreams(config: &Config, before: Option<&Snapshot>, metrics: &Metrics, desk: &Arc<Desk>) -> Vec<Arc<Upstream>> {
    let names: Vec<&str> = config.providers.iter().map(|provider| provider.name.as_str()).collect();
    let waiting = config.limits.max_waiting;
    let with_slots = config.providers.iter().zip(metrics.providers(&names));
    let upstreams = with_slots.map(|(provider, slot)| {
        let kept = before.and_then(|before| before.upstream_like(provider)).map(|old| old.live.clone());
        let new = || {
            let (health, watch) = (Arc::new(Health::new(Settings::default())), desk.watch(&provider.name));
            health.on_change(watch.clone());
            let concurrency = Concurrency::new(provider.max_concurrency.unwrap_or(UNBOUNDED), waiting);
            let (rate, tokens) = (per_minute(provider.rate_limit_rpm), per_minute(provider.rate_limit_tpm));
            Arc::new(UpstreamLive::new(health, concurrency, rate, tokens, watch))
        };
        let live = kept.unwrap_or_else(new);
        let (known, shown) = credentials(provider, before, &live.watch);
        Arc::new(Upstream::new(provider, &config.deadlines, slot, live, known, shown, &config.dialects))
    });
    upstreams.collect()
}

/// Each of a provider's credentials: what is known of it, and its text. Of one that is new, nothing but what the
/// configuration says.
fn credentials(provider: &Provider, before: Option<&Snapshot>, watch: &Arc<Watch>) -> (Credentials, Vec<Arc<Shown>>) {
    let old = before.and_then(|before| before.provider_like(provider));
    let new = || {
        let new = CredentialHealth::new(Settings::default());
        new.breaker.on_change(watch.clone());
        new
    };
    if provider.credentials.is_empty() {
        let kept = old.filter(|(old, _)| old.credentials.is_empty());
        let kept = kept.and_then(|(_, upstream)| upstream.credentials.all().first().cloned());
        return (Credentials::new(vec![kept.unwrap_or_else(new)]), Vec::new());
    }
    let kept = |credential: &Credential| {
        let (old, upstream) = old?;
        let at = old.credentials.iter().position(|known| known.stays(credential))?;
        upstream.shown_with_health().nth(at).map(|(shown, health)| (health.clone(), shown.clone()))
    };
    let all = provider.credentials.iter();
    let (known, shown) = all.map(|c| kept(c).unwrap_or_else(|| (new(), Shown::new(&c.secret)))).unzip();
    (Credentials::new(known), shown)
}

fn per_minute(most: Option<u32>) -> Arc<Rate> {
    Arc::new(Rate::new(most.unwrap_or(UNBOUNDED), most.unwrap_or(UNBOUNDED)))
}

pub(super) fn holder_live(max: Option<u32>, rpm: Option<u32>, tpm: Option<u32>, max_waiting: u32) -> Arc<HolderLive> {
    Arc::new(HolderLive {
        concurrency: Concurrency::new(max.unwrap_or(UNBOUNDED), max_waiting),
        rate: per_minute(rpm),
        tokens: per_minute(tpm),
        revoked: AtomicBool::new(false),
    })
}

fn new_cache(config: &Config, seed: u64) -> Arc<Cache> {
    let ttl_us = config.cache.ttl_secs.saturating_mul(SECOND);
    Arc::new(Cache::new(config.cache.max_entries, config.cache.max_bytes, ttl_us, seed))
}
