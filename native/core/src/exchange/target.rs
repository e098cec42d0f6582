//! The paths: what each asks for, with which methods, and who may.

use std::borrow::Cow;

use crate::dialects::neutral::Endpoint;
use crate::metrics::Served;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Inference(Endpoint),
    Models,
    Model(String),
    Health,
    Ready,
    Metrics,
    /// What would become of a request.
    Explain,
}

/// Who may ask for a path, and what of the gateway it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Whoever reaches the port, so that a load balancer can ask.
    Open,
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
            "/metrics" => Target::Metrics,
            "/v1/explain" => Target::Explain,
            path => Target::Model(path.strip_prefix("/v1/models/").filter(|id| !id.is_empty())?.into()),
        })
    }

    /// In metrics and rows.
    pub fn served(&self) -> Served {
        match self {
            Target::Inference(endpoint) => Served::Inference(*endpoint),
            Target::Models | Target::Model(_) => Served::Models,
            _ => Served::Other,
        }
    }

    pub fn access(&self) -> Access {
        match self {
            Target::Health | Target::Ready => Access::Open,
            Target::Metrics | Target::Explain => Access::Unbound,
            Target::Inference(_) | Target::Models | Target::Model(_) => Access::Key,
        }
    }

    /// Largest body, where requests of models may have `most` bytes: questions to the gateway itself are short.
    pub fn body_limit(&self, most: u64) -> u64 {
        const CONTROL_BYTES: u64 = 1 << 20;
        match self {
            Target::Explain => most.min(CONTROL_BYTES),
            _ => most,
        }
    }

    pub fn allows(&self, method: &str) -> bool {
        self.allow().split(", ").any(|allowed| allowed == method)
    }

    /// For the header `allow`. RFC 9110 section 9.1: whoever serves GET serves HEAD.
    pub fn allow(&self) -> &'static str {
        match self {
            Target::Inference(_) | Target::Explain => "POST",
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
