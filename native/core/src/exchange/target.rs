//! The paths: what each asks for, with which methods, and who may.

use std::borrow::Cow;

use crate::config::{mount_of, Mount, Server};
use crate::dialects::neutral::Endpoint;
use crate::dialects::passed::Passed;
use crate::dialects::questions::Question;
use crate::dialects::{Ask, Asked, Dialect};
use crate::metrics::Served;
use crate::sync::Arc;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Inference(Dialect, Endpoint),
    /// How many tokens a request has, in the words of a dialect.
    Count(Dialect),
    /// A response of the Responses API that was kept; and the query, which says in which form.
    Kept(String, String),
    /// What it was asked with; and the query, which says which part of it.
    KeptItems(String, String),
    /// It is not to be made any more.
    KeptCancel(String),
    /// Asked as it is, of a provider that offers it; and which file.
    Passed(Passed, Option<Box<str>>),
    Models,
    Model(String),
    /// What only clients of a dialect ask; and its path.
    Question(Dialect, Question, &'static str),
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
    pub fn of(path: &str, query: &str) -> Option<(Target, Ask)> {
        let path = decoded(path);
        for dialect in Dialect::ALL {
            if let Some(asked) = (dialect.door().asked)(&path, query) {
                return Some(Target::asked(dialect, asked));
            }
        }
        Target::by_name(&path).map(|target| (target, Ask::default()))
    }

    fn asked(dialect: Dialect, asked: Asked) -> (Target, Ask) {
        let target = match asked {
            Asked::Answer(ask) => {
                let endpoint = ask.endpoint.unwrap_or(Endpoint::Chat);
                let target = if ask.count { Target::Count(dialect) } else { Target::Inference(dialect, endpoint) };
                return (target, ask);
            }
            Asked::Models => Target::Models,
            Asked::Model(id) => Target::Model(id),
            Asked::Question(question, path) => Target::Question(dialect, question, path),
            Asked::Kept(id, query) => Target::Kept(id, query),
            Asked::KeptItems(id, query) => Target::KeptItems(id, query),
            Asked::KeptCancel(id) => Target::KeptCancel(id),
        };
        (target, Ask::default())
    }

    /// What is no dialect's alone.
    fn by_name(path: &str) -> Option<Target> {
        Some(match path {
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
            Target::Inference(_, endpoint) => Served::Inference(*endpoint),
            Target::Passed(passed, _) => Served::Passed(passed.service()),
            Target::Models | Target::Model(_) | Target::Question(_, Question::Show | Question::Loaded, _) => {
                Served::Models
            }
            _ => Served::Other,
        }
    }

    /// In records, and where the path itself has a name in it, that is left out.
    pub fn path(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Target::Mounted(mount) => return Cow::Owned(mount.path.to_string()),
            Target::Inference(dialect, endpoint) => (dialect.door().path)(*endpoint, false),
            Target::Kept(..) => Passed::Response.path(),
            Target::KeptItems(..) => Passed::ResponseItems.path(),
            Target::KeptCancel(_) => Passed::CancelResponse.path(),
            Target::Count(dialect) => (dialect.door().path)(Endpoint::Chat, true),
            Target::Passed(passed, _) => passed.path(),
            Target::Models => "/v1/models",
            Target::Model(_) => "/v1/models/{model}",
            Target::Question(_, _, path) => path,
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
            Target::Inference(_, endpoint) => endpoint.as_str(),
            Target::Count(_) => "count",
            Target::Kept(..) | Target::KeptItems(..) | Target::KeptCancel(_) => "responses",
            Target::Passed(passed, _) => passed.service().as_str(),
            Target::Models | Target::Model(_) => "models",
            Target::Question(_, Question::Show | Question::Loaded, _) => "models",
            Target::Question(_, Question::Version, _) => "version",
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
            Target::Health | Target::Ready | Target::Question(_, Question::Version, _) => Access::Open,
            Target::Mounted(mount) if mount.public => Access::Public,
            Target::Providers
            | Target::Capabilities
            | Target::Metrics
            | Target::Costs
            | Target::Cache
            | Target::CacheStats
            | Target::Explain => Access::Unbound,
            Target::Inference(..)
            | Target::Count(_)
            | Target::Kept(..)
            | Target::KeptItems(..)
            | Target::KeptCancel(_)
            | Target::Passed(..)
            | Target::Models
            | Target::Model(_)
            | Target::Question(_, Question::Show | Question::Loaded, _)
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
            Target::Inference(..)
            | Target::Count(_)
            | Target::Tokens(PoolAsk::Check | PoolAsk::Reserve | PoolAsk::Report)
            | Target::Question(_, Question::Show, _)
            | Target::KeptCancel(_)
            | Target::Explain => "POST",
            Target::Passed(passed, _) => passed.allow(),
            Target::Cache => "DELETE",
            Target::Kept(..) => "GET, HEAD, DELETE",
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
