//! How the providers are, and whether the gateway is ready: for operators and load balancers. Stable words and numbers; no
//! secret, and nothing that an upstream said.

use super::page::Page;
use super::snapshot::{Snapshot, Upstream};
use super::Gateway;
use crate::clock::SECOND;
use crate::health::{Bench, CredentialHealth, Health, State};
use crate::limit::{Concurrency, Rate};
use crate::metrics::Limit;

/// How something is: a word, why it is so, and when that ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    status: &'static str,
    reason: &'static str,
    /// Monotonic microseconds; 0 where it began with the process, or is as it should be.
    since_us: u64,
    /// Monotonic microseconds; 0 if it does not end by itself.
    until_us: u64,
}

/// Stands for no key.
const NOBODY: u64 = u64::MAX;

const UP: Condition = Condition { status: "up", reason: "", since_us: 0, until_us: 0 };

impl Condition {
    fn limited(reason: &'static str, until_us: u64) -> Condition {
        Condition { status: "limited", reason, since_us: 0, until_us }
    }

    /// `None` while its breaker is closed.
    fn of_breaker(health: &Health, now_us: u64) -> Option<Condition> {
        let state = health.state();
        let open = state.state == State::Open && state.until_us > now_us;
        (state.state != State::Closed).then_some(Condition {
            status: if open { "down" } else { "half_open" },
            reason: state.reason,
            since_us: state.since_us,
            until_us: if open { state.until_us } else { 0 },
        })
    }
}

impl Upstream {
    pub(super) fn condition(&self, now_us: u64) -> Condition {
        if let Some(out) = Condition::of_breaker(&self.live.health, now_us) {
            return out;
        }
        let all = self.credentials.all();
        let out = all.iter().map(|credential| Condition::of_breaker(&credential.breaker, now_us));
        if let Some(out) = out.collect::<Option<Vec<_>>>() {
            // The one that is tried first says when.
            return out.into_iter().min_by_key(|out| out.until_us).unwrap_or(UP);
        }
        let full = |rate: &Rate| rate.peek(NOBODY, 1, now_us).err();
        let rate = self.rated.then(|| full(&self.live.rate)).flatten();
        let tokens = self.token_rated.then(|| full(&self.live.tokens)).flatten();
        let rates = [("rate_limit_rpm", rate), ("rate_limit_tpm", tokens)];
        if let Some((reason, until_us)) = rates.into_iter().find_map(|(reason, until_us)| Some((reason, until_us?))) {
            return Condition::limited(reason, until_us);
        }
        if let Some(bench) = self.benched_models(now_us).into_iter().min_by_key(|bench| bench.until_us) {
            return Condition::limited(bench.reason, bench.until_us);
        }
        let asked = self.live.health.latency_us().is_some() || self.live.last_error().is_some();
        Condition { status: if asked { "up" } else { "unknown" }, ..UP }
    }

    /// Whether somebody can be asked something there, as far as failures go.
    pub(super) fn is_up(&self) -> bool {
        self.live.health.is_closed() && self.credentials.all().iter().any(|credential| credential.breaker.is_closed())
    }

    /// Why nobody can be asked anything there; `None` while somebody can.
    pub(super) fn out_for(&self, now_us: u64) -> Option<&'static str> {
        (!self.is_up()).then(|| self.condition(now_us).reason)
    }

    /// Models that no credential which is accepted may ask for yet, each until the first of them may.
    fn benched_models(&self, now_us: u64) -> Vec<Bench> {
        let accepted = self.credentials.all().iter().filter(|credential| credential.breaker.is_closed());
        let lists: Vec<Vec<Bench>> = accepted.map(|credential| credential.benches.list(now_us)).collect();
        let Some((first, others)) = lists.split_first() else { return Vec::new() };
        let everywhere = first.iter().filter_map(|bench| {
            let of = |list: &Vec<Bench>| list.iter().find(|other| other.model == bench.model).cloned();
            let others = others.iter().map(of).collect::<Option<Vec<_>>>()?;
            others.into_iter().chain([bench.clone()]).min_by_key(|bench| bench.until_us)
        });
        everywhere.collect()
    }

    fn report(&self, page: &mut Page, now_us: u64) {
        let condition = self.condition(now_us);
        page.text("name", Some(&self.name));
        page.text("type", Some(&self.type_name));
        page.condition(&condition, now_us);
        let since = (condition.since_us > 0).then(|| now_us.saturating_sub(condition.since_us) / SECOND);
        page.number("for_secs", since);
        page.number("consecutive_failures", Some(self.live.health.state().failures.into()));
        page.text("last_error", self.live.last_error().map(|code| code.as_str()));
        page.list("credentials", self.credentials.all().iter().enumerate(), |page, (at, credential)| {
            page.number("n", Some(at as u64 + 1));
            page.condition(&credential_condition(credential, now_us), now_us);
        });
        page.list("models", self.benched_models(now_us).iter(), |page, bench| {
            page.text("model", Some(&bench.model));
            page.condition(&Condition::limited(bench.reason, bench.until_us), now_us);
        });
        let places = self.live.concurrency.state();
        page.number("open_requests", self.bounded.then_some(places.held.into()));
        let waiting = u64::from(places.waiting) + self.live.rate.waiting() + self.live.tokens.waiting();
        page.number("waiting", Some(waiting));
    }
}

fn credential_condition(credential: &CredentialHealth, now_us: u64) -> Condition {
    Condition::of_breaker(&credential.breaker, now_us).unwrap_or(UP)
}

impl Gateway {
    /// `/v1/health/providers`.
    pub(crate) fn report_providers(&self, now_us: u64) -> Vec<u8> {
        let mut page = Page(Vec::with_capacity(1024));
        page.0.push(b'{');
        let snapshot = self.snapshot.load();
        page.list("providers", snapshot.upstreams.iter(), |page, upstream| upstream.report(page, now_us));
        page.0.push(b'}');
        page.0
    }

    /// Why new work is not admitted, if it is not. That every provider is down is no reason: to start another process
    /// would not help.
    pub(crate) fn unready(&self) -> Option<&'static str> {
        if !self.is_ready() {
            return Some("draining");
        }
        (!self.records.has_room()).then_some("store_failing")
    }
}

impl Page {
    pub(super) fn condition(&mut self, condition: &Condition, now_us: u64) {
        self.text("status", Some(condition.status));
        self.text("reason", Some(condition.reason).filter(|reason| !reason.is_empty()));
        let left_us = condition.until_us.saturating_sub(now_us);
        self.number("retry_in_secs", (left_us > 0).then(|| left_us.div_ceil(SECOND)));
    }
}

impl Snapshot {
    pub(super) fn most_credentials(&self) -> usize {
        self.upstreams.iter().map(|upstream| upstream.credentials.all().len()).max().unwrap_or(0)
    }

    /// Callers that wait for places and turns, by what bounds these.
    pub(super) fn waiting(&self) -> [(Limit, u64); 9] {
        use Limit::{GatewayRate, GatewayTokens, KeyRate, KeyTokens, ProviderRate, ProviderTokens};
        let waiting = |places: &Concurrency| u64::from(places.state().waiting);
        [
            (Limit::GatewayConcurrency, self.concurrency.iter().map(|places| waiting(places)).sum()),
            (Limit::KeyConcurrency, self.holders.iter().map(|holder| waiting(&holder.live.concurrency)).sum()),
            (Limit::ProviderConcurrency, self.upstreams.iter().map(|up| waiting(&up.live.concurrency)).sum()),
            (GatewayRate, self.rate.iter().map(|rate| rate.waiting()).sum()),
            (GatewayTokens, self.tokens.iter().map(|rate| rate.waiting()).sum()),
            (KeyRate, self.holders.iter().map(|holder| holder.live.rate.waiting()).sum()),
            (KeyTokens, self.holders.iter().map(|holder| holder.live.tokens.waiting()).sum()),
            (ProviderRate, self.upstreams.iter().map(|up| up.live.rate.waiting()).sum()),
            (ProviderTokens, self.upstreams.iter().map(|up| up.live.tokens.waiting()).sum()),
        ]
    }

    /// `up`, `degraded`, `down`, or `none` configured.
    pub(crate) fn providers_word(&self) -> &'static str {
        let up = self.upstreams.iter().filter(|upstream| upstream.is_up()).count();
        match (up, self.upstreams.len()) {
            (_, 0) => "none",
            (0, _) => "down",
            (up, all) if up == all => "up",
            _ => "degraded",
        }
    }
}
