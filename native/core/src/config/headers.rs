//! Which headers go through: those that the operator names, and never those that would break the framing, tell a secret, or
//! say something of another connection.

use toml::de::DeValue;

use super::reader::{Checked, Table};
use super::Secret;
use crate::dialects::Dialect;

/// Of one connection (RFC 9110 section 7.6.1), of framing, or of who is in between.
const OF_THE_CONNECTION: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-real-ip",
];
/// Of whoever sent them, and of nobody else's business; the headers with a dialect's key too.
const SECRETS: &[&str] = &["api-key", "authorization", "cookie", "cookie2", "set-cookie", "set-cookie2"];
/// Written, or decided upon, by hoosh itself.
const OWN: &[&str] = &[
    "accept",
    "accept-encoding",
    "allow",
    "cache-control",
    "content-type",
    "date",
    "idempotency-key",
    "idempotent-replayed",
    "origin",
    "retry-after",
    "retry-after-ms",
    "server",
    "user-agent",
    "vary",
    "www-authenticate",
    "x-accel-buffering",
    "x-request-id",
    "x-should-retry",
];
const OWN_PREFIXES: &[&str] = &["access-control-", "x-hoosh-", "x-ratelimit-"];

/// `pass_request_headers`, `pass_response_headers`: names, in lower case.
pub fn names(t: &Table<'_>, key: &str) -> Checked<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for (text, at) in t.strings(key)? {
        let name = text.to_ascii_lowercase();
        let secret = is_secret(&name).then_some("is never passed on, because it holds a secret");
        if let Some(why) = secret.or_else(|| fault(&name)) {
            return t.source.error(&at, format!("the header `{}` {why}; leave it out", shown(&name)));
        }
        names.push(name);
    }
    Ok(names)
}

/// `headers` of a provider: what every request to it says. A value may come from the environment.
pub fn fixed(t: &Table<'_>) -> Checked<Vec<(String, Secret)>> {
    let Some(value) = t.value("headers") else { return Ok(Vec::new()) };
    let DeValue::Table(entries) = value.get_ref() else { return t.wrong_type("headers", value, "table") };
    let mut headers = Vec::new();
    for (key, value) in entries.iter() {
        let name = key.get_ref().to_ascii_lowercase();
        let why = match &*name {
            "authorization" => Some("is written from `api_key`; use that"),
            name => fault(name),
        };
        if let Some(why) = why {
            return t.source.error(&key.span(), format!("the header `{}` {why}", shown(&name)));
        }
        let DeValue::String(text) = value.get_ref() else {
            return t.source.error(&value.span(), "the value of a header must be a string");
        };
        let text = t.source.expand(text, &value.span())?;
        if text.is_empty() || !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return t.source.error(&value.span(), "the value of a header must be one line of visible ASCII");
        }
        headers.push((name, Secret::new(text)));
    }
    Ok(headers)
}

fn is_secret(name: &str) -> bool {
    SECRETS.contains(&name) || Dialect::ALL.iter().any(|dialect| dialect.door().key_header == Some(name))
}

/// Why a header of this name may not be named; `None`: it may.
fn fault(name: &str) -> Option<&'static str> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.is_empty() || name.len() > 128 || !name.bytes().all(token) {
        Some("is no header name of letters, digits, `-` and `_` (there are no patterns)")
    } else if OF_THE_CONNECTION.contains(&name) || name.starts_with("x-forwarded-") {
        Some("is never passed on, because it speaks of another connection")
    } else if OWN.contains(&name) || OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        Some("is written by hoosh itself")
    } else {
        None
    }
}

fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}
