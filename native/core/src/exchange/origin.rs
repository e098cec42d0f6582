//! Who asks from where: a web page that the operator did not name must neither spend its money nor read its answers.
//!
//! A browser sends what a page wants to any address that it can reach, this machine's own among them, and says in `Origin`
//! whose page it is. A page may also have its own name resolve to this machine (DNS rebinding); `Host` tells that. Where
//! keys are asked for, both are let pass: a page knows none, and no browser adds one by itself. What a named page needs to
//! read the answers is the protocol of the Fetch standard, section 3.2 (CORS).

use bytes::Bytes;

use super::step::{Caller, RequestHead};
use crate::config::{is_loopback, Server};
use crate::error::{Code, Failure};
use crate::http::Headers;

/// Everything that a page may send for what there is; the paths themselves say which of them they have.
const METHODS: &[u8] = b"GET, HEAD, POST, DELETE";
/// Request headers that hoosh reads, and those of its callers' SDKs that it need not.
const REQUEST_HEADERS: &[&str] = &[
    "accept",
    "authorization",
    "cache-control",
    "content-type",
    "idempotency-key",
    "user-agent",
    "x-hoosh-model",
    "x-hoosh-pool",
    "x-hoosh-priority",
    "x-hoosh-provider",
    "x-request-id",
];
const REQUEST_PREFIXES: &[&str] = &["openai-", "x-stainless-"];
/// Answer headers that a page's script may read.
const EXPOSED: &str = "x-request-id, x-hoosh-cache, x-hoosh-model, x-hoosh-max-tokens, x-should-retry, retry-after, \
    retry-after-ms, idempotent-replayed, x-ratelimit-limit-requests, x-ratelimit-remaining-requests, \
    x-ratelimit-reset-requests, x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens";
/// Seconds that a browser may remember a preflight: the longest that Chromium takes.
const MAX_AGE: &[u8] = b"7200";

/// What is said to the browser, where `cors_origins` names pages.
#[derive(Debug)]
pub(super) struct Cors {
    /// The page's origin, if it is named, or `*`.
    allow: Option<Bytes>,
    /// What of an answer it may read.
    exposes: Bytes,
    /// Answers differ by `Origin`.
    varies: bool,
    /// The browser asks beforehand: the headers that its page may send.
    pub preflight: Option<Bytes>,
}

/// Refuses what a page of somebody else may have sent. For callers who need no key.
pub(super) fn check(head: RequestHead<'_>, server: &Server) -> Result<(), Failure> {
    let host = head.headers.get("host").unwrap_or_default();
    // No browser leaves it out.
    if !host.is_empty() && !is_own(host, server) {
        let words = "This gateway does not answer under the name in 'Host'. Add it to [server] allowed_hosts.";
        return Err(Failure::new(Code::HostForbidden, words));
    }
    let Some(origin) = head.headers.get("origin") else { return Ok(()) };
    let authority = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
    let same = authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host));
    if same || is_named(origin, server) {
        return Ok(());
    }
    let words = "A page of this origin may not ask. Add the origin to [server] cors_origins, or ask for keys.";
    Err(Failure::new(Code::OriginForbidden, words))
}

/// Whether `host`, a name or address with or without a port, is this gateway's own.
fn is_own(host: &[u8], server: &Server) -> bool {
    let Ok(host) = std::str::from_utf8(host) else { return false };
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    let is = |known: &str| known == "*" || known.eq_ignore_ascii_case(name);
    is_loopback(name) || is(&server.bind) || server.allowed_hosts.iter().any(|known| is(known))
}

fn is_named(origin: &[u8], server: &Server) -> bool {
    server.cors_origins.iter().any(|known| known == "*" || origin.eq_ignore_ascii_case(known.as_bytes()))
}

impl Cors {
    pub fn of(head: RequestHead<'_>, server: &Server) -> Option<Box<Cors>> {
        if server.cors_origins.is_empty() || head.caller == Caller::Neutral {
            return None;
        }
        let any = server.cors_origins.iter().any(|known| known == "*");
        let origin = head.headers.get("origin").filter(|origin| is_named(origin, server));
        let allow = origin.map(|origin| if any { Bytes::from_static(b"*") } else { Bytes::copy_from_slice(origin) });
        let asks =
            allow.is_some() && head.method == "OPTIONS" && head.headers.get("access-control-request-method").is_some();
        let preflight = asks.then(|| allowed_headers(head, &server.pass_request_headers));
        let exposes = match &*server.pass_response_headers {
            [] => Bytes::from_static(EXPOSED.as_bytes()),
            more => Bytes::from(format!("{EXPOSED}, {}", more.join(", "))),
        };
        Some(Box::new(Cors { allow, exposes, varies: !any, preflight }))
    }

    /// Adds what every answer says.
    pub fn write(&self, headers: &mut Headers) {
        if self.varies {
            headers.push((Bytes::from_static(b"vary"), Bytes::from_static(b"origin")));
        }
        let Some(allow) = &self.allow else { return };
        headers.push((Bytes::from_static(b"access-control-allow-origin"), allow.clone()));
        if self.preflight.is_none() {
            headers.push((Bytes::from_static(b"access-control-expose-headers"), self.exposes.clone()));
        }
    }

    /// Adds what only the answer to a preflight says.
    pub fn write_preflight(&self, headers: &mut Headers) {
        headers.push((Bytes::from_static(b"access-control-allow-methods"), Bytes::from_static(METHODS)));
        if let Some(allowed) = self.preflight.as_ref().filter(|allowed| !allowed.is_empty()) {
            headers.push((Bytes::from_static(b"access-control-allow-headers"), allowed.clone()));
        }
        headers.push((Bytes::from_static(b"access-control-max-age"), Bytes::from_static(MAX_AGE)));
    }
}

/// Of the headers that the page wants to send, those that it may.
fn allowed_headers(head: RequestHead<'_>, passed: &[String]) -> Bytes {
    let wanted = head.headers.get("access-control-request-headers").and_then(|names| std::str::from_utf8(names).ok());
    let is_plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let allowed = wanted.unwrap_or_default().split(',').map(str::trim).filter(|name| {
        let lower = name.to_ascii_lowercase();
        let known = passed.contains(&lower)
            || REQUEST_HEADERS.contains(&&*lower)
            || REQUEST_PREFIXES.iter().any(|prefix| lower.starts_with(prefix));
        known && is_plain(name)
    });
    Bytes::from(allowed.collect::<Vec<_>>().join(", "))
}
