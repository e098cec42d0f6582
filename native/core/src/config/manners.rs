//! `[server]`: who may ask from where, signs of life, the way down, applications beside it.

use super::reader::{Checked, Table};
use super::{url, Server};

pub fn server(t: &Table<'_>, server: &mut Server) -> Checked<()> {
    server.allowed_hosts = allowed_hosts(t)?;
    server.cors_origins = cors_origins(t)?;
    server.pass_request_headers = super::headers::names(t, "pass_request_headers")?;
    server.pass_response_headers = super::headers::names(t, "pass_response_headers")?;
    t.integer("keep_alive_secs", &mut server.keep_alive_secs)?;
    t.integer("early_start_secs", &mut server.early_start_secs)?;
    t.integer("settle_secs", &mut server.settle_secs)?;
    t.integer("drain_secs", &mut server.drain_secs)?;
    server.mounts = super::mounts::mounts(t)?;
    Ok(())
}

fn allowed_hosts(t: &Table<'_>) -> Checked<Vec<String>> {
    let mut hosts = Vec::new();
    for (text, at) in t.strings("allowed_hosts")? {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if text != "*" && bare.parse::<std::net::IpAddr>().is_err() && !url::is_host(text) {
            let message = "a host must be a name or address without scheme and port, such as `gateway.example`, or `*`";
            return t.source.error(&at, message);
        }
        hosts.push(bare.to_owned());
    }
    Ok(hosts)
}

fn cors_origins(t: &Table<'_>) -> Checked<Vec<String>> {
    let mut origins = Vec::new();
    for (text, at) in t.strings("cors_origins")? {
        // As browsers write it: a path, or a slash at the end, would never match.
        let authority = text.split_once("://").map_or("", |(_, authority)| authority);
        let page = url::base_url(text, "").is_ok() && !authority.contains('/');
        let other = authority.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        if text != "*" && !page && (authority.is_empty() || !other) {
            let message =
                "an origin must be scheme, host and port without a path, such as `https://app.example`, or `*`";
            return t.source.error(&at, message);
        }
        origins.push(text.to_ascii_lowercase());
    }
    if origins.len() > 1 && origins.iter().any(|origin| origin == "*") {
        return t.fail("cors_origins", "has `*`, which is every origin; leave out the others");
    }
    Ok(origins)
}
