//! The paths: what each asks for, with which methods, and who may.

use std::borrow::Cow;

use crate::config::{mount_of, Mount, Server};
use crate::dialects::neutral::Endpoint;
use crate::dialects::passed::Passed;
use crate::metrics::Served;
use crate::sync::Arc;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Inference(Endpoint),
    /// Asked as it is, of a provider that offers it; and which file.
    Passed(Passed, Option<Box<str>>),
    Models,
    Model(String),
    Health,
    Ready,
    Providers,
    /// What each provider and its models can do.
    Capabilities,
    Metrics,
    /// What would become of a request.
    Explain,
    Cache,
    CacheStats,
    Tokens(PoolAsk),
    Costs,
    /// An application of the operator answers.
    Mounted(Arc<Mount>),
}

/// What is asked of the budgets: `/v1/tokens/*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PoolAsk {
    /// Would so many tokens be granted?
    Check,
    /// Hold them.
    Reserve,
    /// So many were used of what is held.
    Report,
    /// What is there?
    Pools,
}

/// Who may ask for a path, and what of the gateway it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Whoever reaches the port, so that a load balancer can ask.
    Open,
    /// The same, but no page of somebody else.
    Public,
    /// Whoever holds a key.
    Key,
    /// A key that is not bound to models: it names every provider and budget, and sums up what all tenants do.
    Unbound,
}

impl Target {
    /// What `path` names; as in the request's target, so that a model's name may hold `%2F`, or `/` as it is.
    pub fn of(path: &str) -> Option<Target> {
        Some(match &*decoded(path) {
            "/v1/chat/completions" => Target::Inference(Endpoint::Chat),
            "/v1/completions" => Target::Inference(Endpoint::Completions),
            "/v1/embeddings" => Target::Inference(Endpoint::Embeddings),
            "/v1/models" => Target::Models,
            "/v1/health" => Target::Health,
            "/v1/health/ready" => Target::Ready,
            "/v1/health/providers" => Target::Providers,
            "/v1/providers" => Target::Capabilities,
            "/metrics" => Target::Metrics,
            "/v1/explain" => Target::Explain,
            "/v1/cache" => Target::Cache,
            "/v1/cache/stats" => Target::CacheStats,
            "/v1/tokens/check" => Target::Tokens(PoolAsk::Check),
            "/v1/tokens/reserve" => Target::Tokens(PoolAsk::Reserve),
            "/v1/tokens/report" => Target::Tokens(PoolAsk::Report),
            "/v1/tokens/pools" => Target::Tokens(PoolAsk::Pools),
            "/v1/costs" => Target::Costs,
            path => match path.strip_prefix("/v1/models/") {
                Some(id) => Target::Model(Some(id).filter(|id| !id.is_empty())?.into()),
                None => Passed::of(path).map(|(passed, id)| Target::Passed(passed, id.map(Box::from)))?,
            },
        })
    }

    /// The application whose `path` is.
    pub fn mounted(path: &str, server: &Server) -> Option<Target> {
        match &*server.mounts {
            [] => None,
            mounts => mount_of(mounts, &decoded(path)).cloned().map(Target::Mounted),
        }
    }

    /// In metrics and rows.
    pub fn served(&self) -> Served {
        match self {
            Target::Inference(endpoint) => Served::Inference(*endpoint),
            Target::Passed(passed, _) => Served::Passed(passed.service()),
            Target::Models | Target::Model(_) => Served::Models,
            _ => Served::Other,
        }
    }

    /// In records, and where the path itself has a name in it, that is left out.
    pub fn path(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Target::Mounted(mount) => return Cow::Owned(mount.path.to_string()),
            Target::Inference(Endpoint::Chat) => "/v1/chat/completions",
            Target::Inference(Endpoint::Completions) => "/v1/completions",
            Target::Inference(Endpoint::Embeddings) => "/v1/embeddings",
            Target::Passed(passed, _) => passed.path(),
            Target::Models => "/v1/models",
            Target::Model(_) => "/v1/models/{model}",
            Target::Health => "/v1/health",
            Target::Ready => "/v1/health/ready",
            Target::Providers => "/v1/health/providers",
            Target::Capabilities => "/v1/providers",
            Target::Cache => "/v1/cache",
            Target::CacheStats => "/v1/cache/stats",
            Target::Metrics => "/metrics",
            Target::Tokens(PoolAsk::Check) => "/v1/tokens/check",
            Target::Tokens(PoolAsk::Reserve) => "/v1/tokens/reserve",
            Target::Tokens(PoolAsk::Report) => "/v1/tokens/report",
            Target::Tokens(PoolAsk::Pools) => "/v1/tokens/pools",
            Target::Costs => "/v1/costs",
            Target::Explain => "/v1/explain",
        })
    }

    /// One word for it in records.
    pub fn word(&self) -> &'static str {
        match self {
            Target::Inference(endpoint) => endpoint.as_str(),
            Target::Passed(passed, _) => passed.service().as_str(),
            Target::Models | Target::Model(_) => "models",
            Target::Health | Target::Ready | Target::Providers => "health",
            Target::Capabilities => "providers",
            Target::Cache | Target::CacheStats => "cache",
            Target::Metrics => "metrics",
            Target::Tokens(_) => "tokens",
            Target::Costs => "costs",
            Target::Explain => "explain",
            Target::Mounted(_) => "mount",
        }
    }

    /// Asked every few seconds by machines: recorded only if it fails.
    pub fn is_routine(&self) -> bool {
        matches!(self, Target::Health | Target::Ready | Target::Metrics)
    }

    pub fn access(&self) -> Access {
        match self {
            Target::Health | Target::Ready => Access::Open,
            Target::Mounted(mount) if mount.public => Access::Public,
            Target::Providers
            | Target::Capabilities
            | Target::Metrics
            | Target::Costs
            | Target::Cache
            | Target::CacheStats
            | Target::Explain => Access::Unbound,
            Target::Inference(_)
            | Target::Passed(..)
            | Target::Models
            | Target::Model(_)
            | Target::Tokens(_)
            | Target::Mounted(_) => Access::Key,
        }
    }

    pub fn allows(&self, method: &str) -> bool {
        matches!(self, Target::Mounted(_)) || self.allow().split(", ").any(|allowed| allowed == method)
    }

    /// For the header `allow`. RFC 9110 section 9.1: whoever serves GET serves HEAD.
    pub fn allow(&self) -> &'static str {
        match self {
            Target::Inference(_)
            | Target::Tokens(PoolAsk::Check | PoolAsk::Reserve | PoolAsk::Report)
            | Target::Explain => "POST",
            Target::Passed(passed, _) => passed.allow(),
            Target::Cache => "DELETE",
            _ => "GET, HEAD",
        }
    }
}

/// `path` with its `%XX` read. Where that gives no text, or NUL, it stays as it was written: it names nothing then.
fn decoded(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let bytes = path.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    match String::from_utf8(out) {
        Ok(text) if !text.contains('\0') => Cow::Owned(text),
        _ => Cow::Borrowed(path),
    }
}
