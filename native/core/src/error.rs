//! One tree of errors, and the only module that writes error bodies.
//!
//! Every failure that a caller can see is one [`Code`]: its status, its OpenAI `type` and who is at fault are decided
//! here and nowhere else. Messages carry the fix and never a secret.

use bytes::Bytes;

use crate::clock::{MILLISECOND, SECOND};

/// Who has to change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request.
    Caller,
    /// The provider that answered, or did not.
    Upstream,
    /// hoosh or its operator.
    Gateway,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $status:literal, $type:literal, $code:literal, $fault:ident;)*) => {
        /// The stable code of an error: `error.code` in the OpenAI shape, the same word in rows and metrics.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];
            /// The stable word.
            pub const fn as_str(self) -> &'static str { match self { $(Code::$name => $code,)* } }
            /// The HTTP status.
            pub const fn status(self) -> u16 { match self { $(Code::$name => $status,)* } }
            /// `error.type` in the OpenAI shape.
            pub const fn openai_type(self) -> &'static str { match self { $(Code::$name => $type,)* } }
            /// Who is at fault.
            pub const fn fault(self) -> Fault { match self { $(Code::$name => Fault::$fault,)* } }
        }
    };
}

codes! {
    /// The head of the request is not HTTP as everybody reads it.
    MalformedRequest = 400, "invalid_request_error", "malformed_request", Caller;
    /// The body is not JSON.
    InvalidJson = 400, "invalid_request_error", "invalid_json", Caller;
    /// A field has the wrong type or value; `param` names it.
    InvalidValue = 400, "invalid_request_error", "invalid_value", Caller;
    /// A field is missing; `param` names it.
    MissingField = 400, "invalid_request_error", "missing_required_parameter", Caller;
    /// A key occurs twice at the top of the body, so that two readers could disagree on it.
    DuplicateField = 400, "invalid_request_error", "duplicate_parameter", Caller;
    /// The body was cut off.
    IncompleteBody = 400, "invalid_request_error", "incomplete_body", Caller;
    /// The response that the request goes on from is not kept, or is another's.
    UnknownResponse = 400, "invalid_request_error", "previous_response_not_found", Caller;
    /// The named budget does not exist.
    UnknownBudget = 400, "invalid_request_error", "unknown_budget", Caller;
    /// A part whose size nobody can bound, under an enforced budget.
    UnboundedInput = 400, "invalid_request_error", "unbounded_input", Caller;
    /// The input is longer than any model behind the name holds.
    ContextExceeded = 400, "invalid_request_error", "context_length_exceeded", Caller;
    /// No model behind the name can do what the request needs.
    UnsupportedByModel = 400, "invalid_request_error", "unsupported_by_model", Caller;
    /// Something would be lost between two dialects, and the caller is strict.
    TranslationLoses = 400, "invalid_request_error", "translation_loses", Caller;
    /// No key, or one that is not known.
    InvalidKey = 401, "authentication_error", "invalid_api_key", Caller;
    /// The key may not use this model.
    ModelForbidden = 403, "permission_error", "model_not_allowed", Caller;
    /// The key may not charge this budget.
    BudgetForbidden = 403, "permission_error", "budget_not_allowed", Caller;
    /// The key may not ask for this path.
    PathForbidden = 403, "permission_error", "path_not_allowed", Caller;
    /// Without keys: the gateway is not known by this name.
    HostForbidden = 403, "permission_error", "host_not_allowed", Caller;
    /// Without keys: a web page of another origin.
    OriginForbidden = 403, "permission_error", "origin_not_allowed", Caller;
    /// No provider serves this model.
    UnknownModel = 404, "invalid_request_error", "model_not_found", Caller;
    /// No provider that could be asked offers this endpoint.
    EndpointUnsupported = 404, "invalid_request_error", "endpoint_not_supported", Caller;
    /// No such path.
    UnknownPath = 404, "invalid_request_error", "unknown_url", Caller;
    /// The path exists, the method does not.
    WrongMethod = 405, "invalid_request_error", "method_not_allowed", Caller;
    /// The head or the body did not arrive in time.
    BodyTimeout = 408, "invalid_request_error", "request_timeout", Caller;
    /// A request with the same idempotency key is in progress.
    IdempotencyInProgress = 409, "invalid_request_error", "idempotency_in_progress", Caller;
    /// The idempotency key was used for another request.
    IdempotencyMismatch = 422, "invalid_request_error", "idempotency_mismatch", Caller;
    /// The body is larger than configured.
    BodyTooLarge = 413, "invalid_request_error", "request_too_large", Caller;
    /// Not the media type that the path takes.
    WrongContentType = 415, "invalid_request_error", "unsupported_media_type", Caller;
    /// An expectation other than `100-continue`.
    ExpectationFailed = 417, "invalid_request_error", "expectation_failed", Caller;
    /// The head is too long or has too many headers.
    HeadTooLarge = 431, "invalid_request_error", "headers_too_large", Caller;
    /// A transfer coding other than `chunked`.
    UnsupportedCoding = 501, "invalid_request_error", "unsupported_transfer_coding", Caller;
    /// Not HTTP/1.1 or 1.0.
    WrongVersion = 505, "invalid_request_error", "http_version_not_supported", Caller;
    /// A second report of what a reservation used.
    ReservationSettled = 409, "invalid_request_error", "reservation_settled", Caller;
    /// No reservation of this key has that id.
    UnknownReservation = 404, "invalid_request_error", "reservation_not_found", Caller;
    /// More requests a minute than the key or provider allows.
    RateLimited = 429, "rate_limit_error", "rate_limit_exceeded", Caller;
    /// The request may use more tokens than its limit lets through in a whole minute: no waiting helps.
    OverRateLimit = 413, "invalid_request_error", "request_exceeds_rate_limit", Caller;
    /// More requests at once than allowed, and no place to wait, or the wait was too long.
    ConcurrencyLimited = 429, "rate_limit_error", "concurrency_limit_exceeded", Caller;
    /// The budget has not enough left for this request.
    BudgetExceeded = 429, "insufficient_quota", "budget_exceeded", Caller;
    /// The upstream refused the request itself; its own words and status are passed on.
    UpstreamRefused = 400, "invalid_request_error", "upstream_refused", Caller;
    /// The upstream did not accept the operator's credential.
    UpstreamCredential = 502, "api_error", "upstream_credential_rejected", Upstream;
    /// What the operator's credential may spend at the upstream is spent.
    UpstreamQuota = 502, "api_error", "upstream_quota_exhausted", Upstream;
    /// The upstream's own rate limit, on every candidate.
    UpstreamRateLimited = 429, "rate_limit_error", "upstream_rate_limited", Upstream;
    /// No connection to any candidate.
    UpstreamUnreachable = 502, "api_error", "upstream_unreachable", Upstream;
    /// The upstream answered 5xx, broke off or reset.
    UpstreamError = 502, "api_error", "upstream_error", Upstream;
    /// The upstream answered something that is not its protocol.
    UpstreamMalformed = 502, "api_error", "upstream_malformed", Upstream;
    /// The upstream's stream ended before it was complete.
    UpstreamTruncated = 502, "api_error", "upstream_truncated", Upstream;
    /// The upstream was silent for too long.
    UpstreamTimeout = 504, "api_error", "upstream_timeout", Upstream;
    /// Every candidate is benched by its breaker.
    UpstreamUnavailable = 503, "api_error", "upstream_unavailable", Upstream;
    /// The store that holds the budget did not answer in time.
    BudgetUnavailable = 503, "api_error", "budget_unavailable", Gateway;
    /// The store that keeps responses did not answer, or not in time.
    StoreUnavailable = 503, "api_error", "store_unavailable", Gateway;
    /// Too much is buffered already.
    Overloaded = 503, "api_error", "overloaded", Gateway;
    /// The application that is mounted at this path does not run now.
    MountUnavailable = 503, "api_error", "mount_unavailable", Gateway;
    /// The gateway is going down.
    Draining = 503, "api_error", "draining", Gateway;
    /// A defect of hoosh.
    Internal = 500, "api_error", "internal_error", Gateway;
}

/// A failure on its way to the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What happened.
    pub code: Code,
    /// For a person, with the fix in it. No secret, no upstream address.
    pub message: String,
    /// The request field concerned.
    pub param: Option<String>,
    /// Answer status where it differs from the code's own (an upstream's 4xx passed on).
    pub status: Option<u16>,
    /// When to come back, seconds; `retry-after`.
    pub retry_after_secs: Option<u64>,
    /// The same exactly, milliseconds; `retry-after-ms`, with 429.
    pub retry_after_ms: Option<u64>,
}

impl Failure {
    /// A failure without a field.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Failure {
            code,
            message: message.into(),
            param: None,
            status: None,
            retry_after_secs: None,
            retry_after_ms: None,
        }
    }

    /// Names the field concerned.
    pub fn param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Tells when to come back.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_secs = Some(seconds);
        self
    }

    /// Tells when to come back, to the millisecond above.
    pub fn retry_after_us(self, us: u64) -> Self {
        Failure { retry_after_ms: Some(us.div_ceil(MILLISECOND)), ..self.retry_after(us.div_ceil(SECOND)) }
    }

    /// The status that the caller gets.
    pub fn status(&self) -> u16 {
        self.status.unwrap_or(self.code.status())
    }

    /// The OpenAI error object: `{"error":{"message","type","param","code"}}`.
    pub fn openai_body(&self) -> Bytes {
        openai_body(&self.message, self.code.openai_type(), self.param.as_deref(), Some(self.code.as_str()))
    }
}

/// The OpenAI error object of an engine of this process that refuses with `status`, for a reason of its own words; `param`
/// is the field of the request that it means.
pub fn refusal_body(status: u16, code: Option<&str>, message: &str, param: Option<&str>) -> Bytes {
    let kind = match status {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    };
    openai_body(message, kind, param, code)
}

fn openai_body(message: &str, kind: &str, param: Option<&str>, code: Option<&str>) -> Bytes {
    let mut out = Vec::with_capacity(128 + message.len());
    out.extend_from_slice(b"{\"error\":{\"message\":");
    crate::json::write_string(&mut out, message);
    out.extend_from_slice(b",\"type\":\"");
    out.extend_from_slice(kind.as_bytes());
    out.push(b'"');
    for (name, word) in [("param", param), ("code", code)] {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        match word {
            Some(word) => crate::json::write_string(&mut out, word),
            None => out.extend_from_slice(b"null"),
        }
    }
    out.extend_from_slice(b"}}");
    Bytes::from(out)
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.message, self.code.as_str())
    }
}

impl std::error::Error for Failure {}
