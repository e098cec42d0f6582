//! The label values that are known beforehand.

use crate::dialects::neutral::Endpoint;
use crate::dialects::passed::Service;

/// A small enum whose values are label values: an index for the counters and a word for the exposition.
macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$value_doc])* $value,)* }

        impl $name {
            /// Every value, in the order of the indices.
            pub const ALL: &'static [$name] = &[$($name::$value,)*];
            /// The label value.
            pub const fn as_str(self) -> &'static str { match self { $($name::$value => $word,)* } }
        }
    };
}

label! {
    /// `hoosh_cache_total{result}`.
    CacheResult {
        /// Answered from the cache.
        Hit = "hit",
        /// Looked up, not there.
        Miss = "miss",
        /// Not looked up: not repeatable, switched off, or the caller said so.
        Bypass = "bypass",
        /// Shared the upstream call of an equal request in flight.
        Shared = "shared",
    }
}

label! {
    /// `hoosh_limited_total{limit}`: what made a request be refused or shed.
    Limit {
        /// Places of the whole gateway.
        GatewayConcurrency = "gateway_concurrency",
        /// Requests a minute of the whole gateway.
        GatewayRate = "gateway_rate",
        /// Tokens a minute of the whole gateway.
        GatewayTokens = "gateway_tokens",
        /// Places of a key.
        KeyConcurrency = "key_concurrency",
        /// Requests a minute of a key.
        KeyRate = "key_rate",
        /// Tokens a minute of a key.
        KeyTokens = "key_tokens",
        /// Places of a provider.
        ProviderConcurrency = "provider_concurrency",
        /// Requests a minute of a provider.
        ProviderRate = "provider_rate",
        /// Tokens a minute of a provider.
        ProviderTokens = "provider_tokens",
        /// Tokens of a budget.
        Budget = "budget",
        /// Bytes held at once.
        Buffers = "buffers",
    }
}

label! {
    /// `hoosh_upstream_attempts_total{outcome}`: how one attempt ended.
    Outcome {
        /// A whole answer.
        Completed = "completed",
        /// No connection, or no TLS.
        Unreachable = "unreachable",
        /// Too slow at any stage.
        Timeout = "timeout",
        /// 5xx, a reset, or an error event.
        Error = "error",
        /// Not its protocol.
        Malformed = "malformed",
        /// Ended before it was complete.
        Truncated = "truncated",
        /// 429.
        Throttled = "throttled",
        /// 401 or 403: our credential.
        Credential = "credential",
        /// Another 4xx: the caller's request.
        Refused = "refused",
        /// Given up by hoosh: the caller left, a deadline passed, or another attempt won.
        Aborted = "aborted",
    }
}

label! {
    /// The first digit of the answer's status; `other` if there was none.
    StatusClass {
        /// Answered.
        Success = "2xx",
        /// Never of hoosh's own making.
        Redirect = "3xx",
        /// The caller's fault, 499 (it left) included.
        Caller = "4xx",
        /// The upstream's or hoosh's.
        Server = "5xx",
        /// No status.
        Other = "other",
    }
}

impl StatusClass {
    pub(super) const fn of(status: u16) -> StatusClass {
        match status / 100 {
            2 => StatusClass::Success,
            3 => StatusClass::Redirect,
            4 => StatusClass::Caller,
            5 => StatusClass::Server,
            _ => StatusClass::Other,
        }
    }
}

/// The `endpoint` label: what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Served {
    /// An exchange.
    Inference(Endpoint),
    /// One whose request passed as it is.
    Passed(Service),
    /// The model list.
    Models,
    /// Health, metrics, unknown paths.
    Other,
}

impl Served {
    /// Every value, in the order of the indices.
    pub const ALL: &'static [Served] = &[
        Served::Inference(Endpoint::Chat),
        Served::Inference(Endpoint::Completions),
        Served::Inference(Endpoint::Embeddings),
        Served::Models,
        Served::Other,
        Served::Passed(Service::Moderations),
        Served::Passed(Service::Rerank),
        Served::Passed(Service::Images),
        Served::Passed(Service::Speech),
        Served::Passed(Service::Transcriptions),
        Served::Passed(Service::Translations),
        Served::Passed(Service::Files),
        Served::Passed(Service::ModelFiles),
        Served::Passed(Service::Responses),
    ];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Served::Inference(endpoint) => endpoint.as_str(),
            Served::Passed(service) => service.as_str(),
            Served::Models => "models",
            Served::Other => "other",
        }
    }

    pub(super) const fn index(self) -> usize {
        match self {
            Served::Inference(Endpoint::Chat) => 0,
            Served::Inference(Endpoint::Completions) => 1,
            Served::Inference(Endpoint::Embeddings) => 2,
            Served::Models => 3,
            Served::Other => 4,
            Served::Passed(service) => 5 + service as usize,
        }
    }
}
