//! Base URLs. A small strict reader rather than a URL library: a base URL has four parts, and what is not one of them
//! (credentials, query, fragment) would be dropped or leaked silently by a lenient one.
//!
//! The path rule: OpenAI SDKs are given addresses *with* `/v1`, other tools *without*. Both are understood: no path
//! (or only `/`) means the type's own prefix; a path is used as it stands, without trailing slashes.

use std::net::Ipv6Addr;
use std::sync::Arc;

use super::BaseUrl;
use crate::http::Origin;

/// Reads a base URL; `prefix` stands in for an absent path. The error says what to change and never quotes the text,
/// which may hold a secret.
pub fn base_url(text: &str, prefix: &str) -> Result<BaseUrl, &'static str> {
    let (scheme, rest) = text.split_once("://").ok_or("must begin with `http://` or `https://`")?;
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "http" => false,
        "https" => true,
        _ => return Err("must begin with `http://` or `https://`"),
    };
    if rest.contains(['?', '#']) {
        return Err("must not have a query or fragment; leave out everything from `?` or `#` on");
    }
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    let (host, port) = host_and_port(authority)?;
    let port = port.unwrap_or(if tls { 443 } else { 80 });
    // Base URLs are written by the operator, or stand in the catalogue.
    let origin = Origin { tls, host, port, trusted: true, ..Origin::default() };
    Ok(BaseUrl { origin: Arc::new(origin), prefix: checked_path(path)?.unwrap_or(prefix).to_owned() })
}

/// A host and, where there is one, a port.
pub fn host_and_port(authority: &str) -> Result<(String, Option<u16>), &'static str> {
    if authority.contains('@') {
        return Err("must not hold credentials; put the key in `api_key`");
    }
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, port) = rest.split_once(']').ok_or("has a `[` without `]` around its IPv6 address")?;
        let address: Ipv6Addr = address.parse().map_err(|_| "has no valid IPv6 address in its brackets")?;
        let port = match port.strip_prefix(':') {
            Some(digits) => Some(port_number(digits)?),
            None if port.is_empty() => None,
            None => return Err("must have `:port`, `/` or nothing after `]`"),
        };
        return Ok((address.to_string(), port));
    }
    let (host, port) = match authority.split_once(':') {
        Some((_, port)) if port.contains(':') => {
            return Err("must have its IPv6 address in brackets: `http://[::1]:8000`")
        }
        Some((host, port)) => (host, Some(port_number(port)?)),
        None => (authority, None),
    };
    if !is_host(host) {
        return Err("has no valid host; write a name of letters, digits, `-` and `.`, or an address");
    }
    Ok((host.to_ascii_lowercase(), port))
}

fn port_number(digits: &str) -> Result<u16, &'static str> {
    let port = if digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse().unwrap_or(0) } else { 0 };
    if port == 0 {
        return Err("must have a port from 1 to 65535 after `:`");
    }
    Ok(port)
}

/// A host name or IPv4 address, as far as its characters tell. Names in other scripts come in their `xn--` form, as
/// they go into the `Host` header.
pub fn is_host(host: &str) -> bool {
    let ok = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    !host.is_empty()
        && host.len() <= 253
        && host.bytes().all(ok)
        && !host.starts_with(['.', '-'])
        && !host.contains("..")
}

/// The path as a prefix, or `None` where there is none.
fn checked_path(path: &str) -> Result<Option<&str>, &'static str> {
    let path = path.trim_end_matches('/');
    if path.is_empty() {
        return Ok(None);
    }
    if !path
        .bytes()
        .all(|b| b.is_ascii_graphic() && !matches!(b, b'\\' | b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}'))
    {
        return Err("has a character in its path that must be percent-encoded");
    }
    if path.split('/').skip(1).any(|segment| matches!(segment, "" | "." | "..")) {
        return Err("must not have empty, `.` or `..` segments in its path");
    }
    Ok(Some(path))
}

impl std::fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.origin.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.origin.authority(), self.prefix)
    }
}
