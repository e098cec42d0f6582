//! One configuration made ready, and the live state that outlasts it.

use bytes::Bytes;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::build::holder_live;
use super::desk::Watch;
use super::probing::is_list_wanted;
use super::renewal::Shown;
use crate::budget::Pool;
use crate::by_model::ByModel;
use crate::cache::{Cache, Entry};
use crate::config::catalogue::AuthScheme;
use crate::config::{CapField, Config, Deadlines, Dialects, Provider, ProviderKind, Route, Secret};
use crate::dialects::neutral::Endpoint;
use crate::dialects::openai::OpenAiChat;
use crate::dialects::passed::Services;
use crate::dialects::{bare, Dialect, Protocol};
use crate::error::Code;
use crate::flight::Flights;
use crate::health::{CredentialHealth, Credentials, Health};
use crate::http::{Headers, Origin};
use crate::keys::{Key, Keys};
use crate::limit::{Concurrency, Rate};
use crate::metrics::Slot;
use crate::price::Prices;
use crate::retry::RetryBudget;
use crate::route::Routes;
use crate::sync::atomic::{AtomicBool, AtomicU8, Ordering};
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
    pub places: Places,
    pub cache: Option<Arc<Cache>>,
    pub flights: Arc<Flights<Entry>>,
    pub retries: Arc<RetryBudget>,
    pub concurrency: Option<Arc<Concurrency>>,
    /// Requests a minute, of all callers.
    pub rate: Option<Arc<Rate>>,
    /// Tokens a minute, of all callers.
    pub tokens: Option<Arc<Rate>>,
    pub prices: Option<Prices>,
    /// Another one is in force.
    pub superseded: AtomicBool,
}

/// Where in the configuration what is asked for by name stands: with very many of each, nobody looks through them.
#[derive(Debug)]
pub(crate) struct Places {
    budgets: HashMap<String, u32, FixedState>,
    providers: HashMap<String, u32, FixedState>,
    routes: ByModel<u32>,
}

/// One provider, with everything about a request to it that is known beforehand.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub name: Arc<str>,
    pub type_name: Arc<str>,
    pub kind: ProviderKind,
    pub dialect: Dialect,
    /// If it speaks OpenAI's.
    openai: OpenAiChat,
    /// How it takes its key. `None`: as its dialect has it.
    auth: Option<AuthScheme>,
    pub origin: Option<Arc<Origin>>,
    pub cap_field: CapField,
    pub uuid_ids: bool,
    pub services: Services,
    /// Path prefix of its base URL.
    pub prefix: Box<str>,
    /// Its callables are between: see [`crate::config::Config::hooked`].
    pub hooked: bool,
    pub slot: Slot,
    pub live: Arc<UpstreamLive>,
    pub bounded: bool,
    pub rated: bool,
    pub token_rated: bool,
    pub max_tokens_limit: Option<u64>,
    /// At least one: see [`Credentials`].
    pub credentials: Credentials,
    /// Of each credential that has a text: none of the empty one.
    shown: Vec<Arc<Shown>>,
    /// What every request says.
    pub headers: Headers,
    /// Those of `[deadlines]`, but for its own.
    pub deadlines: Deadlines,
    targets: [Bytes; 3],
    pub models_target: Bytes,
    /// Of its API, where the dialect says it in a header: that, and what it is where nobody says one.
    pub version: Option<(Bytes, Bytes)>,
    /// See [`is_list_wanted`].
    pub list_wanted: bool,
}

/// What is known of a provider beyond one configuration.
#[derive(Debug)]
pub(crate) struct UpstreamLive {
    pub health: Arc<Health>,
    pub concurrency: Arc<Concurrency>,
    pub rate: Arc<Rate>,
    pub tokens: Arc<Rate>,
    pub watch: Arc<Watch>,
    /// A reload took it out: no new attempt.
    pub withdrawn: AtomicBool,
    last_error: AtomicU8,
    /// The log was told that it is left alone.
    pub said_ill: AtomicBool,
}

/// A key, or who calls without one, with live limits.
#[derive(Debug)]
pub(crate) struct Holder {
    pub name: Arc<str>,
    /// `None`: may use everything.
    pub key: Option<Arc<Key>>,
    /// Whose cached answers are whose: see [`tenant_of`].
    pub tenant: Arc<str>,
    /// Stands for it where places are given out in turn.
    pub owner: u64,
    pub live: Arc<HolderLive>,
    pub bounded: bool,
    pub rated: bool,
    pub token_rated: bool,
    pub max_tokens_limit: Option<u64>,
}

/// What is known of a key beyond one configuration.
#[derive(Debug)]
pub(crate) struct HolderLive {
    pub concurrency: Arc<Concurrency>,
    pub rate: Arc<Rate>,
    pub tokens: Arc<Rate>,
    /// A reload took the key out: nothing new for it.
    pub revoked: AtomicBool,
}

impl UpstreamLive {
    pub(super) fn new(
        health: Arc<Health>,
        concurrency: Arc<Concurrency>,
        rate: Arc<Rate>,
        tokens: Arc<Rate>,
        watch: Arc<Watch>,
    ) -> UpstreamLive {
        let (withdrawn, said_ill) = (AtomicBool::new(false), AtomicBool::new(false));
        let last_error = AtomicU8::new(u8::MAX);
        UpstreamLive { health, concurrency, rate, tokens, watch, withdrawn, said_ill, last_error }
    }

    /// An attempt failed so.
    pub fn note_error(&self, code: Code) {
        self.last_error.store(code as u8, Ordering::Relaxed);
    }

    /// How the last attempt that failed did.
    pub fn last_error(&self) -> Option<Code> {
        Code::ALL.get(usize::from(self.last_error.load(Ordering::Relaxed))).copied()
    }
}

impl Upstream {
    /// The header with credential `n`, as it is now. `version` is that of the API, where the dialect has any.
    pub fn credential(&self, n: u16, version: &[u8]) -> Option<(Bytes, Bytes)> {
        let shown = self.shown.get(usize::from(n))?.authorization();
        Some(match self.auth {
            None => self.dialect.door().credential(shown, version),
            Some(AuthScheme::Bearer) => (Bytes::from_static(b"authorization"), shown),
            Some(AuthScheme::ApiKey) => (Bytes::from_static(b"api-key"), bare(shown)),
        })
    }

    /// The version of its API that requests name which are not an answer's.
    pub fn usual_version(&self) -> &[u8] {
        self.version.as_ref().map_or(&[], |(_, usual)| usual)
    }

    /// What it is asked in.
    pub fn protocol(&self) -> &dyn Protocol {
        match self.dialect {
            Dialect::NEUTRAL => &self.openai,
            other => other.protocol(),
        }
    }

    /// Each credential that has a text, with what is known of it.
    pub(super) fn shown_with_health(&self) -> impl Iterator<Item = (&Arc<Shown>, &Arc<CredentialHealth>)> {
        self.shown.iter().zip(self.credentials.all())
    }

    pub fn target(&self, endpoint: Endpoint) -> &Bytes {
        &self.targets[match endpoint {
            Endpoint::Chat => 0,
            Endpoint::Completions => 1,
            Endpoint::Embeddings => 2,
        }]
    }

    pub(super) fn new(
        provider: &Provider,
        deadlines: &Deadlines,
        slot: Slot,
        live: Arc<UpstreamLive>,
        credentials: Credentials,
        shown: Vec<Arc<Shown>>,
        dialects: &Dialects,
    ) -> Upstream {
        let door = provider.dialect.door();
        let version = door.version.map(|version| {
            (Bytes::from_static(version.header.as_bytes()), Bytes::from((version.usual)(dialects).to_owned()))
        });
        let prefix = provider.base_url.as_ref().map_or("", |url| url.prefix.as_str());
        let target = |path: &str| Bytes::from(format!("{prefix}{path}"));
        Upstream {
            name: provider.name.as_str().into(),
            type_name: provider.type_name.as_str().into(),
            kind: provider.kind,
            dialect: provider.dialect,
            openai: OpenAiChat { manners: provider.manners },
            auth: provider.auth,
            origin: provider.base_url.as_ref().map(|url| url.origin.clone()),
            cap_field: provider.manners.cap_field,
            uuid_ids: provider.manners.uuid_ids,
            services: provider.services,
            prefix: prefix.into(),
            hooked: provider.hooked,
            slot,
            live,
            bounded: provider.max_concurrency.is_some(),
            rated: provider.rate_limit_rpm.is_some(),
            token_rated: provider.rate_limit_tpm.is_some(),
            max_tokens_limit: provider.max_tokens_limit.map(u64::from),
            credentials,
            shown,
            headers: fixed_headers(provider),
            deadlines: deadlines.but(&provider.patience),
            targets: [Endpoint::Chat, Endpoint::Completions, Endpoint::Embeddings].map(|e| target(e.path())),
            models_target: target(door.models_target),
            version,
            list_wanted: is_list_wanted(provider),
        }
    }
}

fn fixed_headers(provider: &Provider) -> Headers {
    let one = |(name, value): &(String, Secret)| (Bytes::from(name.clone()), Bytes::from(value.expose().to_owned()));
    provider.headers.iter().map(one).collect()
}

impl Holder {
    pub(super) fn of_key(key: &Arc<Key>, models: &[String], live: Arc<HolderLive>) -> Arc<Holder> {
        Arc::new(Holder {
            name: key.name.clone(),
            bounded: key.max_concurrency.is_some(),
            rated: key.rate_limit_rpm.is_some(),
            token_rated: key.rate_limit_tpm.is_some(),
            max_tokens_limit: key.max_tokens_limit.map(u64::from),
            key: Some(key.clone()),
            tenant: tenant_of(key, models),
            owner: key.digest.number(),
            live,
        })
    }

    /// Whoever needs no key.
    pub(super) fn keyless(name: &str, owner: u64) -> Arc<Holder> {
        let (name, live) = (Arc::from(name), holder_live(None, None, None, 0));
        Arc::new(Holder {
            tenant: Arc::clone(&name),
            name,
            key: None,
            owner,
            live,
            bounded: false,
            rated: false,
            token_rated: false,
            max_tokens_limit: None,
        })
    }

    /// Whether a request of this holder may go to `upstream` as `model`, looked up live. `granted`: it asked for an alias
    /// that its scope names ([`Self::grants`]).
    pub fn allows(&self, model: &str, upstream: &Upstream, granted: bool) -> bool {
        !upstream.live.withdrawn.load(Ordering::Relaxed)
            && !self.live.revoked.load(Ordering::Relaxed)
            && (granted || self.key.as_ref().is_none_or(|key| key.allows(model, &upstream.name)))
    }

    /// Whether its scope names the alias that answers for `model`.
    pub fn grants(&self, model: &str, routes: &Routes) -> bool {
        let scoped = self.key.as_ref().filter(|key| !key.models.is_empty());
        scoped.is_some_and(|key| routes.alias(model).is_some_and(|alias| key.grants(alias)))
    }
}

/// One tenant is one key in one scope: cached answers are shared among all who hold the key, and with nobody else. Neither
/// names (`key-1` is whoever stands first in the file) nor places take part. In another scope other providers may answer.
///
/// A hash of the key's digest, so that neither can be read from it. Callers without a key and the program itself are
/// tenants under their own names, which no hash is.
fn tenant_of(key: &Key, models: &[String]) -> Arc<str> {
    let mut hasher = blake3::Hasher::new_derive_key("hoosh: a key and its scope as a tenant of the cache");
    hasher.update(key.digest.as_bytes());
    for model in models {
        hasher.update(&(model.len() as u64).to_le_bytes()).update(model.as_bytes());
    }
    // An answer that was cut short under another cap is another answer.
    if let Some(limit) = key.max_tokens_limit {
        hasher.update(b"max_tokens_limit").update(&limit.to_le_bytes());
    }
    hasher.finalize().to_hex().as_str()[..32].into()
}

/// A configuration that was not read from a file may have two of one name: the first counts.
fn by_name<'a>(names: impl Iterator<Item = &'a str>) -> HashMap<String, u32, FixedState> {
    let mut places = HashMap::with_hasher(FixedState::with_seed(0x706c_6163_6573));
    for (at, name) in (0u32..).zip(names) {
        places.entry_ref(name).or_insert(at);
    }
    places
}

impl Places {
    pub fn of(config: &Config) -> Places {
        let mut routes = ByModel::new();
        for (at, route) in (0u32..).zip(&config.routes) {
            *routes.entry(&route.model) = at;
        }
        Places {
            budgets: by_name(config.budgets.iter().map(|budget| budget.name.as_str())),
            providers: by_name(config.providers.iter().map(|provider| provider.name.as_str())),
            routes,
        }
    }
}

impl Snapshot {
    pub fn budget(&self, name: &str) -> Option<&Arc<Pool>> {
        self.budgets.get(*self.places.budgets.get(name)? as usize)
    }

    /// The place of the provider of that name.
    pub fn provider(&self, name: &str) -> Option<usize> {
        self.places.providers.get(name).map(|at| *at as usize)
    }

    /// The route of a model: that of its name, else that of its longest prefix.
    pub fn route(&self, model: &str) -> Option<&Route> {
        let routes = &self.places.routes;
        let at = routes.exact(model).or_else(|| routes.prefixes(model).next())?;
        self.config.routes.get(*at as usize)
    }

    pub fn upstream_like(&self, provider: &Provider) -> Option<&Arc<Upstream>> {
        self.provider_like(provider).map(|(_, upstream)| upstream)
    }

    /// The same provider here, perhaps with other limits and credentials.
    pub fn provider_like(&self, provider: &Provider) -> Option<(&Provider, &Arc<Upstream>)> {
        let at = self.provider(&provider.name)?;
        let (old, upstream) = self.config.providers.get(at).zip(self.upstreams.get(at))?;
        let is_same = old.base_url == provider.base_url && old.kind == provider.kind;
        is_same.then_some((old, upstream))
    }

    /// The same caller here, if it may still come.
    pub fn holder_like(&self, holder: &Arc<Holder>) -> Option<Arc<Holder>> {
        if holder.live.revoked.load(Ordering::Relaxed) {
            return None;
        }
        match &holder.key {
            Some(key) => self.holder_of(key).cloned(),
            None if Arc::ptr_eq(&holder.live, &self.local.live) => Some(self.local.clone()),
            None => Some(self.anonymous.clone()),
        }
    }

    pub fn holder_of(&self, key: &Key) -> Option<&Arc<Holder>> {
        self.holders.get(self.keys.get(&key.digest)?.index as usize)
    }
}
